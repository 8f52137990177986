//! `pulsewire monitor`: the long-running consumer that scores a feed and raises alerts.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Global;
use crate::settings::{ModelArguments, StoreArguments};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire monitor --config pulsewire.toml
  pulsewire monitor --brokers kafka:9092 --topic news --model news --rules rules.toml
  pulsewire monitor --config pulsewire.toml --metrics-port 0    beside another one on this machine

Start it as often as there is work: Kafka spreads the topic's partitions over all of them. SIGINT or SIGTERM
drains what was read and commits it; a second one ends at once, and the next start does the rest again.";

/// Arguments of `monitor`; each wins over its key in the configuration file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct MonitorCommand {
    /// Bootstrap brokers, host:port, comma-separated
    #[arg(long, value_name = "LIST")]
    brokers: Option<String>,
    /// Topic of the feed
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Consumer group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Alert rules (TOML)
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Company dictionary (CSV: name, aliases, ticker)
    #[arg(long, value_name = "FILE")]
    companies: Option<PathBuf>,
    /// Port for health and metrics; 0 picks a free one
    #[arg(long, value_name = "N")]
    metrics_port: Option<u16>,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    store: StoreArguments,
}

impl MonitorCommand {
    pub(crate) async fn run(self, _global: &Global) -> anyhow::Result<()> {
        anyhow::bail!("monitor is not part of this build yet")
    }
}
