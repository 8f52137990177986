//! The labels of one task: their order, their names, and the traps in them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::{Row, Target};
use crate::error::{Location, TrainingError};
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
        let distinct: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
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
            Target::Label(_) | Target::Tags(_) => {
                target.labels().iter().map(|label| &*self.names[*label]).collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// The index of a label.
    pub(super) fn position(&self, label: &str) -> Option<usize> {
        self.index.get(label).copied()
    }

    /// The index of a row's label. Where no label is a number, a number is taken for the index itself, as Hugging Face's
    /// data sets write labels.
    pub fn index_of(&self, row: &Row) -> Result<usize, TrainingError> {
        if let Some(&index) = self.index.get(&row.label) {
            return Ok(index);
        }
        let by_number = row.label.parse::<usize>().ok().filter(|index| *index < self.names.len());
        let numbered = self.names.iter().any(|name| name.parse::<f64>().is_ok());
        by_number.filter(|_| !numbered).ok_or_else(|| TrainingError::UnknownLabel {
            at: row.at.clone(),
            label: row.label.clone(),
            known: self.names.clone(),
        })
    }
}

/// Two labels that only differ in case or inner spaces, each with the place where it was met first.
pub(super) struct LookAlikes<'a> {
    pub(super) first: &'a Row,
    pub(super) second: &'a Row,
}

/// The labels that look like one met before, in the rows' order.
pub(super) fn look_alikes(rows: &[Row]) -> Vec<LookAlikes<'_>> {
    let mut met: HashSet<&str> = HashSet::new();
    let mut folded: HashMap<String, &Row> = HashMap::new();
    let mut found = Vec::new();
    for row in rows {
        if !met.insert(&row.label) {
            continue;
        }
        let form = row.label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        match folded.entry(form) {
            Entry::Occupied(first) => found.push(LookAlikes { first: first.get(), second: row }),
            Entry::Vacant(place) => _ = place.insert(row),
        }
    }
    found
}

/// Refuses labels that only differ in case or inner spaces: one of them is a slip.
pub(super) fn refuse_look_alikes(rows: &[Row]) -> Result<(), TrainingError> {
    match look_alikes(rows).first() {
        None => Ok(()),
        Some(LookAlikes { first, second }) => Err(TrainingError::LookAlikeLabels {
            first: first.label.clone(),
            first_at: first.at.clone(),
            second: second.label.clone(),
            second_at: second.at.clone(),
        }),
    }
}
