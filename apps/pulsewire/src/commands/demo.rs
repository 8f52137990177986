//! `pulsewire demo`: everything at once on one machine.

mod plan;
mod report;
mod run;
mod screen;

use std::path::PathBuf;

use clap::Args;
use foundation::parts::Part;

use crate::cli::Global;
use crate::settings::RegistryArguments;
use crate::setup;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire demo                                 sample data; ends with a summary, Ctrl-C ends it earlier
  pulsewire demo --headless --out ./demo         no bars; writes report.json and alerts.ndjson
  pulsewire demo --data ../shared/data           with real sets in place of the samples
  pulsewire demo --model finance                 with a model of the registry instead of training one
  pulsewire demo --brokers 127.0.0.1:9092        a real Kafka in place of the one inside

The broker inside keeps 5 MiB a partition in memory and nothing after its end: right for a demo, for nothing else.";

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoCommand {
    /// Folder of real data sets, in place of the samples
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Show no bars, and write report.json and alerts.ndjson into --out
    #[arg(long)]
    headless: bool,
    /// Folder for the report, the alerts, the model and the store [default: demo in the data directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A Kafka to use in place of the broker inside
    #[arg(long, value_name = "LIST")]
    brokers: Option<String>,
    /// Model of the registry, or a model directory, in place of training one
    #[arg(long, value_name = "NAME[@VERSION|@ALIAS]")]
    model: Option<String>,
    /// Replay the feed at this multiple of its own pace [default: as fast as possible]
    #[arg(long, value_name = "FACTOR")]
    speed: Option<f64>,
    #[command(flatten)]
    registry: RegistryArguments,
}

impl DemoCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let plan = plan::Plan::new(&self, global)?;
        if self.headless {
            foundation::progress::use_no_bars();
        }
        setup::ensure(&[Part::Chdb]).await?;
        if self.model.is_none() {
            setup::ensure(&[Part::BaseEncoder]).await?;
        }
        // Without it models run on tract, which says so itself.
        if let Err(error) = setup::ensure(&[Part::OnnxRuntime]).await {
            tracing::warn!("ONNX Runtime cannot be installed: {error}");
        }
        run::run(plan).await
    }
}
