//! `pulsewire data card`: what labelled files hold, and what is wrong with them.

mod sections;

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use foundation::parts::{Part, PartsError};
use inference::TextTokenizer;
use training::dataset::card::{CardRequest, DataCard};
use training::{Hyperparameters, LabelNames};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::labelled::LabelledArguments;
use crate::remote::RemoteRows;
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire data card --data labelled.csv --text headline --label sentiment
  pulsewire data card --data train.csv --test test.csv --label category      does the test stand in the data?
  pulsewire data card --data kafka:labelled --text /article/headline --brokers kafka:9092
  pulsewire data card --data train.csv --markdown card.md --json > card.json

Near-duplicates share at least 80 % of their words and pairs of neighbouring words (Jaccard similarity, found by
MinHash). Personal data is masked wherever a text is shown. Nothing is changed, and findings are no failure: the
exit code is 0 if the files could be read.";

/// Arguments of `data card`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CardCommand {
    /// Labelled file of the same kind that a model will be tested on: finds its texts in --data (may be given more than once)
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// Folder of the encoder whose tokens are counted [default: the one that `pulsewire setup` fetched]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// The most tokens that training will read of a text
    #[arg(long, value_name = "N", default_value_t = Hyperparameters::default().max_tokens)]
    max_tokens: usize,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Also write the card as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    labelled: LabelledArguments,
}

impl CardCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        if self.labelled.data.is_empty() {
            return Err(UsageError("nothing to look at: name a file with --data".into()).into());
        }
        let remote = RemoteRows::for_a_while(&self.labelled.remote, global)?;
        let card = tokio::task::block_in_place(|| self.card(&remote))?;
        let report = sections::report(&card);
        if let Some(path) = &self.markdown {
            fs::write(path, report.markdown()).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if self.json { print_json(&card) } else { print_line(report.text()) }
    }

    fn card(&self, remote: &RemoteRows<'_>) -> anyhow::Result<DataCard> {
        let names = self.labelled.label_names.as_deref().map(LabelNames::load).transpose()?;
        let tokenizer = self.tokenizer()?;
        Ok(DataCard::of(&CardRequest {
            data: &remote.local(self.labelled.sources())?,
            test: &remote.local(self.labelled.of(&self.test))?,
            names: names.as_ref(),
            tokenizer: tokenizer.as_ref(),
            max_tokens: self.max_tokens,
        })?)
    }

    /// The base encoder's; none where no encoder is installed, since all else can be told without it.
    fn tokenizer(&self) -> anyhow::Result<Option<TextTokenizer>> {
        let base = match &self.base {
            Some(base) => base.clone(),
            None => match Part::BaseEncoder.locate() {
                Ok(base) => base,
                Err(PartsError::Missing { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            },
        };
        let tokenizer = TextTokenizer::open_for_counting(&base.join("tokenizer.json"))?;
        Ok(Some(tokenizer.of_pairs(self.labelled.text_pair.is_some())))
    }
}
