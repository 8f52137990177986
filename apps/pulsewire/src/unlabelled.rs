//! Files of texts without labels, and how a model is made of them, as arguments.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use training::{Checkpoints, DataSource, Encoding, Format, TextRun, TextSettings, TrainingError};

use crate::checkpoints::CheckpointArguments;
use crate::cli::Global;
use crate::output_folder::OutputFolder;
use crate::remote::{Place, RemoteArguments, RemoteRows};
use crate::settings::serde_name;

/// Which texts, and how they are read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct TextFileArguments {
    /// File of texts: CSV, TSV, NDJSON or Parquet; or clickhouse:QUERY, kafka:TOPIC (may be given more than once)
    #[arg(long, value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Column or key of the text [default: text]
    #[arg(long, value_name = "COLUMN")]
    text: Option<String>,
    /// csv, tsv, ndjson, parquet, separated or conll [default: by the file's ending]
    #[arg(long, value_name = "FORMAT", value_parser = serde_name::<Format>)]
    format: Option<Format>,
    /// utf-8 or latin-1
    #[arg(long, value_name = "NAME", default_value = "utf-8", value_parser = serde_name::<Encoding>)]
    encoding: Encoding,
    /// The file has no header: columns are called 1, 2 and so on
    #[arg(long)]
    no_header: bool,
    #[command(flatten)]
    remote: RemoteArguments,
}

impl TextFileArguments {
    /// The files, queries and topics, in their order.
    pub(crate) fn sources(&self) -> Vec<DataSource> {
        let source = |path: &PathBuf| DataSource {
            format: self.format,
            encoding: self.encoding,
            text: self.text.clone(),
            header: !self.no_header,
            ..Place::of(path).source()
        };
        self.data.iter().map(source).collect()
    }

    /// Where their queries and topics are.
    pub(crate) fn remote(&self) -> &RemoteArguments {
        &self.remote
    }
}

/// Texts that something is learned from, and how the run goes.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("learned").args(["run", "data"]).required(true)))]
pub(crate) struct TextArguments {
    /// A run's file (TOML), for every setting; flags stand over it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "format", "encoding", "no_header"])]
    run: Option<PathBuf>,
    #[command(flatten)]
    files: TextFileArguments,
    /// Decides what is held out, the order of texts, dropout and whatever else is drawn [default: 17]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    checkpoints: CheckpointArguments,
}

impl TextArguments {
    /// What is to be learned: the run's file, or the texts with every default.
    pub(crate) fn text_run<S: TextSettings>(&self) -> Result<TextRun<S>, TrainingError> {
        let mut run = match &self.run {
            Some(path) => TextRun::load(path)?,
            None => TextRun::new(self.files.sources()),
        };
        run.seed = self.seed.unwrap_or(run.seed);
        Ok(run)
    }

    /// Makes everything in a folder beside the target, which gets its name only when all is there. The same command goes on
    /// where it was interrupted.
    pub(crate) fn make_folder<S, T>(
        &self,
        mut run: TextRun<S>,
        target: &Path,
        global: &Global,
        make: impl FnOnce(&TextRun<S>, &Path, &Checkpoints) -> Result<T, TrainingError>,
    ) -> anyhow::Result<T> {
        let folder = OutputFolder::claim(target, self.checkpoints.restart)?;
        RemoteRows::kept_in(folder.data(), self.files.remote(), global).fetch(&mut run.data)?;
        let checkpoints = folder.checkpoints(self.checkpoints.pace());
        let made = tokio::task::block_in_place(|| make(&run, &folder.model(), &checkpoints))?;
        folder.finish()?;
        Ok(made)
    }
}
