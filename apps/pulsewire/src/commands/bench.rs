//! `pulsewire bench`: the figures that the documents quote.

mod inference;
mod pipeline;
mod training;

use clap::Subcommand;

use crate::cli::Global;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Messages a second from Kafka to ClickHouse, beside the engine alone and a bare consumer
    Pipeline(pipeline::PipelineCommand),
    /// Texts a second of a model in each back end
    Inference(inference::InferenceCommand),
    /// Rows a second and memory of fine-tuning, beside PyTorch
    Training(training::TrainingCommand),
}

impl BenchCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Pipeline(command) => command.run(global).await,
            Self::Inference(command) => command.run(global).await,
            Self::Training(command) => command.run().await,
        }
    }
}
