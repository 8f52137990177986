//! The labels of one task: their order, their names, and the traps in them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::label_reading::BETWEEN;
use super::{Row, Target, tagged};
use crate::error::{Location, TrainingError};
use crate::run::TaskKind;
use crate::source::DataSource;

/// Speaking names for labels that a data set writes as numbers or codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelNames {
    names: Vec<(String, String)>,
}

impl LabelNames {
    /// Reads a CSV file with a header and two columns: the label as the data has it, and its name.
    pub fn load(path: &Path) -> Result<Self, TrainingError> {
        let source = DataSource {
            header: false,
            text: Some("2".to_owned()),
            label: Some("1".to_owned()),
            ..DataSource::new(path)
        };
        let rows = source.read()?.into_iter().skip(1);
        Ok(Self { names: rows.map(|row| (row.label.trim().to_owned(), row.text.trim().to_owned())).collect() })
    }

    /// The name of a label as the data has it; a label that has a name already may be written by it.
    pub fn name_of<'a>(&'a self, label: &str, at: &Location) -> Result<&'a str, TrainingError> {
        self.names
            .iter()
            .find(|(code, _)| code == label)
            .or_else(|| self.names.iter().find(|(_, name)| name == label))
            .map(|(_, name)| name.as_str())
            .ok_or_else(|| TrainingError::UnknownLabel {
                at: at.clone(),
                label: label.to_owned(),
                known: self.names.iter().map(|(code, _)| code.clone()).collect(),
            })
    }

    fn order(&self, name: &str) -> usize {
        self.names.iter().position(|(_, known)| known == name).unwrap_or(usize::MAX)
    }
}

/// A task's labels in the order of its head's outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSet {
    names: Vec<String>,
    index: HashMap<String, usize>,
}

impl LabelSet {
    /// These labels, in this order.
    pub fn new(names: Vec<String>) -> Self {
        let index = names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        Self { names, index }
    }

    /// The labels of these rows: in the order of their names' file, else numbers by value, else by alphabet.
    pub(super) fn of(rows: &[Row], names: Option<&LabelNames>) -> Self {
        let distinct: BTreeSet<&str> = rows.iter().flat_map(Row::labels).collect();
        let mut labels: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
        if let Some(names) = names {
            labels.sort_by_key(|label| names.order(label));
        } else if labels.iter().all(|label| label.parse::<i64>().is_ok()) {
            labels.sort_by_key(|label| label.parse::<i64>().unwrap_or(i64::MAX));
        }
        Self::new(labels)
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The labels, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A target in words, as a digest of the data has it.
    pub(super) fn written(&self, target: &Target) -> String {
        match target {
            Target::Label(label) => self.names[*label].clone(),
            Target::Contested { label, agreement } => format!("{}{BETWEEN}{agreement}", self.names[*label]),
            Target::Labels(labels) => self.joined(labels, &BETWEEN.to_string()),
            Target::Tags(tags) => self.joined(tags, " "),
            Target::Value(value) => value.to_string(),
        }
    }

    fn joined(&self, labels: &[usize], between: &str) -> String {
        labels.iter().map(|label| &*self.names[*label]).collect::<Vec<_>>().join(between)
    }

    /// The index of one of these labels.
    pub(super) fn position(&self, label: &str) -> Option<usize> {
        self.index.get(label).copied()
    }

    /// What the head of these labels should answer to a row.
    ///
    /// # Errors
    ///
    /// [`TrainingError::UnknownLabel`], and [`TrainingError::Row`] where there should be a number and is none.
    pub fn target(&self, row: &Row, kind: TaskKind) -> Result<Target, TrainingError> {
        match kind {
            TaskKind::SingleLabel => {
                let (label, agreement) = (self.index_of(row)?, row.agreement);
                Ok(if agreement < 1.0 { Target::Contested { label, agreement } } else { Target::Label(label) })
            }
            TaskKind::MultiLabel => {
                let mut labels = row.labels().map(|label| self.index(label, row)).collect::<Result<Vec<_>, _>>()?;
                labels.sort_unstable();
                labels.dedup();
                Ok(Target::Labels(labels.into()))
            }
            TaskKind::Tokens => tagged::target(row, self),
            TaskKind::Regression => match row.label.parse() {
                Ok(value) => Ok(Target::Value(value)),
                Err(_) => Err(TrainingError::Row {
                    at: row.at.clone(),
                    field: "label".to_owned(),
                    message: format!("{:?} is no number", row.label),
                }),
            },
        }
    }

    /// The index of a row's one label. Where no label is a number, a number is taken for the index itself, as Hugging Face's
    /// data sets write labels.
    pub fn index_of(&self, row: &Row) -> Result<usize, TrainingError> {
        self.index(&row.label, row)
    }

    fn index(&self, label: &str, row: &Row) -> Result<usize, TrainingError> {
        if let Some(index) = self.position(label) {
            return Ok(index);
        }
        let by_number = label.parse::<usize>().ok().filter(|index| *index < self.names.len());
        let numbered = self.names.iter().any(|name| name.parse::<f64>().is_ok());
        by_number.filter(|_| !numbered).ok_or_else(|| TrainingError::UnknownLabel {
            at: row.at.clone(),
            label: label.to_owned(),
            known: self.names.clone(),
        })
    }
}

/// Two labels that only differ in case or inner spaces.
pub(super) struct LookAlikes<'a> {
    pub(super) first: Met<'a>,
    pub(super) second: Met<'a>,
}

/// A label and the place where it was met first.
#[derive(Clone, Copy)]
pub(super) struct Met<'a> {
    pub(super) label: &'a str,
    pub(super) at: &'a Location,
}

/// The labels that look like one met before, in the rows' order.
pub(super) fn look_alikes(rows: &[Row]) -> Vec<LookAlikes<'_>> {
    let mut met: HashSet<&str> = HashSet::new();
    let mut folded: HashMap<String, Met<'_>> = HashMap::new();
    let mut found = Vec::new();
    for (label, row) in rows.iter().flat_map(|row| row.labels().map(move |label| (label, row))) {
        if !met.insert(label) {
            continue;
        }
        let this = Met { label, at: &row.at };
        let form = label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        match folded.entry(form) {
            Entry::Occupied(first) => found.push(LookAlikes { first: *first.get(), second: this }),
            Entry::Vacant(place) => _ = place.insert(this),
        }
    }
    found
}

/// Refuses labels that only differ in case or inner spaces: one of them is a slip.
pub(super) fn refuse_look_alikes(rows: &[Row]) -> Result<(), TrainingError> {
    match look_alikes(rows).first() {
        None => Ok(()),
        Some(LookAlikes { first, second }) => Err(TrainingError::LookAlikeLabels {
            first: first.label.to_owned(),
            first_at: first.at.clone(),
            second: second.label.to_owned(),
            second_at: second.at.clone(),
        }),
    }
}
