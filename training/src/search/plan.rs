//! What a search is asked to do: one TOML file.

use std::collections::BTreeMap;
use std::path::Path;

use foundation::configuration::{ConfigurationError, parse_toml};
use serde::{Deserialize, Serialize};

use super::Settings;
use super::halving::Halving;
use super::report::Trial;
use super::space::Range;
use crate::error::TrainingError;
use crate::random::Random;

/// How many trials, of what, and which of them are given up.
///
/// ```toml
/// trials = 18
/// halving = { reduction = 3, shortest = 1 }       # without it, every trial runs to its end
///
/// [space]                                         # names as in a run's [hyperparameters]
/// learning_rate = { from = 2e-5, to = 4e-4, scale = "log" }
/// batch_size = [16, 32]
/// r_drop = { from = 0.0, to = 2.0 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchPlan {
    /// How many settings are drawn. A trial's settings do not depend on how many follow it.
    pub trials: usize,
    /// Decides what is drawn.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Gives up the poor ones; none is given up where it is not set.
    #[serde(default)]
    pub halving: Option<Halving>,
    /// What is drawn, by its name in `[hyperparameters]`; all else is as in the run.
    pub space: BTreeMap<String, Range>,
}

impl SearchPlan {
    /// Reads a plan's file.
    pub fn load(path: &Path) -> Result<Self, TrainingError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigurationError::Unreadable { path: path.to_owned(), source })?;
        let plan: Self = parse_toml(&text, path)?;
        plan.validate().map_err(|error| error.of_file(path))?;
        Ok(plan)
    }

    /// Checks every value.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        let invalid = |key: &str, message: &str| Err(ConfigurationError::invalid(key, message));
        if self.trials == 0 {
            return invalid("trials", "must be at least 1");
        }
        if self.space.is_empty() {
            return invalid("space", "at least one setting must be drawn");
        }
        for (name, range) in &self.space {
            if let Some(fault) = range.fault() {
                return invalid(&format!("space.{name}"), fault);
            }
        }
        if let Some(fault) = self.halving.and_then(Halving::fault) {
            return invalid("halving", fault);
        }
        if self.halving.is_some() && self.space.contains_key("epochs") {
            return invalid("space.epochs", "must not be drawn where halving shares the epochs out");
        }
        Ok(())
    }

    /// The settings of a trial, from 0.
    pub(super) fn draw(&self, number: usize) -> Settings {
        let draw = |(name, range): (&String, &Range)| {
            let mut random = Random::new(self.seed, &format!("trial {number} {name}"));
            (name.clone(), range.draw(&mut random))
        };
        self.space.iter().map(draw).collect()
    }

    /// The epochs of each rung, of a run with so many.
    pub(super) fn rungs(&self, epochs: usize) -> Vec<usize> {
        self.halving.map_or_else(|| vec![epochs], |halving| halving.rungs(epochs))
    }

    /// The indices of the trials that a rung, from 0, trains: the best of the rung below.
    pub(super) fn contenders(&self, rung: usize, trials: &[Trial]) -> Vec<usize> {
        let mut contenders: Vec<usize> = (0..trials.len()).collect();
        if let Some(halving) = self.halving.filter(|_| rung > 0) {
            contenders.retain(|index| trials[*index].rung == Some(rung - 1));
            contenders.sort_by(|a, b| trials[*b].standing().total_cmp(&trials[*a].standing()));
            contenders.truncate(halving.left(trials.len(), rung));
            contenders.retain(|index| trials[*index].score.is_some());
        }
        contenders
    }
}

fn default_seed() -> u64 {
    17
}
