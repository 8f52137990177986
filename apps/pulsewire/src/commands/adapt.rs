//! `pulsewire adapt`: a base encoder adapted to the texts of a domain.

use std::path::PathBuf;

use clap::Args;
use training::{Adaptation, PairTask, TrainingError, adapt_resumably};

use crate::cli::Global;
use crate::settings::serde_name;
use crate::terminal::{print_json, print_line};
use crate::unlabelled::TextArguments;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire adapt --data headlines.tsv --text headline --out ./news-encoder
  pulsewire adapt --data sentences.csv --text sentence --pairs order --document article --out ./news-encoder
  pulsewire adapt --data kafka:news --text headline --out ./news-encoder
  pulsewire adapt --run adapt.toml --out ./news-encoder        data and, under [hyperparameters], every setting
  pulsewire train --model news --base ./news-encoder --data labelled.csv --text headline --label sentiment

Words of each text are hidden, and the encoder learns to guess them (masked language modelling). The texts need no labels;
some ten thousand of the kind that the model will read are a good start. With --pairs, of texts that follow each other in the
file, it also learns whether the second one comes next or from elsewhere (next), or whether the two are swapped (order). A training run's file takes the folder as `base`.

A run that was interrupted, in whatever way, goes on where it was when the same command is given again, and gives the same
encoder as if nothing had happened; --restart begins anew. Until then its checkpoint lies beside the folder, in .unfinished-NAME.";

/// Arguments of `adapt`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AdaptCommand {
    #[command(flatten)]
    texts: TextArguments,
    /// Folder to write, which must not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of the base encoder [default: the one that `pulsewire setup` fetched]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Passes over the texts [default: 3]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Texts in a step [default: 64]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// AdamW's highest rate [default: 0.0002]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Learn pairs of texts that follow each other, too: next or order
    #[arg(long, value_name = "TASK", value_parser = serde_name::<PairTask>)]
    pairs: Option<PairTask>,
    /// Column or key of what the texts are of: none follows one of another document [default: a file is one]
    #[arg(long, value_name = "COLUMN", requires = "pairs")]
    document: Option<String>,
    /// The most tokens of a text, or of a pair [default: 128]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl AdaptCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        let report = self.texts.make_folder(self.adaptation()?, &self.out, global, adapt_resumably)?;
        if self.json {
            return print_json(&report);
        }
        let out = self.out.display();
        print_line(format!("{report}it is in {out}: `pulsewire train --base {out}` starts from it"))
    }

    fn adaptation(&self) -> Result<Adaptation, TrainingError> {
        let mut run: Adaptation = self.texts.text_run()?;
        run.base = self.base.clone().or(run.base);
        let settings = &mut run.settings;
        settings.epochs = self.epochs.unwrap_or(settings.epochs);
        settings.batch_size = self.batch_size.unwrap_or(settings.batch_size);
        settings.learning_rate = self.learning_rate.unwrap_or(settings.learning_rate);
        settings.max_tokens = self.max_tokens.unwrap_or(settings.max_tokens);
        settings.pairs = self.pairs.or(settings.pairs);
        settings.document = self.document.clone().or(settings.document.take());
        Ok(run)
    }
}
