//! `pulsewire language-model train`: a decoder shaped as GPT-2, from scratch or from a checkpoint.

use std::path::PathBuf;

use clap::Args;
use training::language_model::{LanguageModelRun, LanguageModelSettings, train_language_model_resumably};
use training::{DataSource, ScheduleKind};

use crate::cli::Global;
use crate::settings::serde_name;
use crate::terminal::{print_json, print_line};
use crate::unlabelled::TextArguments;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire language-model train --data headlines.tsv --text headline --out ./headline-writer
  pulsewire language-model train --data headlines.tsv --text headline --out ./writer --base ./gpt2 --epochs 2
  pulsewire language-model generate --model ./headline-writer --prompt \"Oil prices\"

The model learns which token comes next. The texts need no labels. From scratch, the vocabulary (byte-level byte pair
encoding) is learned from them too; a base brings its own, and its size. The folder is a GPT2LMHeadModel of transformers,
with the perplexity of held-out texts after each epoch in language_model.json.

A run that was interrupted, in whatever way, goes on where it was when the same command is given again, and gives the same
model as if nothing had happened; --restart begins anew. Until then its checkpoint lies beside the folder, in .unfinished-NAME.";

/// The highest rate with a base, whose weights are to be moved, not made.
const BASE_RATE: f64 = 5e-5;

/// Arguments of `language-model train`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TrainCommand {
    #[command(flatten)]
    texts: TextArguments,
    /// Folder to write, which must not exist yet
    #[arg(long, visible_alias = "output", value_name = "DIR")]
    out: PathBuf,
    /// Folder of a GPT2LMHeadModel to go on from: config.json, model.safetensors, tokenizer.json
    #[arg(long, value_name = "DIR", conflicts_with_all = ["vocabulary", "layers", "width", "heads"])]
    base: Option<PathBuf>,
    /// Decides what is held out, the order of texts, new weights and dropout
    #[arg(long, value_name = "N", default_value_t = 17)]
    seed: u64,
    /// Passes over the texts, fewer if --patience runs out
    #[arg(long, value_name = "N", default_value_t = LanguageModelSettings::default().epochs)]
    epochs: usize,
    /// Epochs without a better perplexity after which training stops; the best weights are kept
    #[arg(long, value_name = "N", default_value_t = LanguageModelSettings::default().patience)]
    patience: usize,
    /// Texts in a step
    #[arg(long, value_name = "N", default_value_t = LanguageModelSettings::default().batch_size)]
    batch_size: usize,
    /// AdamW's highest rate [default: 0.001, with --base 0.00005]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// constant, linear, cosine or one-cycle: how the rate falls
    #[arg(long, value_name = "NAME", default_value = "cosine", value_parser = serde_name::<ScheduleKind>)]
    schedule: ScheduleKind,
    /// The share of values that dropout sets to zero
    #[arg(long, value_name = "SHARE", default_value_t = LanguageModelSettings::default().dropout)]
    dropout: f64,
    /// The most tokens that a guess can look back on; a longer text is learned in stretches
    #[arg(long, value_name = "N", default_value_t = LanguageModelSettings::default().context)]
    context: usize,
    /// The most tokens of the vocabulary
    #[arg(long, value_name = "N", default_value_t = LanguageModelSettings::default().vocabulary)]
    vocabulary: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = LanguageModelSettings::default().layers)]
    layers: usize,
    /// The width of token states
    #[arg(long, value_name = "N", default_value_t = LanguageModelSettings::default().width)]
    width: usize,
    /// Attention heads, which divide the width
    #[arg(long, value_name = "N", default_value_t = LanguageModelSettings::default().heads)]
    heads: usize,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl TrainCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        let report = self.texts.make_folder(&self.out, global, |corpus, folder, checkpoints| {
            train_language_model_resumably(&self.language_model_run(corpus), folder, checkpoints)
        })?;
        if self.json {
            return print_json(&report);
        }
        let out = self.out.display();
        print_line(format!("{report}it is in {out}: `pulsewire language-model generate --model {out}` lets it write"))
    }

    fn language_model_run(&self, corpus: Vec<DataSource>) -> LanguageModelRun {
        let default = LanguageModelSettings::default();
        let rate = if self.base.is_some() { BASE_RATE } else { default.learning_rate };
        let settings = LanguageModelSettings {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate.unwrap_or(rate),
            schedule: self.schedule,
            dropout: self.dropout,
            patience: self.patience,
            context: self.context,
            vocabulary: self.vocabulary,
            layers: self.layers,
            width: self.width,
            heads: self.heads,
            ..default
        };
        LanguageModelRun { base: self.base.clone(), corpus, seed: self.seed, settings }
    }
}
