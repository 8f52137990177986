//! Files of texts without labels, as arguments; and the new folder that is made of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use training::{DataSource, Encoding, Format};

use crate::exit::UsageError;
use crate::remote::{Place, RemoteArguments};
use crate::settings::serde_name;

/// Which files, and how they are read.
#[derive(Debug, Args)]
pub(crate) struct TextArguments {
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
    #[command(flatten)]
    pub(crate) remote: RemoteArguments,
}

impl TextArguments {
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
}

/// Refuses a folder that is there already.
pub(crate) fn check_new(out: &Path) -> anyhow::Result<()> {
    if out.exists() {
        return Err(UsageError(format!("--out {} exists already", out.display())).into());
    }
    Ok(())
}

/// Makes everything in a folder beside the target, which gets its name only when all is there.
pub(crate) fn make_folder<T>(out: &Path, make: impl FnOnce(&Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let staging = tempfile::Builder::new()
        .prefix(".unfinished-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot write into {}", parent.display()))?;
    let made = make(staging.path())?;
    let staging = staging.keep();
    fs::rename(&staging, out).with_context(|| format!("cannot move {} to {}", staging.display(), out.display()))?;
    Ok(made)
}
