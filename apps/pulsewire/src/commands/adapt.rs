//! `pulsewire adapt`: a base encoder adapted to the texts of a domain.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use training::{Adaptation, AdaptationReport, AdaptationSettings, DataSource, Encoding, Format, adapt};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::remote::{Place, RemoteArguments, RemoteRows};
use crate::settings::serde_name;
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire adapt --data headlines.tsv --text headline --out ./news-encoder
  pulsewire adapt --data kafka:news --text headline --out ./news-encoder
  pulsewire train --model news --base ./news-encoder --data labelled.csv --text headline --label sentiment

Words of each text are hidden, and the encoder learns to guess them (masked language modelling). The texts need no labels;
some ten thousand of the kind that the model will read are a good start. A training run's file takes the folder as `base`.";

/// Arguments of `adapt`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AdaptCommand {
    /// File of texts: CSV, TSV, NDJSON or Parquet; or clickhouse:QUERY, kafka:TOPIC (may be given more than once)
    #[arg(long, value_name = "FILE", required = true)]
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
    /// Folder to write, which must not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of the base encoder [default: the one that `pulsewire setup` fetched]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Decides what is held out, the order of texts, hidden words and dropout
    #[arg(long, value_name = "N", default_value_t = 17)]
    seed: u64,
    /// Passes over the texts [default: 3]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Texts in a step [default: 64]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// AdamW's highest rate [default: 0.0002]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// The most tokens of a text [default: 128]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArguments,
}

impl AdaptCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        if self.out.exists() {
            return Err(UsageError(format!("--out {} exists already", self.out.display())).into());
        }
        let mut adaptation = self.adaptation();
        let remote = RemoteRows::for_a_while(&self.remote, global)?;
        remote.fetch(&mut adaptation.corpus)?;
        let report = tokio::task::block_in_place(|| write(&adaptation, &self.out))?;
        if self.json {
            return print_json(&report);
        }
        let out = self.out.display();
        print_line(format!("{report}it is in {out}: `pulsewire train --base {out}` starts from it"))
    }

    fn adaptation(&self) -> Adaptation {
        let source = |path: &PathBuf| DataSource {
            format: self.format,
            encoding: self.encoding,
            text: self.text.clone(),
            header: !self.no_header,
            ..Place::of(path).source()
        };
        let default = AdaptationSettings::default();
        let settings = AdaptationSettings {
            epochs: self.epochs.unwrap_or(default.epochs),
            batch_size: self.batch_size.unwrap_or(default.batch_size),
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            max_tokens: self.max_tokens.unwrap_or(default.max_tokens),
            ..default
        };
        let corpus = self.data.iter().map(source).collect();
        Adaptation { base: self.base.clone(), corpus, seed: self.seed, settings }
    }
}

/// Everything in a folder beside the target, which gets its name only when all is there.
fn write(adaptation: &Adaptation, out: &Path) -> anyhow::Result<AdaptationReport> {
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let staging = tempfile::Builder::new()
        .prefix(".adaptation-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot write into {}", parent.display()))?;
    let report = adapt(adaptation, staging.path())?;
    let staging = staging.keep();
    fs::rename(&staging, out).with_context(|| format!("cannot move {} to {}", staging.display(), out.display()))?;
    Ok(report)
}
