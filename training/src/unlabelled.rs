//! The loop by which models learn from texts without labels: epochs and steps, what is measured between them, and checkpoints.

use std::fmt::Display;
use std::ops::Range;
use std::time::Instant;

use candle_core::Tensor;
use foundation::progress::{Progress, Unit};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Keeper, State};
use crate::engine::{Mode, Optimizer, Parameter, Schedule, ScheduleKind};
use crate::error::TrainingError;
use crate::random::Random;
use crate::run::Hyperparameters;

/// What is measured on held-out texts.
pub(crate) trait Measured: Copy + Display + Serialize + DeserializeOwned {
    /// By which epochs are compared, the lower the better: the mean cross-entropy, say.
    fn loss(&self) -> f64;
}

/// A model and its texts, as the loop sees them: pieces in an order.
pub(crate) trait Learner {
    type Measured: Measured;

    /// Every parameter that is trained, in an order that is always the same.
    fn parameters(&self) -> Vec<&Parameter>;

    /// How many pieces an epoch goes through.
    fn pieces(&self) -> usize;

    /// How much there is to learn in these pieces, in the plan's unit.
    fn amount(&self, pieces: Range<usize>) -> usize;

    /// Puts the pieces in the next epoch's order.
    fn shuffle(&mut self, order: &mut Random);

    /// What a step draws from beside the functions of seed and step.
    fn streams(&mut self) -> &mut [Random] {
        &mut []
    }

    /// The loss of these pieces; none if there is nothing to learn in them.
    fn loss(&mut self, pieces: Range<usize>, mode: Mode) -> Result<Option<Tensor>, TrainingError>;

    /// Measures the held-out texts after an epoch, whose mean loss is given but before the first step.
    fn measure(&self, epoch: usize, training_loss: Option<f64>) -> Result<Self::Measured, TrainingError>;
}

/// How a model is fitted.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) title: &'static str,
    /// What amounts are counted in.
    pub(crate) unit: &'static str,
    pub(crate) seed: u64,
    pub(crate) epochs: usize,
    /// Pieces in a step.
    pub(crate) batch_size: usize,
    /// AdamW's highest rate.
    pub(crate) learning_rate: f64,
    pub(crate) schedule: ScheduleKind,
    /// The share of steps over which the rate rises from zero.
    pub(crate) warmup: f64,
    pub(crate) dropout: f64,
    /// Epochs without a better loss after which the best epoch's weights are taken; the last epoch's where it is not set.
    pub(crate) patience: Option<usize>,
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Fitted<M> {
    /// Before the first step, then after each epoch.
    pub(crate) measured: Vec<M>,
    /// The epoch with the least loss.
    pub(crate) best_epoch: usize,
    /// The time that the run had taken when it was interrupted, as far as it goes on from there.
    pub(crate) earlier_seconds: f64,
    /// What was learned from, in the plan's unit.
    amount: usize,
    /// The time that the steps of whole epochs took.
    step_seconds: f64,
    /// How many numbers each of the learner's streams has given.
    drawn: Vec<u64>,
}

impl<M> Default for Fitted<M> {
    fn default() -> Self {
        let (measured, drawn) = (Vec::new(), Vec::new());
        Self { measured, best_epoch: 0, earlier_seconds: 0.0, amount: 0, step_seconds: 0.0, drawn }
    }
}

impl<M> Fitted<M> {
    /// How much was learned from in a second of steps.
    pub(crate) fn rate(&self) -> f64 {
        self.amount as f64 / self.step_seconds.max(1e-9)
    }
}

/// Runs the epochs until they end or bring nothing more, from the keeper's checkpoint on if there is one; what comes out is the
/// same.
pub(crate) fn fit<L: Learner>(
    learner: &mut L,
    plan: &Plan,
    mut keeper: Option<Keeper<'_>>,
) -> Result<Fitted<L::Measured>, TrainingError> {
    let settings = Hyperparameters { weight_average: 0.0, ..Hyperparameters::default() };
    let mut state: State<Fitted<L::Measured>> = State::new(Optimizer::new(&learner.parameters(), &settings));
    let goes_on = match &mut keeper {
        Some(keeper) => keeper.load(&learner.parameters(), &mut state)?,
        None => false,
    };
    if goes_on {
        let place = &mut state.place;
        place.history.earlier_seconds = place.run_seconds;
        for (stream, drawn) in learner.streams().iter_mut().zip(&place.history.drawn) {
            stream.go_on_after(*drawn);
        }
        tracing::info!("{} goes on after step {}", plan.title, place.step);
    } else {
        measure(learner, plan, &mut state, None)?;
    }
    let (whole, title) = (learner.amount(0..learner.pieces()), plan.title);
    let progress = Progress::start(title, Some((whole * plan.epochs) as u64), Unit::Items(plan.unit))
        .begin_at(state.place.history.amount as u64);
    let mut order = Random::new(plan.seed, "order");
    for epoch in 1..=plan.epochs {
        // For epochs that are over, too: so each piece stands where it stood.
        learner.shuffle(&mut order);
        if epoch < state.place.history.measured.len() {
            continue;
        }
        learn(learner, plan, epoch, &mut state, keeper.as_mut(), &progress)?;
        let place = &mut state.place;
        place.history.step_seconds += std::mem::take(&mut place.seconds);
        let loss = std::mem::take(&mut place.losses) / whole as f64;
        measure(learner, plan, &mut state, Some(loss))?;
        if plan.patience.is_some_and(|patience| epoch - state.place.history.best_epoch >= patience) {
            break;
        }
    }
    progress.finish();
    for (parameter, weights) in learner.parameters().into_iter().zip(state.best) {
        *parameter.value_mut() = weights;
    }
    Ok(state.place.history)
}

/// Takes those of an epoch's steps that are not taken yet.
fn learn<L: Learner>(
    learner: &mut L,
    plan: &Plan,
    epoch: usize,
    state: &mut State<Fitted<L::Measured>>,
    mut keeper: Option<&mut Keeper<'_>>,
    progress: &Progress,
) -> Result<(), TrainingError> {
    let steps = learner.pieces().div_ceil(plan.batch_size);
    let total = steps * plan.epochs;
    let warmup = (total as f64 * plan.warmup).round() as usize;
    let schedule = Schedule { kind: plan.schedule, warmup, total };
    let first = (epoch - 1) * steps;
    let mut learned = learner.amount(0..((state.place.step - first) * plan.batch_size).min(learner.pieces()));
    for index in state.place.step - first..steps {
        let started = Instant::now();
        let step = state.place.step;
        let pieces = index * plan.batch_size..((index + 1) * plan.batch_size).min(learner.pieces());
        let amount = learner.amount(pieces.clone());
        let mode = Mode::Training { seed: plan.seed, step: step as u64, dropout: plan.dropout as f32 };
        if let Some(loss) = learner.loss(pieces, mode)? {
            loss.backward()?;
            let loss = f64::from(loss.to_scalar::<f32>()?);
            let norm = state.optimizer.step(&learner.parameters(), plan.learning_rate * schedule.factor(step));
            if !(loss + norm).is_finite() {
                let checkpoint = keeper.as_deref().and_then(Keeper::last);
                return Err(TrainingError::Diverged { step: step + 1, epoch, checkpoint });
            }
            state.place.losses += loss * amount as f64;
        }
        let place = &mut state.place;
        place.step += 1;
        place.seconds += started.elapsed().as_secs_f64();
        place.history.amount += amount;
        place.history.drawn = learner.streams().iter().map(|stream| stream.drawn()).collect();
        learned += amount;
        progress.note(format!("epoch {epoch}, loss {:.3}", place.losses / learned as f64));
        progress.advance(amount as u64);
        if let Some(keeper) = &mut keeper {
            keeper.after_step(&learner.parameters(), state);
        }
    }
    Ok(())
}

/// Ends an epoch: measures its weights, and keeps them where the best are to be kept.
fn measure<L: Learner>(
    learner: &L,
    plan: &Plan,
    state: &mut State<Fitted<L::Measured>>,
    training_loss: Option<f64>,
) -> Result<(), TrainingError> {
    let history = &mut state.place.history;
    let epoch = history.measured.len();
    let measured = learner.measure(epoch, training_loss)?;
    tracing::info!("epoch {epoch}: {measured}");
    history.measured.push(measured);
    if epoch == 0 || measured.loss() < history.measured[history.best_epoch].loss() {
        history.best_epoch = epoch;
        if plan.patience.is_some() {
            state.best = learner.parameters().iter().map(|parameter| parameter.value().clone()).collect();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
