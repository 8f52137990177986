//! `pulsewire rank`: an encoder that finds the right answers of queries.

use std::path::PathBuf;

use clap::Args;
use training::{RankingRun, TrainingError, train_ranking_resumably};

use crate::cli::Global;
use crate::terminal::{print_json, print_line};
use crate::unlabelled::TextArguments;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire rank --data faqs.csv --text question --answer reply --out ./faq-encoder
  pulsewire rank --data faqs.csv --text question --answer reply --max-tokens 64 --batch-size 64 --out ./faq-encoder
  pulsewire rank --data \"clickhouse:SELECT question AS text, answer FROM solved\" --out ./faq-encoder
  pulsewire rank --run faqs.toml --out ./faq-encoder

  # faqs.toml
  data = [{ path = \"faqs.csv\", text = \"question\", text_pair = \"reply\" }]
  [hyperparameters]
  epochs = 5
  temperature = 0.03

Each row is a query and an answer that is right for it; a query that has several right answers stands in several rows. The encoder
learns to give a query a vector that lies nearer its answer's than those of the other answers in its batch, so larger batches
teach more. A query's side (10 % validation, 15 % test) is decided by its text alone. Each test query is ranked against all
answers, before and after: mean reciprocal rank, recall at 1, 5 and 10, NDCG at 10, mean average precision.

The folder is one that sentence-transformers loads, with model.onnx, whose vectors have length one: their product is the cosine. It
is refused unless ONNX Runtime and tract compute the trainer's vectors. `pulsewire train --base` starts from it, too.

A run that was interrupted goes on where it was when the same command is given again; --restart begins anew.";

/// Arguments of `rank`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RankCommand {
    #[command(flatten)]
    texts: TextArguments,
    /// Column or key of the right answer [default: answer]
    #[arg(long, value_name = "COLUMN", conflicts_with = "run")]
    answer: Option<String>,
    /// Folder to write, which must not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of the base encoder [default: the one that `pulsewire setup` fetched]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Passes over the pairs [default: 3]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Pairs in a step [default: 32]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// AdamW's highest rate [default: 0.00005]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// What cosines are divided by: the lower, the more the nearest wrong answers count [default: 0.05]
    #[arg(long, value_name = "NUMBER")]
    temperature: Option<f64>,
    /// The most tokens of a text [default: 128]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl RankCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        let report = self.texts.make_folder(self.ranking_run()?, &self.out, global, train_ranking_resumably)?;
        if self.json { print_json(&report) } else { print_line(format!("{report}it is in {}", self.out.display())) }
    }

    fn ranking_run(&self) -> Result<RankingRun, TrainingError> {
        let mut run: RankingRun = self.texts.text_run()?;
        run.base = self.base.clone().or(run.base);
        let settings = &mut run.settings;
        settings.epochs = self.epochs.unwrap_or(settings.epochs);
        settings.batch_size = self.batch_size.unwrap_or(settings.batch_size);
        settings.learning_rate = self.learning_rate.unwrap_or(settings.learning_rate);
        settings.temperature = self.temperature.unwrap_or(settings.temperature);
        settings.max_tokens = self.max_tokens.unwrap_or(settings.max_tokens);
        if let Some(answer) = &self.answer {
            run.data.iter_mut().for_each(|source| source.text_pair = Some(answer.clone()));
        }
        Ok(run)
    }
}
