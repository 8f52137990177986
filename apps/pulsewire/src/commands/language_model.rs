//! `pulsewire language-model`: small language models, trained on texts without labels.

mod export;
mod generate;
mod train;

use clap::Subcommand;

use crate::cli::Global;

/// What to do with a language model.
#[derive(Debug, Subcommand)]
pub(crate) enum LanguageModelCommand {
    /// Train one, from scratch or from a GPT-2 checkpoint
    Train(Box<train::TrainCommand>),
    /// Let one continue a text
    Generate(generate::GenerateCommand),
    /// Write its ONNX file, checked in every back end
    Export(export::ExportCommand),
}

impl LanguageModelCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::Train(command) => command.run(global),
            Self::Generate(command) => command.run(),
            Self::Export(command) => command.run(),
        }
    }
}
