//! `pulsewire demo`: everything at once on one machine.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Global;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire demo                                 sample data; ends with a summary, Ctrl-C ends it earlier
  pulsewire demo --headless --out ./demo         no screen; writes report.json and alerts.ndjson
  pulsewire demo --data ../shared/data           with real sets in place of the samples
  pulsewire demo --brokers 127.0.0.1:9092        a real Kafka in place of the one inside

The broker inside keeps 5 MiB a partition in memory and nothing after its end: right for a demo, for nothing else.";

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoCommand {
    /// Folder of real data sets, in place of the samples
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Show no screen and end when the feed has been read
    #[arg(long, requires = "out")]
    headless: bool,
    /// Folder for report.json, alerts.ndjson, the model and the store [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A Kafka to use in place of the broker inside
    #[arg(long, value_name = "LIST")]
    brokers: Option<String>,
}

impl DemoCommand {
    pub(crate) async fn run(self, _global: &Global) -> anyhow::Result<()> {
        anyhow::bail!("demo is not part of this build yet")
    }
}
