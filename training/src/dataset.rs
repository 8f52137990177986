//! From rows as they stand in files to one task's training, validation and test sides.

pub mod card;
mod cleaning;
mod labels;
mod split;

use std::collections::{HashMap, HashSet};

pub use cleaning::{Cleaning, Row, key, plain, read_rows};
pub use labels::{LabelNames, LabelSet};

use crate::error::TrainingError;
use crate::run::{Split, Task};
use crate::source::DataSource;
use split::Side;

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

/// A task's rows, cleaned but with duplicates.
struct TaskRows {
    names: Option<LabelNames>,
    data: Vec<Row>,
    validation: Vec<Row>,
    test: Vec<Row>,
    cleaning: Cleaning,
}

impl TaskData {
    /// Reads, cleans and splits the tasks' files. `seed` decides which rows fall on which side.
    ///
    /// Tasks share one encoder, so a text that several tasks label falls on the same side in all of them; the first task's
    /// split leads.
    pub fn load(tasks: &[Task], seed: u64) -> Result<Vec<Self>, TrainingError> {
        let rows = tasks.iter().map(TaskRows::read).collect::<Result<Vec<_>, _>>()?;
        let files = rows.iter().flat_map(|rows| rows.validation.iter().chain(&rows.test));
        let held_out: HashSet<String> = files.map(|row| key(&row.text)).collect();
        let mut taken = HashMap::new();
        tasks
            .iter()
            .zip(rows)
            .map(|(task, mut rows)| {
                let before = rows.data.len();
                rows.data.retain(|row| !held_out.contains(&key(&row.text)));
                rows.cleaning.repeats_of_held_out += before - rows.data.len();
                Self::split(task, rows, seed, &mut taken)
            })
            .collect()
    }

    fn split(task: &Task, rows: TaskRows, seed: u64, taken: &mut HashMap<String, Side>) -> Result<Self, TrainingError> {
        let TaskRows { names, data, validation, test, mut cleaning } = rows;
        labels::refuse_look_alikes(&data)?;
        let data = cleaning::without_duplicates(data, &mut cleaning);
        let labels = LabelSet::of(&data, names.as_ref());
        Self::check_classes(task, &labels, &data)?;
        let examples = |rows: &[Row]| -> Result<Vec<Example>, TrainingError> {
            rows.iter().map(|row| Ok(Example { text: row.text.clone(), label: labels.index_of(row)? })).collect()
        };
        let shares = Split {
            validation: if validation.is_empty() { task.split.validation } else { 0.0 },
            test: if test.is_empty() { task.split.test } else { 0.0 },
        };
        let sides = split::stratified(examples(&data)?, &shares, labels.len(), seed, taken);
        cleaning.repeats_of_held_out += sides.left_out;
        let mut data = Self {
            name: task.name.clone(),
            train: sides.train,
            validation: if validation.is_empty() { sides.validation } else { examples(&validation)? },
            test: if test.is_empty() { sides.test } else { examples(&test)? },
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

impl TaskRows {
    fn read(task: &Task) -> Result<Self, TrainingError> {
        let names = task.label_names.as_deref().map(LabelNames::load).transpose()?;
        let mut cleaning = Cleaning::default();
        let mut read = |sources: &[DataSource]| -> Result<Vec<Row>, TrainingError> {
            let mut rows = Vec::new();
            for source in sources {
                rows.extend(read_rows(source, &[], names.as_ref(), &mut cleaning)?);
            }
            Ok(rows)
        };
        let (data, validation, test) = (read(&task.data)?, read(&task.validation)?, read(&task.test)?);
        Ok(Self { names, data, validation, test, cleaning })
    }
}

#[cfg(test)]
mod tests;
