//! A task of a run: what one head learns from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Split, TaskKind};
use crate::dataset::CleaningRules;
use crate::engine::LossKind;
use crate::source::{DataSource, Format};

/// One task: labelled files, which become one head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The head's name: `sentiment`.
    pub name: String,
    /// What an answer is: `single-label` where it is not set, `multi-label`, `regression` or `tokens`, whose labels are tags, one
    /// for each word. A task of tokens is alone in its run.
    #[serde(default, skip_serializing_if = "TaskKind::is_default")]
    pub kind: TaskKind,
    /// The labelled files, queries or topics.
    pub data: Vec<DataSource>,
    /// Files that are the validation side, in place of a share of `data`.
    #[serde(default)]
    pub validation: Vec<DataSource>,
    /// Files that are the test side, in place of a share of `data`.
    #[serde(default)]
    pub test: Vec<DataSource>,
    /// A CSV file of two columns that names the labels: `label,topic`.
    #[serde(default)]
    pub label_names: Option<PathBuf>,
    /// What is changed in texts, and which rows are left out; nothing that changes a text where it is not set.
    #[serde(default)]
    pub cleaning: CleaningRules,
    /// What is cut from `data` where there are no files of its own.
    #[serde(default)]
    pub split: Split,
    /// How far an answer is from its label.
    #[serde(default)]
    pub loss: LossKind,
}

impl Task {
    /// All its files.
    pub(super) fn sources(&self) -> impl Iterator<Item = &DataSource> {
        self.data.iter().chain(&self.validation).chain(&self.test)
    }

    /// What is wrong with its values: the key and what it must be.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let Split { validation, test, rows_per_label, .. } = self.split;
        if self.data.is_empty() {
            return Some(("data", "at least one file is needed"));
        }
        if let Some(message) = self.sources().find_map(DataSource::fault) {
            return Some(("data", message));
        }
        if !(validation > 0.0 && test > 0.0 && validation + test <= 0.8) {
            return Some(("split", "shares must be above 0 and at most 0.8 together"));
        }
        if rows_per_label == Some(0) || (rows_per_label.is_some() && self.kind != TaskKind::SingleLabel) {
            return Some((
                "split",
                "rows_per_label must be at least 1, and belongs to a task of kind = \"single-label\"",
            ));
        }
        self.fault_of_kind().or_else(|| Some(("loss", self.loss.fault(self.kind)?)))
    }

    /// What does not go with the kind.
    fn fault_of_kind(&self) -> Option<(&'static str, &'static str)> {
        let of_words = self.kind == TaskKind::Tokens;
        if !of_words && self.sources().any(|source| matches!(source.resolved_format(), Ok(Format::Conll))) {
            return Some(("kind", "must be \"tokens\" for files in the format \"conll\""));
        }
        if self.kind != TaskKind::MultiLabel && self.sources().any(|source| source.label_separator.is_some()) {
            let message = "has a label_separator, which only a task of kind = \"multi-label\" splits labels at";
            return Some(("data", message));
        }
        if self.kind != TaskKind::SingleLabel && self.sources().any(|source| source.agreement.is_some()) {
            let message =
                "has an agreement, which is of a row's one label: the task must be of kind = \"single-label\"";
            return Some(("data", message));
        }
        if of_words && self.sources().any(|source| source.text_pair.is_some()) {
            return Some(("data", "has a text_pair, which a task of kind = \"tokens\" does not read"));
        }
        if of_words && self.cleaning.of_texts().change_texts() {
            let message = "must not change texts, whose words have tags; clean the file before it is tagged";
            return Some(("cleaning", message));
        }
        let message = match self.kind {
            TaskKind::SingleLabel | TaskKind::MultiLabel => return None,
            TaskKind::Regression => "must not be set: the labels of a regression are numbers",
            TaskKind::Tokens => "must not be set: the labels of words are tags, whose types the file names",
        };
        self.label_names.as_ref().map(|_| ("label_names", message))
    }
}
