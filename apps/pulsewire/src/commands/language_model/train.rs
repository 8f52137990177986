//! `pulsewire language-model train`: a decoder shaped as GPT-2, from scratch or from a checkpoint.

use std::path::PathBuf;

use clap::Args;
use training::language_model::{LanguageModelRun, train_language_model_resumably};
use training::{ScheduleKind, TrainingError};

use crate::cli::Global;
use crate::settings::serde_name;
use crate::terminal::{print_json, print_line};
use crate::unlabelled::TextArguments;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire language-model train --data headlines.tsv --text headline --out ./headline-writer
  pulsewire language-model train --data headlines.tsv --text headline --out ./writer --base ./gpt2 --epochs 2
  pulsewire language-model train --run writer.toml --out ./writer        data and, under [hyperparameters], every setting
  pulsewire language-model generate --model ./headline-writer --prompt \"Oil prices\"

The model learns which token comes next. The texts need no labels. From scratch, the vocabulary (byte-level byte pair
encoding) is learned from them too; a base brings its own, and its size. The folder is a GPT2LMHeadModel of transformers,
with the perplexity of held-out texts after each epoch in language_model.json.

A run that was interrupted, in whatever way, goes on where it was when the same command is given again, and gives the same
model as if nothing had happened; --restart begins anew. Until then its checkpoint lies beside the folder, in .unfinished-NAME.";

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
    /// Passes over the texts, fewer if --patience runs out [default: 10]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Epochs without a better perplexity after which training stops; the best weights are kept [default: 2]
    #[arg(long, value_name = "N")]
    patience: Option<usize>,
    /// Texts in a step [default: 32]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// AdamW's highest rate [default: 0.001, with --base 0.00005]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// constant, linear, cosine or one-cycle: how the rate falls [default: cosine]
    #[arg(long, value_name = "NAME", value_parser = serde_name::<ScheduleKind>)]
    schedule: Option<ScheduleKind>,
    /// The share of values that dropout sets to zero [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    dropout: Option<f64>,
    /// The most tokens that a guess can look back on; a longer text is learned in stretches [default: 128]
    #[arg(long, value_name = "N")]
    context: Option<usize>,
    /// The most tokens of the vocabulary [default: 4096]
    #[arg(long, value_name = "N")]
    vocabulary: Option<usize>,
    /// Layers [default: 4]
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
    /// The width of token states [default: 256]
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Attention heads, which divide the width [default: 4]
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl TrainCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        let run = self.language_model_run()?;
        let report = self.texts.make_folder(run, &self.out, global, train_language_model_resumably)?;
        if self.json {
            return print_json(&report);
        }
        let out = self.out.display();
        print_line(format!("{report}it is in {out}: `pulsewire language-model generate --model {out}` lets it write"))
    }

    fn language_model_run(&self) -> Result<LanguageModelRun, TrainingError> {
        let mut run: LanguageModelRun = self.texts.text_run()?;
        run.base = self.base.clone().or(run.base);
        let settings = &mut run.settings;
        settings.epochs = self.epochs.unwrap_or(settings.epochs);
        settings.patience = self.patience.unwrap_or(settings.patience);
        settings.batch_size = self.batch_size.unwrap_or(settings.batch_size);
        settings.learning_rate = self.learning_rate.or(settings.learning_rate);
        settings.schedule = self.schedule.unwrap_or(settings.schedule);
        settings.dropout = self.dropout.unwrap_or(settings.dropout);
        settings.context = self.context.unwrap_or(settings.context);
        settings.vocabulary = self.vocabulary.unwrap_or(settings.vocabulary);
        settings.layers = self.layers.unwrap_or(settings.layers);
        settings.width = self.width.unwrap_or(settings.width);
        settings.heads = self.heads.unwrap_or(settings.heads);
        Ok(run)
    }
}
