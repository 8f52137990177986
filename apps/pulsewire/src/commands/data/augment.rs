//! `pulsewire data augment`: labelled files with further rows made of their own, to be looked at or learned from elsewhere.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use training::{AugmentRequest, Augmentation, AugmentationKind, LabelNames, augment};

use super::clean::same_file;
use crate::cli::Global;
use crate::exit::UsageError;
use crate::labelled::LabelledArguments;
use crate::remote::{Delivery, RemoteRows};
use crate::settings::serde_name;
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire data augment --data train.csv --out more.csv --text headline --label sentiment --kind typos --rate 0.05
  pulsewire data augment --data train.csv --out more.csv --kind synonyms --file synonyms.txt --copies 2
  pulsewire data augment --data train.csv --out more.csv --kind masked --base ./news-encoder
  pulsewire data augment --data train.csv --out more.csv --kind back-translation --command ./translate.sh

Kinds: swap, deletion, synonyms, neighbours (in the base encoder's word table), typos, punctuation, spacing, masked (words that an
encoder of `pulsewire adapt` guesses), back-translation (a command that reads texts, one a line, and writes as many lines).

Augment rows for training alone, never those that a model is tested on. Training does it by itself, on the training side only, if a
run's file says so: [[augmentation]] with kind, rate, share; what costs little is drawn anew each time that a row is learned.";

/// Arguments of `data augment`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AugmentCommand {
    /// The method
    #[arg(long, value_name = "KIND", value_parser = serde_name::<AugmentationKind>)]
    kind: AugmentationKind,
    /// File to write: CSV, TSV, NDJSON or Parquet by its ending; or clickhouse:TABLE, kafka:TOPIC
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The share of a text's words that is changed [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    rate: Option<f64>,
    /// The share of rows that give a further one
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    share: f64,
    /// How often the rows are gone over
    #[arg(long, value_name = "N", default_value_t = 1)]
    copies: usize,
    /// Words that mean the same, a line for each such group: `rise, climb, gain`
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Program that says texts in other words
    #[arg(long, value_name = "PROGRAM")]
    command: Option<String>,
    /// Folder of the encoder whose words are used [default: the one that `pulsewire setup` fetched]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Decides what is changed
    #[arg(long, value_name = "N", default_value_t = 17)]
    seed: u64,
    /// Further column or key to keep (may be given more than once)
    #[arg(long, value_name = "COLUMN")]
    column: Vec<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    labelled: LabelledArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer {
    rows_read: usize,
    rows_added: usize,
}

impl AugmentCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        if self.labelled.data.is_empty() {
            return Err(UsageError("nothing to augment: name a file with --data".into()).into());
        }
        if self.labelled.text_pair.is_some() {
            let message =
                "pairs of texts are not augmented: words would go from one to the other; leave out --text-pair";
            return Err(UsageError(message.into()).into());
        }
        if let Some(own) = self.labelled.data.iter().find(|path| same_file(path, &self.out)) {
            return Err(UsageError(format!("--out would overwrite {}: name another file", own.display())).into());
        }
        let remote = RemoteRows::for_a_while(&self.labelled.remote, global)?;
        let delivery = Delivery::to(&self.out, self.labelled.columns(&self.column), &remote)?;
        let names = self.labelled.label_names.as_deref().map(LabelNames::load).transpose()?;
        let augmentation = Augmentation {
            rate: self.rate,
            share: self.share,
            file: self.file,
            command: self.command.into_iter().collect(),
            ..Augmentation::new(self.kind)
        };
        let (rows, read) = augment(&AugmentRequest {
            data: &remote.local(self.labelled.sources())?,
            names: names.as_ref(),
            extra: &self.column,
            augmentation: &augmentation,
            copies: self.copies,
            seed: self.seed,
            base: self.base.as_deref(),
        })?;
        delivery.write(&rows)?;
        let answer = Answer { rows_read: read, rows_added: rows.len() - read };
        if self.json {
            return print_json(&answer);
        }
        let Answer { rows_read, rows_added } = answer;
        print_line(format!("{rows_read} rows and {rows_added} made of them are in {}", self.out.display()))
    }
}
