//! `pulsewire backtest`: the alerts that would have fired on a past feed.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Global;
use crate::settings::ModelArguments;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire backtest --feed headlines.tsv --text headline --time published_utc --model news --alerts alerts.ndjson
  pulsewire backtest --feed feed.ndjson --text /body --title /head --time /at --rules rules.toml --companies own.csv --model news@challenger --alerts -

The same pipeline and the same rules as the monitor, so the alerts are those that it would have raised.";

/// Arguments of `backtest`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BacktestCommand {
    /// Feed: CSV, TSV or NDJSON, by its ending unless --format says otherwise
    #[arg(long, value_name = "FILE")]
    feed: PathBuf,
    /// Format of the feed: csv, tsv or ndjson
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Column or JSON Pointer of the text
    #[arg(long, value_name = "COLUMN")]
    text: String,
    /// Column or JSON Pointer of the time
    #[arg(long, value_name = "COLUMN")]
    time: String,
    /// Column or JSON Pointer of the title
    #[arg(long, value_name = "COLUMN")]
    title: Option<String>,
    /// Column or JSON Pointer of the message's id
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// Column or JSON Pointer of the source
    #[arg(long, value_name = "COLUMN")]
    source: Option<String>,
    /// Alert rules (TOML) [default: the shipped ones]
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Company dictionary (CSV: name, aliases, ticker) [default: the shipped one]
    #[arg(long, value_name = "FILE")]
    companies: Option<PathBuf>,
    /// Where the alerts go, one JSON object a line; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    alerts: PathBuf,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArguments,
}

impl BacktestCommand {
    pub(crate) async fn run(self, _global: &Global) -> anyhow::Result<()> {
        anyhow::bail!("backtest is not part of this build yet")
    }
}
