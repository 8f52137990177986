//! `pulsewire bench pipeline`.

mod load;
mod measure;

use std::path::PathBuf;

use clap::Args;
use foundation::parts::Part;

use crate::cli::Global;
use crate::terminal::{print_json, print_line, table};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire bench pipeline                         a trivial model in place of the encoder: what the pipeline itself costs
  pulsewire bench pipeline --model news            with the encoder, against the same engine fed from memory
  pulsewire bench pipeline --messages 1000000 --brokers 127.0.0.1:9092 --json

Everything runs in one go on this machine, the broker and the store included. Alert rules are not evaluated unless
--with-alerts is given.";

/// Arguments of `bench pipeline`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PipelineCommand {
    /// Messages to send [default: 200000, or 5000 with a model]
    #[arg(long, value_name = "N")]
    messages: Option<u64>,
    /// Size of a message in bytes, with a trivial model
    #[arg(long, value_name = "N", default_value_t = 300)]
    bytes: usize,
    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value_t = 4)]
    partitions: i32,
    /// Model in the registry, or a model directory; a trivial one where it is not given
    #[arg(long, value_name = "NAME[@VERSION]")]
    model: Option<String>,
    /// Folder of the model registry
    #[arg(long, value_name = "DIR")]
    registry: Option<PathBuf>,
    /// Evaluate the built-in alert rules as well
    #[arg(long)]
    with_alerts: bool,
    /// A Kafka in place of one that is started for the measurement
    #[arg(long, value_name = "LIST")]
    brokers: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl PipelineCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let mut parts = vec![Part::Chdb];
        parts.extend(self.model.as_ref().map(|_| Part::OnnxRuntime));
        crate::setup::ensure(&parts).await?;
        let figures = measure::measure(&self, global).await?;
        if self.json {
            return print_json(&figures);
        }
        let mut rows = table(&["", "messages/s", "ratio"]);
        let rate = |rate: f64| format!("{rate:.0}");
        let ratio = |ratio: f64| format!("{ratio:.2}");
        let pipeline = figures.pipeline_messages_per_second;
        rows.add_row(["Kafka to ClickHouse".to_owned(), rate(pipeline), String::new()]);
        if let (Some(engine), Some(share)) = (figures.engine_messages_per_second, figures.ratio_to_engine) {
            rows.add_row(["the engine from memory".to_owned(), rate(engine), ratio(share)]);
        }
        let bare = figures.bare_consumer_messages_per_second;
        rows.add_row(["a bare consumer".to_owned(), rate(bare), ratio(figures.ratio_to_bare_consumer)]);
        let memory: Vec<String> = figures.resident_mebibytes.iter().map(|size| format!("{size:.0}")).collect();
        print_line(format!(
            "{} messages of {} bytes, {}\n\n{}\n\nmemory at each quarter, MiB: {}",
            figures.messages,
            figures.bytes_per_message,
            figures.model,
            rows.trim_fmt(),
            memory.join(", ")
        ))
    }
}
