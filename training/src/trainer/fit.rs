//! The loop over epochs and steps, and all that changes while it runs.

use std::time::Instant;

use foundation::progress::{Progress, Unit};
use serde::{Deserialize, Serialize};

use super::Trainer;
use super::companions::Companions;
use super::curves::{Curves, Watcher};
use super::partners::Partners;
use super::sampler::{Batch, Sampler};
use crate::checkpoint::{Keeper, State};
use crate::engine::{Optimizer, Schedule};
use crate::error::TrainingError;
use crate::metrics::HeadReport;
use crate::report::EpochReport;
use crate::run::Hyperparameters;

/// How the fitting went.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct History {
    pub(super) epochs: Vec<EpochReport>,
    pub(super) best_epoch: usize,
    /// The score of the weights that are kept.
    best_score: f64,
    /// Each task's validation side in the epoch that is kept.
    pub(super) validation: Vec<HeadReport>,
    pub(super) rows: usize,
    pub(super) step_seconds: f64,
    /// The time that the run had taken when it was interrupted, as far as it goes on from there.
    pub(super) earlier_seconds: f64,
}

/// A fitting that runs.
struct Fit<'t, 'a, 'w> {
    trainer: &'t Trainer<'a>,
    schedule: Schedule,
    state: State<History>,
    keeper: Option<Keeper<'t>>,
    curves: Curves<'w>,
    progress: Progress,
}

impl Trainer<'_> {
    /// How the weights do on each task's validation side.
    fn validation(&self) -> Result<Vec<HeadReport>, TrainingError> {
        (0..self.data.len()).map(|task| self.measure(task, &self.samples[task].validation)).collect()
    }

    /// Runs epochs until they end or stop helping, and leaves one epoch's weights in the model: the best one's if they stopped
    /// helping, else the last one's, whose rate has fallen to zero. On a few hundred rows, validation tells single epochs of a
    /// rate that is still high apart by chance (Mosbach and others, "On the Stability of Fine-tuning BERT", 2021).
    ///
    /// Goes on from the keeper's checkpoint if there is one; what comes out is the same.
    pub(super) fn fit(
        &self,
        mut keeper: Option<Keeper<'_>>,
        watcher: Option<Watcher<'_>>,
    ) -> Result<History, TrainingError> {
        let settings = self.settings();
        let own = self.groups.iter().filter(|group| group.share.is_none());
        let sizes: Vec<usize> = own.map(|group| group.rows.len()).collect();
        let mut companions = Companions::new(&self.groups, settings.batch_size, self.run.seed);
        let mut partners = self.run.few_shot.and_then(|_| Some(Partners::new(self.groups.first()?, self.run.seed)));
        let drawn = if partners.is_some() { settings.batch_size / 2 } else { settings.batch_size };
        let mut sampler =
            Sampler::new(&sizes, &Hyperparameters { batch_size: drawn, ..settings.clone() }, self.run.seed);
        let one_fit = sampler.steps_per_epoch() * settings.epochs;
        let total = one_fit * settings.soup;
        let warmup = (one_fit as f64 * settings.warmup).round() as usize;
        let schedule = Schedule { kind: settings.schedule, warmup, total: one_fit };
        let rows_per_step = settings.batch_size * settings.accumulation;
        let beginning = if settings.soup > 1 { self.model.snapshot() } else { Vec::new() };
        let mut state: State<History> = State::new(Optimizer::new(&self.model.parameters(), settings));
        if let Some(keeper) = &mut keeper
            && keeper.load(&self.model.parameters(), &mut state)?
        {
            state.place.history.earlier_seconds = state.place.run_seconds;
            let (name, step) = (&self.run.name, state.place.step);
            tracing::info!("training {name} goes on after step {step} of {total}, from {}", keeper.path().display());
        }
        let title = format!("training {}", self.run.name);
        let progress = Progress::start(title, Some((total * rows_per_step) as u64), Unit::Items("rows"))
            .begin_at((state.place.step * rows_per_step) as u64);
        let curves = Curves::start(self.run, watcher)?;
        let mut fit = Fit { trainer: self, schedule, state, keeper, curves, progress };
        for epoch in 1..=settings.epochs * settings.soup {
            // Drawn for epochs that are over, too: so those who draw, which depend on the seed alone, stand where they stood.
            let steps = companions.join(sampler.epoch());
            let steps = match &mut partners {
                Some(partners) => partners.join(steps),
                None => steps,
            };
            if epoch <= fit.state.place.history.epochs.len() {
                continue;
            }
            let begins_anew = epoch > 1 && epoch % settings.epochs == 1 % settings.epochs;
            if begins_anew && fit.state.place.step == (epoch - 1) * steps.len() {
                self.model.restore(beginning.clone());
                fit.state.optimizer = Optimizer::new(&self.model.parameters(), settings);
            }
            fit.learn(epoch, &steps)?;
            fit.validate(epoch, steps.len())?;
            if settings.soup == 1 && epoch - fit.state.place.history.best_epoch >= settings.patience {
                break;
            }
        }
        fit.progress.finish();
        self.model.restore(fit.state.best);
        let mut history = fit.state.place.history;
        if settings.soup > 1 {
            history.validation = self.validation()?;
            let score = mean(history.validation.iter().map(HeadReport::score));
            tracing::info!("the mean of {} fits: validation score {score:.4}", settings.soup);
        }
        Ok(history)
    }
}

impl Fit<'_, '_, '_> {
    /// Takes those of an epoch's steps that are not taken yet.
    fn learn(&mut self, epoch: usize, steps: &[Vec<Batch>]) -> Result<(), TrainingError> {
        let first = (epoch - 1) * steps.len();
        let settings = self.trainer.settings();
        for batches in &steps[self.state.place.step - first..] {
            let started = Instant::now();
            let step = self.state.place.step;
            let Some(loss) = self.trainer.step(batches, step, &self.schedule, &mut self.state.optimizer)? else {
                let checkpoint = self.keeper.as_ref().and_then(Keeper::last);
                return Err(TrainingError::Diverged { step: step + 1, epoch, checkpoint });
            };
            self.curves.step(epoch, step, loss, settings.learning_rate * self.schedule.factor(step));
            let place = &mut self.state.place;
            place.step += 1;
            place.losses += loss;
            place.seconds += started.elapsed().as_secs_f64();
            place.history.rows += batches.iter().map(|batch| batch.rows.len()).sum::<usize>();
            self.progress.note(format!("epoch {epoch}, loss {:.3}", place.losses / (place.step - first) as f64));
            self.progress.advance((settings.batch_size * settings.accumulation) as u64);
            if let Some(keeper) = &mut self.keeper {
                keeper.after_step(&self.trainer.model.parameters(), &mut self.state);
            }
        }
        Ok(())
    }

    /// Ends an epoch: measures its weights, or their running average, and keeps them if they are to be kept.
    fn validate(&mut self, epoch: usize, steps: usize) -> Result<(), TrainingError> {
        let (trainer, State { optimizer, place, best }) = (self.trainer, &mut self.state);
        optimizer.exchange_average(&trainer.model.parameters());
        if trainer.run.few_shot.is_some() {
            trainer.fit_head()?;
        }
        let validation = trainer.validation()?;
        let validation_scores: Vec<f64> = validation.iter().map(HeadReport::score).collect();
        let score = mean(validation_scores.iter().copied());
        let (loss, seconds) = (place.losses / steps as f64, place.seconds);
        (place.losses, place.seconds) = (0.0, 0.0);
        self.curves.epoch(epoch, place.step, &validation);
        tracing::info!("epoch {epoch}: loss {loss:.4}, validation score {score:.4}, {seconds:.0} s");
        place.history.step_seconds += seconds;
        place.history.epochs.push(EpochReport { epoch, loss, validation_scores, seconds });
        let Hyperparameters { epochs, soup, .. } = *trainer.settings();
        if soup > 1 {
            if epoch.is_multiple_of(epochs) {
                stir_in(best, trainer.model.snapshot(), epoch / epochs);
                place.history.best_epoch = epoch;
            }
        } else if epoch == epochs || best.is_empty() || score > place.history.best_score {
            *best = trainer.model.snapshot();
            place.history.best_score = score;
            place.history.best_epoch = epoch;
            place.history.validation = validation;
        }
        optimizer.exchange_average(&trainer.model.parameters());
        Ok(())
    }
}

/// Makes the mean of the weights of one fit less than `fits` into that of `fits`.
fn stir_in(mean: &mut Vec<Vec<f32>>, weights: Vec<Vec<f32>>, fits: usize) {
    if fits == 1 {
        *mean = weights;
        return;
    }
    let share = 1.0 / fits as f32;
    for (mean, weights) in mean.iter_mut().zip(weights) {
        mean.iter_mut().zip(weights).for_each(|(mean, weight)| *mean += (weight - *mean) * share);
    }
}

fn mean(scores: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = scores.len();
    scores.sum::<f64>() / count as f64
}
