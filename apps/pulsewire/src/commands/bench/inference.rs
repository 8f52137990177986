//! `pulsewire bench inference`.

use clap::Args;

use crate::cli::Global;
use crate::settings::ModelArguments;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire bench inference --model news
  pulsewire bench inference --model news@challenger --seconds 10 --json";

/// Arguments of `bench inference`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InferenceCommand {
    #[command(flatten)]
    model: ModelArguments,
}

impl InferenceCommand {
    pub(crate) fn run(self, _global: &Global) -> anyhow::Result<()> {
        anyhow::bail!("to come")
    }
}
