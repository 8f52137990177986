//! `pulsewire rank`: an encoder that finds the right answers of queries.

use std::path::PathBuf;

use clap::Args;
use training::{DataSource, RankingRun, RankingSettings, train_ranking_resumably};

use crate::cli::Global;
use crate::terminal::{print_json, print_line};
use crate::unlabelled::TextArguments;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire rank --data faqs.csv --text question --answer reply --out ./faq-encoder
  pulsewire rank --data faqs.csv --text question --answer reply --max-tokens 64 --batch-size 64 --out ./faq-encoder
  pulsewire rank --data \"clickhouse:SELECT question AS text, answer FROM solved\" --out ./faq-encoder

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
    /// Column or key of the right answer
    #[arg(long, value_name = "COLUMN", default_value = "answer")]
    answer: String,
    /// Folder to write, which must not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of the base encoder [default: the one that `pulsewire setup` fetched]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Decides the order of pairs and dropout
    #[arg(long, value_name = "N", default_value_t = 17)]
    seed: u64,
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
        let report = self.texts.make_folder(&self.out, global, |pairs, folder, checkpoints| {
            train_ranking_resumably(&self.ranking_run(pairs), folder, checkpoints)
        })?;
        if self.json { print_json(&report) } else { print_line(format!("{report}it is in {}", self.out.display())) }
    }

    fn ranking_run(&self, mut data: Vec<DataSource>) -> RankingRun {
        let default = RankingSettings::default();
        let settings = RankingSettings {
            epochs: self.epochs.unwrap_or(default.epochs),
            batch_size: self.batch_size.unwrap_or(default.batch_size),
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            temperature: self.temperature.unwrap_or(default.temperature),
            max_tokens: self.max_tokens.unwrap_or(default.max_tokens),
            ..default
        };
        data.iter_mut().for_each(|source| source.text_pair = Some(self.answer.clone()));
        RankingRun { base: self.base.clone(), data, seed: self.seed, settings }
    }
}
