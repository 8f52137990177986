//! From rows as they stand in files to one task's training, validation and test sides.

mod cleaning;
mod labels;
mod split;

use std::collections::{HashMap, HashSet};

pub use cleaning::{Cleaning, Row, key, read_rows};
pub use labels::{LabelNames, LabelSet};

use crate::error::TrainingError;
use crate::run::{Split, Task};
use crate::source::DataSource;

/// The least distinct rows of a label: one to validate, one to test and five to learn from.
pub const MINIMUM_ROWS: usize = 7;

/// A text and the index of its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The cleaned text.
    pub text: String,
    /// Its label's index in [`TaskData::labels`].
    pub label: usize,
}

/// One task's data, cleaned and split. No text stands on two sides.
#[derive(Debug, Clone)]
pub struct TaskData {
    /// The task's, and so the head's, name.
    pub name: String,
    /// The labels, in the order of the head's outputs.
    pub labels: LabelSet,
    /// What is learned from.
    pub train: Vec<Example>,
    /// What chooses the epoch.
    pub validation: Vec<Example>,
    /// What is reported.
    pub test: Vec<Example>,
    /// What cleaning met.
    pub cleaning: Cleaning,
    /// SHA-256 over the cleaned rows of all sides, in order.
    pub digest: String,
}

impl TaskData {
    /// Reads, cleans and splits a task's files. `seed` decides which rows fall on which side.
    pub fn load(task: &Task, seed: u64) -> Result<Self, TrainingError> {
        let names = task.label_names.as_deref().map(LabelNames::load).transpose()?;
        let mut cleaning = Cleaning::default();
        let mut read = |sources: &[DataSource]| -> Result<Vec<Row>, TrainingError> {
            let mut rows = Vec::new();
            for source in sources {
                rows.extend(read_rows(source, names.as_ref(), &mut cleaning)?);
            }
            Ok(rows)
        };
        let (rows, validation, test) = (read(&task.data)?, read(&task.validation)?, read(&task.test)?);
        let held_out: HashSet<String> = validation.iter().chain(&test).map(|row| key(&row.text)).collect();
        let before = rows.len();
        let mut rows = rows;
        rows.retain(|row| !held_out.contains(&key(&row.text)));
        cleaning.repeats_of_held_out += before - rows.len();
        labels::refuse_look_alikes(&rows)?;
        let rows = cleaning::without_duplicates(rows, &mut cleaning);

        let labels = LabelSet::of(&rows, names.as_ref());
        Self::check_classes(task, &labels, &rows)?;
        let side = |rows: &[Row]| -> Result<Vec<Example>, TrainingError> {
            rows.iter().map(|row| Ok(Example { text: row.text.clone(), label: labels.index_of(row)? })).collect()
        };
        let shares = Split {
            validation: if validation.is_empty() { task.split.validation } else { 0.0 },
            test: if test.is_empty() { task.split.test } else { 0.0 },
        };
        let sides = split::stratified(side(&rows)?, &shares, labels.len(), seed);
        let mut data = Self {
            name: task.name.clone(),
            train: sides.train,
            validation: if validation.is_empty() { sides.validation } else { side(&validation)? },
            test: if test.is_empty() { sides.test } else { side(&test)? },
            labels,
            cleaning,
            digest: String::new(),
        };
        data.digest = data.content_digest();
        Ok(data)
    }

    fn check_classes(task: &Task, labels: &LabelSet, rows: &[Row]) -> Result<(), TrainingError> {
        if labels.len() < 2 {
            let files: Vec<_> = task.data.iter().map(|source| source.path.display().to_string()).collect();
            return Err(TrainingError::OneClass {
                task: task.name.clone(),
                label: labels.names().first().cloned(),
                files: files.join(", "),
            });
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for row in rows {
            *counts.entry(&row.label).or_default() += 1;
        }
        for label in labels.names() {
            let rows = counts.get(label.as_str()).copied().unwrap_or(0);
            if rows < MINIMUM_ROWS {
                return Err(TrainingError::TooFewRows {
                    task: task.name.clone(),
                    label: label.clone(),
                    rows,
                    minimum: MINIMUM_ROWS,
                });
            }
        }
        Ok(())
    }

    fn content_digest(&self) -> String {
        let mut content = String::new();
        for (side, rows) in [("train", &self.train), ("validation", &self.validation), ("test", &self.test)] {
            for row in rows {
                content.push_str(&format!("{side}\t{}\t{}\n", self.labels.names()[row.label], row.text));
            }
        }
        foundation::digest::sha256(content.as_bytes())
    }
}

#[cfg(test)]
mod tests;
