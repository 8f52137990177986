//! `pulsewire monitor`: the long-running consumer that scores a feed and raises alerts.

use std::path::PathBuf;

use clap::Args;
use foundation::configuration;
use sentiment_monitor::MonitorConfig;
use sentiment_monitor::monitor::{self, Settings};
use service::Lifecycle;

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
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let settings = Settings::new(self.config(global)?)?;
        let lifecycle = Lifecycle::with_signals(settings.shutdown_deadline())?;
        monitor::start(settings, &lifecycle).await?;
        Ok(lifecycle.join().await?)
    }

    /// The configuration file and the environment, with the flags over them.
    fn config(self, global: &Global) -> anyhow::Result<MonitorConfig> {
        let mut overrides: Vec<(String, String)> = Vec::new();
        let mut set = |key: &str, value: Option<String>| overrides.extend(value.map(|value| (key.to_owned(), value)));
        set("kafka.connection.brokers", self.brokers);
        set("kafka.group", self.group);
        set("rules", self.rules.map(|path| path.display().to_string()));
        set("companies", self.companies.map(|path| path.display().to_string()));
        set("http.port", self.metrics_port.map(|port| port.to_string()));
        set("model.name", self.model.model);
        set("model.registry", self.model.registry.map(|path| path.display().to_string()));
        let mut config: MonitorConfig = configuration::load(global.config.as_deref(), &overrides)?;
        if let Some(topic) = self.topic {
            config.kafka.topics = vec![topic];
        }
        config.store = self.store.resolve(global)?;
        Ok(config)
    }
}
