//! What a training run leaves behind beside the weights: `report.json`.

use std::fmt;

use inference::cleaning::TextRules;
use serde::{Deserialize, Serialize};

use crate::dataset::Cleaning;
use crate::engine::ParameterCounts;
use crate::metrics::HeadReport;
use crate::run::{Hyperparameters, TaskKind};

/// The version of `report.json`.
pub(crate) const REPORT_VERSION: u32 = 1;

/// A finished run: what it was fed, how it went, and how good the kept weights are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// The version of this layout: 1.
    pub version: u32,
    /// The model's name.
    pub name: String,
    /// The base encoder's name.
    pub base: String,
    /// The seed.
    pub seed: u64,
    /// The hyper-parameters.
    pub hyperparameters: Hyperparameters,
    /// How many parameters learned, of how many.
    #[serde(default)]
    pub parameters: ParameterCounts,
    /// SHA-256 over the tasks' cleaned rows.
    pub data_digest: String,
    /// What was done to the texts of all tasks, and the model does to those that it is asked about.
    #[serde(default)]
    pub text_cleaning: TextRules,
    /// Whether the model reads pairs of texts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub text_pair: bool,
    /// Each task's data and quality.
    pub tasks: Vec<TaskReport>,
    /// Each epoch that ran.
    pub epochs: Vec<EpochReport>,
    /// The epoch whose weights are kept, from 1: the best on the validation sides, or the last if training ran to its end.
    pub best_epoch: usize,
    /// Rows learned from, R-Drop's second runs not counted, a second of training steps.
    pub samples_per_second: f64,
    /// The whole run, validation included.
    pub seconds: f64,
}

/// One task's part of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// The task's and head's name.
    pub name: String,
    /// What an answer is.
    #[serde(default)]
    pub kind: TaskKind,
    /// The labels, in the order of the head's outputs.
    pub labels: Vec<String>,
    /// Rows learned from.
    pub train_rows: usize,
    /// What cleaning met.
    pub cleaning: Cleaning,
    /// The kept weights on the validation side.
    pub validation: HeadReport,
    /// The kept weights on the test side.
    pub test: HeadReport,
}

/// One pass over the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// From 1.
    pub epoch: usize,
    /// The mean training loss.
    pub loss: f64,
    /// Each task's [`HeadReport::score`] on its validation side, in the tasks' order.
    #[serde(alias = "validation_macro_f1")]
    pub validation_scores: Vec<f64>,
    /// Training steps alone.
    pub seconds: f64,
}

impl fmt::Display for TrainingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for task in &self.tasks {
            writeln!(
                f,
                "{}: {} for training, {} for validation, {} for test; {}",
                task.name,
                task.train_rows,
                task.validation.rows(),
                task.test.rows(),
                task.cleaning
            )?;
        }
        let ParameterCounts { learning, all } = self.parameters;
        if learning < all {
            let share = 100.0 * learning as f64 / all as f64;
            writeln!(f, "{learning} of {all} parameters learned ({share:.2} %)")?;
        }
        match self.hyperparameters.soup {
            1 => write!(f, "kept epoch {} of {}", self.best_epoch, self.epochs.len())?,
            fits => write!(f, "kept the mean of {fits} fits of {} epochs", self.hyperparameters.epochs)?,
        }
        writeln!(f, "; {:.0} rows/s; {:.0} s in all", self.samples_per_second, self.seconds)?;
        for task in &self.tasks {
            writeln!(f, "\n{}", task.test)?;
        }
        Ok(())
    }
}
