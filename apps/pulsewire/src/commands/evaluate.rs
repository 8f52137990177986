//! `pulsewire evaluate`: a model measured on labelled files.

use anyhow::Context as _;
use clap::Args;
use inference::{EncoderModel, ModelDirectory};
use training::{EvaluationReport, LabelNames, evaluate, read_rows};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::labelled::LabelledArguments;
use crate::settings::{FoundModel, ModelArguments};
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire evaluate --model news --data held_out.csv --text headline --label sentiment
  pulsewire evaluate --model news@challenger --data held_out.csv --text headline --label sentiment --json
  pulsewire evaluate --model ./model-directory --data valid.csv --label label --label-names labels.csv --head topic

The head is the first one that knows all the labels, unless --head names it.";

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EvaluateCommand {
    /// The head to measure
    #[arg(long, value_name = "NAME")]
    head: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    labelled: LabelledArguments,
    #[command(flatten)]
    model: ModelArguments,
}

impl EvaluateCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        if self.labelled.data.is_empty() {
            return Err(UsageError("nothing to measure on: name a file with --data".into()).into());
        }
        let found = self.model.find(global)?;
        let backend = self.model.config(global)?.inference;
        let report = tokio::task::block_in_place(|| -> anyhow::Result<EvaluationReport> {
            let names = self.labelled.label_names.as_deref().map(LabelNames::load).transpose()?;
            let (mut rows, mut cleaning) = (Vec::new(), Default::default());
            for source in self.labelled.sources() {
                rows.extend(read_rows(&source, names.as_ref(), &mut cleaning)?);
            }
            if cleaning.empty_texts > 0 {
                tracing::warn!("{} rows without a text are left out", cleaning.empty_texts);
            }
            let directory = ModelDirectory::open(&found.directory)?;
            let mut model = EncoderModel::load(&directory, found.version.as_str(), &backend)?;
            Ok(evaluate(&mut model, &rows, self.head.as_deref())?)
        })?;
        if self.json { print_json(&as_json(&found, &report)?) } else { print_line(format!("{found}\n{report}")) }
    }
}

fn as_json(found: &FoundModel, report: &EvaluationReport) -> anyhow::Result<serde_json::Value> {
    let mut answer = serde_json::json!({ "model": found.name, "version": found.version });
    let report = serde_json::to_value(report).context("the report cannot be written as JSON")?;
    if let (Some(answer), serde_json::Value::Object(report)) = (answer.as_object_mut(), report) {
        answer.extend(report);
    }
    Ok(answer)
}
