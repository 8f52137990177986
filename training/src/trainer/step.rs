//! One step: the gradients of its batches added up, then the weights moved.

use super::Trainer;
use super::pass::Pass;
use super::sampler::Batch;
use crate::dataset::TaskData;
use crate::distillation::Distillation;
use crate::engine::{Distilled, Objective, Optimizer, Schedule};
use crate::error::TrainingError;
use crate::run::TrainingRun;

/// What each task's head makes small.
pub(super) fn objectives(run: &TrainingRun, data: &[TaskData]) -> Vec<Objective> {
    let objective = |(task, data): (&crate::run::Task, &TaskData)| {
        let mut rows = vec![0; data.labels.len()];
        let labels = data.train.iter().flat_map(|example| example.target.labels());
        labels.for_each(|label| rows[*label] += 1);
        Objective {
            kind: data.kind,
            label_smoothing: run.hyperparameters.label_smoothing,
            // Contrast compares rows with each other, not with themselves.
            r_drop: if run.few_shot.is_some() { 0.0 } else { run.hyperparameters.r_drop },
            loss: match &run.distillation {
                Some(Distillation { temperature, .. }) => {
                    Box::new(Distilled { labels: task.loss.build(data.kind, &rows), temperature: *temperature })
                }
                None => task.loss.build(data.kind, &rows),
            },
        }
    };
    run.tasks.iter().zip(data).map(objective).collect()
}

impl Trainer<'_> {
    /// Takes one step over `batches`, as if they were one. Returns the mean loss of their heads, and what
    /// holding old weights costs; none if the loss or the
    /// gradient is not a number.
    pub(super) fn step(
        &self,
        batches: &[Batch],
        step: usize,
        schedule: &Schedule,
        optimizer: &mut Optimizer,
    ) -> Result<Option<f64>, TrainingError> {
        let settings = self.settings();
        let rows: usize = batches.iter().map(|batch| batch.rows.len()).sum();
        let mut loss = 0.0;
        for (place, batch) in batches.iter().enumerate() {
            let share = batch.rows.len() as f64 / rows as f64;
            // What companions add to a step has numbers of its own.
            let number = match place < settings.accumulation {
                true => (step * settings.accumulation + place) as u64,
                false => ((place as u64) << 40) + step as u64,
            };
            let pass = Pass::new(self, batch, number, share)?;
            loss += share
                * match &settings.adversarial {
                    Some(adversarial) => adversarial.learn(&pass)?,
                    None => pass.learn_plainly()?,
                };
        }
        if let Some(consolidation) = &self.consolidation {
            loss += consolidation.pull(&self.model.parameters());
        }
        if !loss.is_finite() {
            return Ok(None);
        }
        self.model.before_step();
        let step = schedule.place(step);
        let norm = optimizer.step(&self.model.parameters(), settings.learning_rate * schedule.factor(step));
        self.model.after_step(step, schedule.total);
        Ok(norm.is_finite().then_some(loss))
    }
}

#[cfg(test)]
mod tests;
