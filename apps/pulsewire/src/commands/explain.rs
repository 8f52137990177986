//! `pulsewire explain`: which words of a text make a model answer as it does.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use foundation::progress::{Progress, Unit};
use inference::ModelDirectory;
use inference::cleaning::TextRules;
use serde::Serialize;
use training::explanation::{Explainer, Explanation, page};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::labelled;
use crate::remote::RemoteRows;
use crate::settings::{FoundModel, ModelArguments};
use crate::terminal::{colours, print_json, print_line};
use crate::unlabelled::TextFileArguments;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire explain --model news \"Profit warning sends shares of the bank lower\"
  pulsewire explain --model news --head topic --answer earnings \"Profit warning sends shares of the bank lower\"
  pulsewire explain --model news --data feed.csv --text headline --limit 50 --html reasons.html
  pulsewire explain --model news --data kafka:news --text headline --limit 10
  pulsewire explain --model ./model-directory --json \"Shares rise\"

Each word gets the share of the answer that it brings about, by integrated gradients (Sundararajan and others, 2017): all words'
shares add up to the difference between the answer and the one to the same text with padding for words. How far their sum
misses it is the completeness error, as a share of all that words add and take away; more steps are taken until it is at most 1 %.

Blue words raise the answer, orange ones lower it. A model whose head labels words, a compressed one, and one with an adapter that
is not merged cannot be explained.";

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainCommand {
    /// The text to explain the answer to (may be given more than once)
    #[arg(value_name = "TEXT", required_unless_present = "data")]
    texts: Vec<String>,
    /// The head that answers [default: the model's first]
    #[arg(long, value_name = "NAME")]
    head: Option<String>,
    /// The label whose probability is explained [default: each text's most probable one]
    #[arg(long, value_name = "LABEL")]
    answer: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Write a page with all explanations as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Texts of --data to explain, from the first
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    files: TextFileArguments,
    #[command(flatten)]
    model: ModelArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    model: &'a str,
    version: &'a str,
    explanations: &'a [Explanation],
}

impl ExplainCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<()> {
        let found = self.model.find(global)?;
        let directory = ModelDirectory::open(&found.directory)?;
        let texts = self.texts(directory.tokenizer().cleaning(), global)?;
        let explanations = tokio::task::block_in_place(|| self.explain(&directory, &texts))?;
        let written = self.html.as_ref().map_or(Ok(()), |path| {
            fs::write(path, page(&found.to_string(), &explanations))
                .with_context(|| format!("cannot write {}", path.display()))
        });
        // What took long is told even if the file cannot be written.
        if self.json {
            let FoundModel { name: model, version, .. } = &found;
            print_json(&Answer { model, version, explanations: &explanations })?;
        } else {
            let colours = colours();
            let told = |one: &Explanation| if colours { one.coloured() } else { one.to_string() };
            print_line(format!("{found}\n\n{}", explanations.iter().map(told).collect::<Vec<_>>().join("\n\n")))?;
        }
        written
    }

    /// Those of the command line, then those of files.
    fn texts(&self, rules: TextRules, global: &Global) -> anyhow::Result<Vec<String>> {
        let mut texts = self.texts.clone();
        if let Some(text) = texts.iter().find(|text| rules.tidied(text).is_empty()) {
            return Err(UsageError(format!("there is nothing to explain in the text {text:?}: it is empty")).into());
        }
        let mut of_files = Vec::new();
        let mut sources = self.files.sources();
        let remote = RemoteRows::for_a_while(self.files.remote(), global)?;
        remote.fetch(&mut sources)?;
        for source in &sources {
            of_files.extend(labelled::texts(source)?.filter(|text| !rules.tidied(text).is_empty()));
        }
        if texts.is_empty() && of_files.is_empty() {
            return Err(UsageError("there is nothing to explain: --data holds no text".to_owned()).into());
        }
        texts.extend(of_files.into_iter().take(self.limit));
        Ok(texts)
    }

    fn explain(&self, directory: &ModelDirectory, texts: &[String]) -> anyhow::Result<Vec<Explanation>> {
        let explainer = Explainer::open(directory, self.head.as_deref(), self.answer.as_deref())?;
        let progress = Progress::start("explaining", Some(texts.len() as u64), Unit::Items("texts"));
        let explain = |text: &String| {
            let explanation = explainer.explain(text)?;
            progress.advance(1);
            Ok(explanation)
        };
        let explanations = texts.iter().map(explain).collect();
        progress.finish();
        explanations
    }
}
