//! A model that is trained to be asked and then forgotten: what cross-validation and a search need.

use std::path::Path;
use std::time::Instant;

use super::{Trainer, identity};
use crate::checkpoint::{Checkpoints, Keeper};
use crate::dataset::{self, TaskData};
use crate::error::TrainingError;
use crate::metrics::HeadReport;
use crate::run::{TaskKind, TrainingRun};

/// Probabilities are rounded to so many parts: files stay small, and what is read from them is what was written.
const PARTS: f64 = 1e7;

/// A task's test side, judged.
pub(crate) struct Score {
    /// In the figures of its kind.
    pub(crate) report: HeadReport,
    /// `[rows, labels]`; of rows that have one label each, else nothing.
    pub(crate) probabilities: Vec<Vec<f64>>,
}

/// Trains, and judges each task's test side. Nothing is written.
pub(crate) fn train_and_score(run: &TrainingRun, base: &Path, data: &[TaskData]) -> Result<Vec<Score>, TrainingError> {
    let trainer = Trainer::new(run, base, data)?;
    trainer.fit(None, None)?;
    (0..data.len()).map(|task| trainer.score(task)).collect()
}

/// Trains, going on from the checkpoint if there is one, and answers with each task's score on its validation side. No model
/// is written.
pub(crate) fn train_and_validate(
    run: &TrainingRun,
    base: &Path,
    data: &[TaskData],
    checkpoints: &Checkpoints,
) -> Result<Vec<f64>, TrainingError> {
    let identity = identity(run, base, &dataset::digest(data))?;
    let keeper = Keeper::new(checkpoints, identity, Instant::now());
    let history = Trainer::new(run, base, data)?.fit(Some(keeper), None)?;
    Ok(history.validation.iter().map(HeadReport::score).collect())
}

impl Trainer<'_> {
    fn score(&self, task: usize) -> Result<Score, TrainingError> {
        let (data, samples) = (&self.data[task], &self.samples[task].test);
        let answers = self.answers(task, samples)?;
        let probabilities = match data.kind {
            TaskKind::SingleLabel => answers.iter().map(|logits| softmax(logits)).collect(),
            TaskKind::MultiLabel | TaskKind::Regression | TaskKind::Tokens => Vec::new(),
        };
        Ok(Score { report: self.report(task, samples, &answers), probabilities })
    }
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|logit| f64::from(logit - highest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| (power / sum * PARTS).round() / PARTS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_counted_by_hand() {
        assert_eq!(softmax(&[2f32.ln(), 0.0, 0.0]), [0.5, 0.25, 0.25]);
        assert_eq!(softmax(&[1000.0, -1000.0]), [1.0, 0.0]);
        assert_eq!(softmax(&[0.0; 3]), [0.333_333_3; 3]);
    }
}
