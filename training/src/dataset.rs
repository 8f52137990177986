//! From rows as they stand in files to one task's training, validation and test sides.

mod apart;
pub mod card;
mod classes;
mod clean;
mod cleaning;
mod few;
mod folds;
mod forest;
mod label_reading;
mod labels;
mod languages;
mod near_duplicates;
mod pairing;
mod people;
mod preparation;
mod rules;
mod split;
pub(crate) mod tagged;
mod target;

pub(crate) use apart::{read_apart, read_unlabelled};
pub use clean::{CleanRequest, clean};
pub use cleaning::{Cleaning, Row, key, read_rows};
pub use folds::{FoldedTask, Folds};
pub use label_reading::LabelReading;
pub use labels::{LabelNames, LabelSet};
pub use languages::Languages;
pub use people::People;
pub use rules::CleaningRules;
pub use target::Target;

use inference::pair;

use crate::error::TrainingError;
use crate::run::{Task, TaskKind};
use preparation::Prepared;
pub(crate) use split::place_of;
use split::{Shares, Splitting, Taken};

/// The least distinct rows of a label: one to validate, one to test and five to learn from.
pub const MINIMUM_ROWS: usize = 7;

/// A text and what its head should answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The cleaned text, or [`pair`] of texts.
    pub text: String,
    /// In it labels are indices into [`TaskData::labels`].
    pub target: Target,
}

/// One task's data, cleaned and split. No text stands on two sides.
#[derive(Debug, Clone)]
pub struct TaskData {
    /// The task's, and so the head's, name.
    pub name: String,
    /// What an answer is.
    pub kind: TaskKind,
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
    /// Reads, cleans and splits the tasks' files. `seed` decides which rows fall on which side, where the split leaves it to a
    /// seed.
    ///
    /// Tasks share one encoder, so a text that several tasks label falls on the same side in all of them; the first task's
    /// split leads.
    pub fn load(tasks: &[Task], seed: u64) -> Result<Vec<Self>, TrainingError> {
        let mut taken = Taken::default();
        let prepared = preparation::prepare(tasks, &[])?;
        tasks.iter().zip(prepared).map(|(task, prepared)| Self::split(task, prepared, seed, &mut taken)).collect()
    }

    fn split(task: &Task, prepared: Prepared, seed: u64, taken: &mut Taken) -> Result<Self, TrainingError> {
        let examples = prepared.examples(&prepared.rows)?;
        let targets: Vec<Target> = examples.iter().map(|example| example.target.clone()).collect();
        let shares = Shares {
            validation: if prepared.validation.is_empty() { task.split.validation } else { 0.0 },
            test: if prepared.test.is_empty() { task.split.test } else { 0.0 },
        };
        let (by, rows) = (&task.split.by, &prepared.rows);
        let sides =
            Splitting { task: &task.name, by, rows, targets: &targets, shares, seed }.split(&prepared.labels, taken)?;
        let side = |rows: &[usize]| rows.iter().map(|row| examples[*row].clone()).collect::<Vec<_>>();
        let of_file = |file: &[Row], rows: &[usize]| {
            if file.is_empty() { Ok(side(rows)) } else { prepared.examples(file) }
        };
        let train = match task.split.rows_per_label {
            Some(most) => few::of_each(side(&sides.train), most, seed),
            None => side(&sides.train),
        };
        let mut data = Self {
            name: task.name.clone(),
            kind: task.kind,
            train,
            validation: of_file(&prepared.validation, &sides.validation)?,
            test: of_file(&prepared.test, &sides.test)?,
            labels: prepared.labels.clone(),
            cleaning: prepared.cleaning,
            digest: String::new(),
        };
        data.cleaning.repeats_of_held_out += sides.left_out;
        data.digest = data.content_digest();
        Ok(data)
    }

    fn content_digest(&self) -> String {
        let mut content = String::new();
        for (side, rows) in [("train", &self.train), ("validation", &self.validation), ("test", &self.test)] {
            for row in rows {
                content.push_str(&format!("{side}\t{}\t{}\n", self.labels.written(&row.target), row.text));
            }
        }
        foundation::digest::sha256(content.as_bytes())
    }
}

/// Whether the rows are pairs of texts; those of one run all are, or none is.
pub(crate) fn are_pairs(tasks: &[TaskData]) -> bool {
    tasks.iter().flat_map(|task| &task.train).next().is_some_and(|example| pair::split(&example.text).is_some())
}

/// SHA-256 over the rows of all tasks, side by side.
pub(crate) fn digest(tasks: &[TaskData]) -> String {
    let digests: Vec<&str> = tasks.iter().map(|task| task.digest.as_str()).collect();
    foundation::digest::sha256(digests.join("\n").as_bytes())
}

#[cfg(test)]
mod kind_tests;
#[cfg(test)]
mod tests;
