//! Checkpoints: a run that is killed at any moment and started again ends with the same weights, bit for bit.
//!
//! A checkpoint holds what the next step depends on and nothing that follows from the run: weights, the optimiser's state, the best epoch's weights, and how far the run is. Which rows a step takes and which values dropout drops
//! are functions of the seed and the step (see `random`), so there is no generator to keep; but for hidden words, of which a text has
//! as many as chance gives it, and whose streams are kept by what they have drawn.

mod differences;
mod file;
mod state;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::Parameter;
use crate::error::TrainingError;
use file::CheckpointFile;

pub(crate) use state::State;

/// A checkpoint is written only when training has taken this many times as long as writing the last one did.
const LEAST_SHARE: u32 = 50;

/// Where a run keeps its checkpoint, and how often it writes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoints {
    /// The file. It is written beside and renamed, so that it is whole at any moment; its folder must be there.
    pub path: PathBuf,
    /// How often.
    pub pace: Pace,
}

/// How often a checkpoint is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// After so long, but never so often that writing takes more than a fiftieth of the time.
    Time(Duration),
    /// After so many steps, whatever it costs.
    Steps(NonZeroUsize),
}

impl Default for Pace {
    /// Two minutes.
    fn default() -> Self {
        Self::Time(Duration::from_secs(120))
    }
}

impl Pace {
    /// Whether a checkpoint is due after a step, `since` the last one, which took `cost` to write.
    fn is_due(self, step: usize, since: Duration, cost: Duration) -> bool {
        match self {
            Self::Time(interval) => since >= interval.max(cost * LEAST_SHARE),
            Self::Steps(steps) => step.is_multiple_of(steps.get()),
        }
    }
}

/// Writes a run's checkpoints.
#[derive(Debug)]
pub(crate) struct Keeper<'a> {
    checkpoints: &'a Checkpoints,
    /// Tells this run from others.
    run: String,
    started: Instant,
    /// The seconds that the run had taken when it was interrupted.
    earlier: f64,
    /// When the last checkpoint was written or tried, and how long that took.
    last: (Instant, Duration),
    /// The step of the checkpoint that lies there.
    last_step: Option<usize>,
}

impl<'a> Keeper<'a> {
    /// A keeper for the run of this identity, which began at `started`.
    pub(crate) fn new(checkpoints: &'a Checkpoints, run: String, started: Instant) -> Self {
        let last = (Instant::now(), Duration::ZERO);
        Self { checkpoints, run, started, earlier: 0.0, last, last_step: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.checkpoints.path
    }

    /// The checkpoint that lies there, and its step.
    pub(crate) fn last(&self) -> Option<(PathBuf, usize)> {
        self.last_step.map(|step| (self.path().to_owned(), step))
    }

    /// Brings model and state to where the checkpoint left off; false if there is none. One that is damaged or of another run
    /// is refused.
    pub(crate) fn load<H: DeserializeOwned>(
        &mut self,
        parameters: &[&Parameter],
        state: &mut State<H>,
    ) -> Result<bool, TrainingError> {
        let Some(file) = CheckpointFile::read(self.path())? else { return Ok(false) };
        let differing = differences::differences(file.run()?, &self.run);
        if !differing.is_empty() {
            return Err(TrainingError::AnotherRunsCheckpoint { path: self.path().to_owned(), differing });
        }
        for (index, parameter) in parameters.iter().enumerate() {
            *parameter.value_mut() = file.values(&format!("weights.{index}"), parameter.len())?;
        }
        let optimizer = state.optimizer.state(parameters);
        *optimizer.steps = file.optimizer_steps()?;
        for (name, values) in optimizer.slices {
            values.copy_from_slice(&file.values(&format!("optimizer.{name}"), values.len())?);
        }
        state.place = file.place()?;
        if file.has("best.0") {
            let parameters = parameters.iter().enumerate();
            let best = parameters.map(|(index, parameter)| file.values(&format!("best.{index}"), parameter.len()));
            state.best = best.collect::<Result<_, _>>()?;
        }
        self.earlier = state.place.run_seconds;
        self.last_step = Some(state.place.step);
        Ok(true)
    }

    /// Writes a checkpoint if one is due. One that cannot be written leaves the one before, and training goes on.
    pub(crate) fn after_step<H: Serialize>(&mut self, parameters: &[&Parameter], state: &mut State<H>) {
        let (last, cost) = self.last;
        let step = state.place.step;
        if !self.checkpoints.pace.is_due(step, last.elapsed(), cost) {
            return;
        }
        let begun = Instant::now();
        state.place.run_seconds = self.earlier + self.started.elapsed().as_secs_f64();
        match self.write(parameters, state) {
            Ok(()) => self.last_step = Some(step),
            Err(error) => {
                let path = self.path().display();
                let left = self.last_step.map_or("there is none".to_owned(), |step| format!("step {step}'s stays"));
                tracing::warn!("checkpoint {path} cannot be written at step {step}, {left}; training goes on: {error}");
            }
        }
        self.last = (Instant::now(), begun.elapsed());
    }

    fn write<H: Serialize>(&self, parameters: &[&Parameter], state: &mut State<H>) -> std::io::Result<()> {
        let weights: Vec<_> = parameters.iter().map(|parameter| parameter.value()).collect();
        let State { optimizer, place, best } = state;
        let optimizer = optimizer.state(parameters);
        let mut tensors: Vec<(String, &[f32])> = Vec::new();
        tensors.extend(weights.iter().enumerate().map(|(index, values)| (format!("weights.{index}"), &***values)));
        tensors.extend(optimizer.slices.iter().map(|(name, values)| (format!("optimizer.{name}"), &**values)));
        tensors.extend(best.iter().enumerate().map(|(index, values)| (format!("best.{index}"), &**values)));
        file::write(self.path(), &self.run, place, *optimizer.steps, &tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_takes_a_small_share_of_the_time() {
        let due =
            |pace: Pace, step, since, cost| pace.is_due(step, Duration::from_secs(since), Duration::from_secs(cost));
        let (time, steps) = (Pace::Time(Duration::from_secs(60)), Pace::Steps(NonZeroUsize::new(7).unwrap()));
        assert!(!due(time, 7, 59, 0) && due(time, 1, 60, 0) && due(time, 1, 60, 1));
        // Ten seconds to write: not before five hundred have passed.
        assert!(!due(time, 1, 499, 10) && due(time, 1, 500, 10));
        assert!(due(steps, 7, 0, 10) && due(steps, 14, 0, 10) && !due(steps, 15, 900, 0));
    }
}
