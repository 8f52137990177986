//! `pulsewire language-model export`: an ONNX file, checked.

use std::path::PathBuf;

use clap::Args;
use training::language_model::export_language_model;

use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire language-model export --model ./headline-writer

Writes model.onnx beside the weights: `logits` [batch, sequence, vocabulary] of `input_ids` and `attention_mask`. It is
refused unless ONNX Runtime and tract compute the trainer's logits with it.";

/// Arguments of `language-model export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportCommand {
    /// Folder of the language model
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl ExportCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let report = tokio::task::block_in_place(|| export_language_model(&self.model))?;
        if self.json {
            return print_json(&report);
        }
        print_line(format!("{}, checked on {} texts", self.model.join("model.onnx").display(), report.texts))?;
        let lines = report.backends.iter().map(|parity| (&parity.backend, parity.max_abs_delta));
        lines
            .into_iter()
            .try_for_each(|(backend, delta)| print_line(format!("  {backend}: logits differ by {delta:.1e}")))
    }
}
