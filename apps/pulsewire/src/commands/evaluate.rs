//! `pulsewire evaluate`: a model measured on labelled files.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use inference::{BackendConfig, EncoderModel, Model as _, ModelDirectory, TaskKind, WordTagger};
use serde::Serialize;
use training::evaluation::{
    Comparison, Evaluation, Measured, Robustness, Slice, find_entities, kind_of, measure, predict, predict_against,
};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::labelled::LabelledArguments;
use crate::remote::RemoteRows;
use crate::settings::{FoundModel, ModelArguments};
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire evaluate --model news --data held_out.csv --text headline --label sentiment
  pulsewire evaluate --model news@challenger --data held_out.csv --text headline --label sentiment --json
  pulsewire evaluate --model ./model-directory --data valid.csv --label label --label-names labels.csv --head topic
  pulsewire evaluate --model names --data test.txt --format conll
  pulsewire evaluate --model alike --data pairs.csv --text first --text-pair second --label score
  pulsewire evaluate --model news --data \"clickhouse:SELECT headline AS text, tone AS label FROM judged\"
  pulsewire evaluate --model news --data held_out.csv --text headline --label sentiment --robustness
  pulsewire evaluate --model news@challenger --against news --data held_out.csv --slice desk --markdown report.md

A model that labels words is measured by the entities that it finds: one is right if its type and all its words are.
The head is the first one that knows all the labels, unless --head names it. A second model (--against) is asked for its
head of the same name, else for the first one that knows all the labels. Heads of several labels a row, or of a number, are
measured in figures of their own; if a model has heads of several kinds, --head names the one.";

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EvaluateCommand {
    /// The head to measure
    #[arg(long, value_name = "NAME")]
    head: Option<String>,
    /// Measure the rows of each value of this column or key apart as well (may be given more than once)
    #[arg(long, value_name = "COLUMN")]
    slice: Vec<String>,
    /// Measure the same rows with typos, words left out or swapped, and other letters, marks and spaces as well: eight times the work
    #[arg(long)]
    robustness: bool,
    /// Compare with a second model on the same rows: McNemar's test
    #[arg(long, value_name = "NAME[@VERSION|@ALIAS]")]
    against: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Write a report in Markdown as well
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    labelled: LabelledArguments,
    #[command(flatten)]
    model: ModelArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a, E> {
    model: &'a str,
    version: &'a str,
    #[serde(flatten)]
    measured: &'a E,
}

impl EvaluateCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        if self.labelled.data.is_empty() {
            return Err(UsageError("nothing to measure on: name a file with --data".into()).into());
        }
        let found = self.model.find(global)?;
        let directory = ModelDirectory::open(&found.directory)?;
        self.labelled.check_reading(&directory)?;
        if directory.labels_words() {
            return self.find_entities(&found, &directory, global);
        }
        let other = self.against.clone().map(|against| self.model.of(against).find(global)).transpose()?;
        let backend = self.model.config(global)?.inference;
        let remote = RemoteRows::for_a_while(&self.labelled.remote, global)?;
        let measured = tokio::task::block_in_place(|| self.measure(&found, other.as_ref(), &backend, &remote))?;
        let written = self.markdown.as_ref().map_or(Ok(()), |path| {
            let document = measured.markdown(&self.title(&found));
            fs::write(path, document).with_context(|| format!("cannot write {}", path.display()))
        });
        let FoundModel { name: model, version, .. } = &found;
        // What took long to measure is told even if the file cannot be written.
        if self.json {
            print_json(&Answer { model, version, measured: &measured })?;
        } else {
            print_line(format!("{found}\n{measured}"))?;
        }
        written
    }

    /// For a model that labels words.
    fn find_entities(&self, found: &FoundModel, directory: &ModelDirectory, global: &Global) -> anyhow::Result<()> {
        if self.against.is_some() || self.markdown.is_some() || self.robustness || !self.slice.is_empty() {
            let message = format!(
                "{found} labels words: --against, --slice, --robustness and --markdown are for models that label texts"
            );
            return Err(UsageError(message).into());
        }
        let remote = RemoteRows::for_a_while(&self.labelled.remote, global)?;
        let rows = self.labelled.rows(TaskKind::Tokens, &[], &remote)?;
        let mut model = WordTagger::load(directory, &self.model.config(global)?.inference)?;
        let report = tokio::task::block_in_place(|| find_entities(&mut model, &rows))?;
        let FoundModel { name: model, version, .. } = found;
        if self.json {
            print_json(&Answer { model, version, measured: &report })
        } else {
            print_line(format!("{found}\n{report}"))
        }
    }

    fn measure(
        &self,
        found: &FoundModel,
        other: Option<&FoundModel>,
        backend: &BackendConfig,
        remote: &RemoteRows<'_>,
    ) -> anyhow::Result<Measured> {
        let mut model = self.load(found, backend)?;
        // Before minutes of scoring rather than after.
        let second = other.map(|other| Ok::<_, anyhow::Error>((other, self.load(other, backend)?))).transpose()?;
        let kind = kind_of(model.heads(), self.head.as_deref())?;
        if kind != TaskKind::SingleLabel && (second.is_some() || self.robustness || !self.slice.is_empty()) {
            let message =
                format!("--slice, --robustness and --against are for heads that choose one label; this head is {kind}");
            return Err(UsageError(message).into());
        }
        if self.robustness && self.labelled.text_pair.is_some() {
            let message = "--robustness is for single texts: words would go from one text of a pair to the other";
            return Err(UsageError(message.to_owned()).into());
        }
        let rows = self.labelled.rows(kind, &self.slice, remote)?;
        if kind != TaskKind::SingleLabel {
            return Ok(measure(&mut model, &rows, self.head.as_deref())?);
        }
        let predictions = predict(&mut model, &rows, self.head.as_deref())?;
        let mut evaluation = Evaluation::of(&predictions);
        let slices = self.slice.iter().enumerate().map(|(index, column)| {
            let values = rows.iter().map(|row| row.extra.get(index).map_or("", String::as_str));
            Slice::of(column, values, &predictions)
        });
        evaluation.slices = slices.collect();
        if self.robustness {
            evaluation.robustness = Some(Robustness::measure(&mut model, &rows, &predictions)?);
        }
        if let Some((other, mut model)) = second {
            let second = predict_against(&mut model, &rows, &predictions)
                .with_context(|| format!("cannot compare with {other}"))?;
            evaluation.against = Some(Comparison::of(&other.to_string(), &predictions, &second));
        }
        Ok(Measured::SingleLabel(Box::new(evaluation)))
    }

    fn load(&self, found: &FoundModel, backend: &BackendConfig) -> anyhow::Result<EncoderModel> {
        let directory = ModelDirectory::open(&found.directory)?;
        self.labelled.check_reading(&directory)?;
        Ok(EncoderModel::load(&directory, found.version.as_str(), backend)?)
    }

    fn title(&self, found: &FoundModel) -> String {
        let files: Vec<String> = self.labelled.data.iter().map(|path| path.display().to_string()).collect();
        format!("{found} on {}", files.join(", "))
    }
}
