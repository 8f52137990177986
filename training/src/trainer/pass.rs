//! A batch's way forward to its loss and back, as often as a step wants it.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var};

use super::Trainer;
use super::adversary::Offsets;
use super::groups::Row;
use super::lessons;
use super::mixup::Mixing;
use super::reading::Reading;
use super::sampler::Batch;
use crate::dataset::Target;
use crate::engine::{InfoNce, Mode, PackedBatch, Parameter};
use crate::error::TrainingError;
use crate::few_shot::FewShot;
use crate::random::Random;

/// A batch that is being learned. Its dropout, its blend and its random offsets are decided by its number.
pub(super) struct Pass<'a> {
    trainer: &'a Trainer<'a>,
    tasks: &'a [usize],
    rows: Vec<&'a Row>,
    packed: Arc<PackedBatch>,
    mixing: Option<Mixing>,
    /// The batch's number in the run, from 0.
    number: u64,
    /// What its gradient counts in the step's.
    share: f64,
}

/// What came of going forward and back.
pub(super) struct Outcome {
    /// The mean loss of the heads.
    pub(super) loss: f64,
    /// The loss' slope in the offsets of word vectors, up to a factor.
    pub(super) slope: Vec<f32>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        trainer: &'a Trainer<'a>,
        batch: &Batch,
        number: u64,
        share: f64,
    ) -> std::result::Result<Self, TrainingError> {
        let (settings, group) = (trainer.settings(), &trainer.groups[batch.group]);
        let rows: Vec<&Row> = batch.rows.iter().map(|row| &group.rows[*row]).collect();
        let runs = trainer.objectives.first().map_or(1, |objective| objective.runs());
        let drawn = trainer.drawn(&rows, number)?;
        let readings = rows.iter().zip(&drawn).map(|(row, drawn)| drawn.as_ref().unwrap_or(&row.reading));
        let sequences = readings.map(Reading::sequence);
        let packed = Arc::new(PackedBatch::read_at(sequences.cycle().take(rows.len() * runs)));
        let mut pass = Self { trainer, tasks: &group.tasks, rows, packed, mixing: None, number, share };
        if settings.mixup > 0.0 {
            let mut random = pass.stream("mixup");
            pass.mixing = Some(Mixing::draw(settings.mixup, pass.packed.read().len() / runs, runs, &mut random));
        }
        Ok(pass)
    }

    /// Learns the rows as they are, and returns their loss.
    pub(super) fn learn_plainly(&self) -> Result<f64> {
        let loss = self.loss(&self.packed)?;
        (&loss * self.share)?.backward()?;
        self.value(&loss)
    }

    /// Learns the rows with their word vectors moved, with a share of this batch's weight.
    pub(super) fn learn(&self, offsets: &Offsets, share: f64) -> Result<Outcome> {
        let moved = self.variable(offsets)?;
        let loss = self.loss(&Arc::new(self.packed.moved(moved.clone())))?;
        let slopes = (&loss * (self.share * share))?.backward()?;
        let slope = match slopes.get(&moved) {
            Some(slope) => slope.flatten_all()?.to_vec1()?,
            None => vec![0.0; offsets.values.len()],
        };
        Ok(Outcome { loss: self.value(&loss)?, slope })
    }

    /// The loss' slope in the offsets; nothing is learned.
    pub(super) fn slope(&self, offsets: &Offsets) -> Result<Vec<f32>> {
        let _resting = Resting::new(self.trainer.model.parameters());
        Ok(self.learn(offsets, 1.0)?.slope)
    }

    /// Offsets that leave word vectors in place.
    pub(super) fn offsets(&self) -> Offsets {
        Offsets::zero(&self.packed, self.trainer.config.hidden_size)
    }

    /// The batch's random numbers for its first offsets.
    pub(super) fn random(&self) -> Random {
        self.stream("adversary")
    }

    fn stream(&self, name: &str) -> Random {
        Random::new(self.trainer.run.seed, &format!("{name} {}", self.number))
    }

    fn variable(&self, offsets: &Offsets) -> Result<Var> {
        let shape = (self.packed.tokens().len(), self.trainer.config.hidden_size);
        Var::from_vec(offsets.values.clone(), shape, &Device::Cpu)
    }

    /// The sum of the heads' losses: every label weighs the same, however many of them a row has. Of a run with few rows a label,
    /// how far rows of one label are apart beside those of others; heads have no part in it.
    fn loss(&self, packed: &Arc<PackedBatch>) -> Result<Tensor> {
        let Trainer { run, model, .. } = self.trainer;
        let dropout = run.hyperparameters.dropout as f32;
        let pooled = model.encode(packed, Mode::Training { seed: run.seed, step: self.number, dropout })?;
        if let Some(FewShot { temperature }) = run.few_shot {
            let labels: Vec<usize> = self.rows.iter().filter_map(|row| row.targets.first()?.label()).collect();
            return InfoNce { temperature }.mean(&pooled, &labels);
        }
        let hidden = self.hidden(&pooled)?;
        let pooled = self.blend(pooled)?;
        let losses = self.tasks.iter().enumerate().map(|(place, task)| {
            let objective = &self.trainer.objectives[*task];
            let logits = model.logits(&pooled, *task)?;
            let targets: Vec<&Target> = self.rows.iter().map(|row| &row.targets[place]).collect();
            let wanted = lessons::join(objective.wanted(&targets, logits.dim(1)?)?, &self.rows, place)?;
            let wanted = self.blend(wanted)?;
            objective.loss(&logits, &wanted)
        });
        Tensor::stack(&losses.chain(hidden.map(Ok)).collect::<Result<Vec<_>>>()?, 0)?.sum_all()
    }

    /// How far the states of teachers are, by the weight of that.
    fn hidden(&self, pooled: &Tensor) -> Result<Option<Tensor>> {
        let Trainer { run, model, .. } = self.trainer;
        let Some(guessed) = model.project(pooled).transpose()? else { return Ok(None) };
        let weight = run.distillation.as_ref().map_or(0.0, |distillation| distillation.hidden);
        lessons::distance(&guessed, &self.rows).map(|distance| distance? * weight).transpose()
    }

    fn blend(&self, rows: Tensor) -> Result<Tensor> {
        match &self.mixing {
            Some(mixing) => mixing.blend(&rows),
            None => Ok(rows),
        }
    }

    fn value(&self, loss: &Tensor) -> Result<f64> {
        Ok(f64::from(loss.to_scalar::<f32>()?) / self.tasks.len() as f64)
    }
}

/// Parameters that do not learn for a while.
struct Resting<'a>(Vec<&'a Parameter>);

impl<'a> Resting<'a> {
    fn new(mut parameters: Vec<&'a Parameter>) -> Self {
        parameters.retain(|parameter| parameter.learns());
        parameters.iter().for_each(|parameter| parameter.set_learning(false));
        Self(parameters)
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|parameter| parameter.set_learning(true));
    }
}
