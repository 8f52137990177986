//! Rows as a model judges them that has not seen them: what cross-validation leaves, and what a label audit reads.

mod file;

use crate::error::{Location, TrainingError};
use crate::evaluation::Predictions;

pub use file::{OutOfFoldFile, read_files};

/// One task's rows, each judged by a model that has not seen it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfFold {
    /// The task's name.
    pub task: String,
    /// The labels, in the order of the probabilities.
    pub labels: Vec<String>,
    /// The rows.
    pub rows: Vec<JudgedRow>,
}

/// A labelled row and what a model says of it that has not seen it.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedRow {
    /// The fold that the row was held out in, from 1.
    pub fold: usize,
    /// Where it stands.
    pub at: Location,
    /// The cleaned text.
    pub text: String,
    /// The index of its given label.
    pub label: usize,
    /// One for each label; they sum to 1.
    pub probabilities: Vec<f64>,
}

impl OutOfFold {
    /// The rows of these folds, or of all, as predictions.
    ///
    /// # Errors
    ///
    /// [`TrainingError::NotProbabilities`] for a row with something else.
    pub fn predictions(&self, fold: Option<usize>) -> Result<Predictions, TrainingError> {
        let mut predictions = Predictions::new(&self.task, &self.labels);
        for row in self.rows.iter().filter(|row| fold.is_none_or(|fold| fold == row.fold)) {
            predictions.push(row.label, row.probabilities.iter().copied(), &row.at)?;
        }
        Ok(predictions)
    }

    /// The folds that have rows, in order.
    pub fn folds(&self) -> Vec<usize> {
        let mut folds: Vec<usize> = self.rows.iter().map(|row| row.fold).collect();
        folds.sort_unstable();
        folds.dedup();
        folds
    }
}
