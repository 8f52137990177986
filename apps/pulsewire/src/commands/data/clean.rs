//! `pulsewire data clean`: labelled files as training would clean them, written anew.

use std::path::{Path, PathBuf};

use clap::Args;
use inference::cleaning::{Treatment, UnicodeForm};
use inference::{ModelDirectory, WordTagger};
use serde::Serialize;
use training::dataset::{CleanRequest, Cleaning, Languages, People, clean};
use training::{CleaningRules, LabelNames};

use super::report::{Grid, Report, Section, Side};
use crate::cli::Global;
use crate::exit::UsageError;
use crate::labelled::LabelledArguments;
use crate::remote::{Delivery, RemoteRows};
use crate::settings::{ModelArguments, RegistryArguments, serde_name};
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire data clean --data raw.csv --out clean.csv --text headline --label sentiment --html --unicode nfkc
  pulsewire data clean --data tweets.ndjson --out tweets.parquet --urls replace --handles drop --mask-personal-data
  pulsewire data clean --data \"clickhouse:SELECT title AS text, tone AS label FROM raw\" --out clickhouse:clean --html
  pulsewire data clean --data kafka:labelled --text /article/title --label /tone --out kafka:clean
  pulsewire data clean --data reports.csv --out told.csv --compare-figures
  pulsewire data clean --data mails.csv --out masked.csv --mask-personal-data --mask-names entities
  pulsewire data clean --data reviews.csv --out english.csv --language en
  pulsewire data clean --data train.csv --test test.csv --out apart.csv --drop-near-duplicates --column author

As in training, spaces and control characters are tidied, texts that stand twice or have no label of a majority are left out,
and so are those of --test. The rest is done where it is asked for.

Training cleans by itself if a task's file says so: cleaning = { html = true, unicode = \"nfkc\", urls = \"replace\",
handles = \"drop\", mask_personal_data = true, compare_figures = true, drop_near_duplicates = true,
languages = [\"en\"] }. A model of such a task has the rules in its config.json (text_cleaning), and cleans alike
what it is asked about, in a monitor too. What is changed here, in a file, no model knows of: texts that it is asked about must
come changed alike.";

/// Arguments of `data clean`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CleanCommand {
    /// File to write: CSV, TSV, NDJSON or Parquet by its ending; or clickhouse:TABLE, kafka:TOPIC, which are made where they are
    /// missing and added to where they are not
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Labelled file of the same kind that a model will be tested on: its texts are left out (may be given more than once)
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// Further column or key to keep (may be given more than once)
    #[arg(long, value_name = "COLUMN")]
    column: Vec<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RuleArguments,
    #[command(flatten)]
    names: NameArguments,
    #[command(flatten)]
    labelled: LabelledArguments,
}

/// What is changed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cleaning")]
struct RuleArguments {
    /// Take texts for HTML: tags go, &amp; becomes &
    #[arg(long)]
    html: bool,
    /// Unicode form of the texts: nfc or nfkc
    #[arg(long, value_name = "FORM", value_parser = serde_name::<UnicodeForm>)]
    unicode: Option<UnicodeForm>,
    // As text, since rustdoc takes brackets for links.
    #[arg(help = "Web addresses: keep, drop, or replace by [URL]")]
    #[arg(long, value_name = "WHAT", default_value = "keep", value_parser = serde_name::<Treatment>)]
    urls: Treatment,
    #[arg(help = "@names: keep, drop, or replace by [HANDLE]")]
    #[arg(long, value_name = "WHAT", default_value = "keep", value_parser = serde_name::<Treatment>)]
    handles: Treatment,
    #[arg(help = "Put [EMAIL], [PHONE], [CARD] and [IBAN] in the place of personal data")]
    #[arg(long)]
    mask_personal_data: bool,
    /// Say behind a figure that is set beside an earlier one whether it is higher or lower, in English texts
    #[arg(long)]
    compare_figures: bool,
    /// Keep one of several texts that are almost the same, and none that is almost one of --test
    #[arg(long)]
    drop_near_duplicates: bool,
    /// Keep rows in this language alone, en for English, and those of which the detector is not sure (may be given more than once)
    #[arg(long, value_name = "CODE")]
    language: Vec<String>,
}

/// How names of persons are found.
#[derive(Debug, Args)]
#[command(next_help_heading = "Names")]
struct NameArguments {
    #[arg(help = "Put [NAME] in the place of persons' names: those that this model of named entities finds")]
    #[arg(long, value_name = "NAME[@VERSION|@ALIAS]")]
    mask_names: Option<String>,
    /// What the model calls persons
    #[arg(long, value_name = "TYPE", default_value = "PER", requires = "mask_names")]
    name_type: String,
    #[command(flatten)]
    registry: RegistryArguments,
}

impl NameArguments {
    fn people(&self, global: &Global) -> anyhow::Result<Option<People>> {
        let Some(model) = self.mask_names.clone() else { return Ok(None) };
        let model = ModelArguments { model: Some(model), registry: self.registry.registry.clone() };
        let directory = ModelDirectory::open(model.find(global)?.directory)?;
        let tagger = WordTagger::load(&directory, &model.config(global)?.inference)?;
        Ok(Some(People::new(tagger, &self.name_type)?))
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer {
    rows_written: usize,
    #[serde(flatten)]
    cleaning: Cleaning,
}

impl CleanCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        if self.labelled.data.is_empty() {
            return Err(UsageError("nothing to clean: name a file with --data".into()).into());
        }
        if let Some(own) = self.labelled.data.iter().chain(&self.test).find(|path| same_file(path, &self.out)) {
            return Err(UsageError(format!("--out would overwrite {}: name another file", own.display())).into());
        }
        let remote = RemoteRows::for_a_while(&self.labelled.remote, global)?;
        let delivery = Delivery::to(&self.out, self.labelled.columns(&self.column), &remote)?;
        let names = self.labelled.label_names.as_deref().map(LabelNames::load).transpose()?;
        let mut people = self.names.people(global)?;
        let (rows, cleaning) = clean(CleanRequest {
            data: &remote.local(self.labelled.sources())?,
            test: &remote.local(self.labelled.of(&self.test))?,
            names: names.as_ref(),
            rules: self.rules.rules()?,
            people: people.as_mut(),
            extra: &self.column,
        })?;
        delivery.write(&rows)?;
        let answer = Answer { rows_written: rows.len(), cleaning };
        if self.json { print_json(&answer) } else { print_line(report(&answer).text()) }
    }
}

impl RuleArguments {
    fn rules(&self) -> Result<CleaningRules, UsageError> {
        Ok(CleaningRules {
            html: self.html,
            unicode: self.unicode,
            urls: self.urls,
            handles: self.handles,
            mask_personal_data: self.mask_personal_data,
            compare_figures: self.compare_figures,
            drop_near_duplicates: self.drop_near_duplicates,
            languages: Languages::try_from(self.language.clone())
                .map_err(|fault| UsageError(format!("--language: {fault}")))?,
        })
    }
}

pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    // One topic is the same word.
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn report(answer: &Answer) -> Report {
    let mut grid = Grid::new([("figure", Side::Left), ("rows", Side::Right)]);
    grid.add(["read".to_owned(), answer.cleaning.read.to_string()]);
    for (name, rows) in answer.cleaning.counts() {
        grid.add([name.to_owned(), rows.to_string()]);
    }
    grid.add(["written".to_owned(), answer.rows_written.to_string()]);
    let title = "Cleaning".to_owned();
    Report { title: "Cleaning", sections: vec![Section { title, grids: vec![grid], notes: Vec::new() }] }
}
