//! `pulsewire bench pipeline`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Global;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire bench pipeline                         a trivial model in place of the encoder: what the pipeline itself costs
  pulsewire bench pipeline --model news            with the encoder, against the same engine fed from memory
  pulsewire bench pipeline --messages 1000000 --brokers 127.0.0.1:9092 --json";

/// Arguments of `bench pipeline`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PipelineCommand {
    /// Messages to send
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    messages: u64,
    /// Size of a message in bytes
    #[arg(long, value_name = "N", default_value_t = 300)]
    bytes: usize,
    /// Partitions of the topic
    #[arg(long, value_name = "N", default_value_t = 4)]
    partitions: i32,
    /// Model in the registry; a trivial one where it is not given
    #[arg(long, value_name = "NAME[@VERSION]")]
    model: Option<String>,
    /// Folder of the model registry
    #[arg(long, value_name = "DIR")]
    registry: Option<PathBuf>,
    /// Texts to send in place of made-up ones: CSV, TSV or NDJSON
    #[arg(long, value_name = "FILE", requires = "text")]
    data: Option<PathBuf>,
    /// Column of the texts in --data
    #[arg(long, value_name = "COLUMN")]
    text: Option<String>,
    /// A Kafka in place of one that is started for the measurement
    #[arg(long, value_name = "LIST")]
    brokers: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl PipelineCommand {
    pub(crate) async fn run(self, _global: &Global) -> anyhow::Result<()> {
        anyhow::bail!("bench pipeline is not part of this build yet")
    }
}
