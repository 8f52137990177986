//! What came of a search.

use std::fmt;

use foundation::configuration::ConfigurationError;
use serde::{Deserialize, Serialize};

use super::Settings;
use super::ledger::Line;
use crate::error::TrainingError;
use crate::evaluation::table::Table;
use crate::run::{Hyperparameters, TrainingRun};

/// A finished search, the best trial first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// The version of this layout: 1.
    pub version: u32,
    /// The run's name.
    pub name: String,
    /// The base encoder's name.
    pub base: String,
    /// The seed of every trial's run.
    pub seed: u64,
    /// SHA-256 over the tasks' cleaned rows.
    pub data_digest: String,
    /// The epochs of each rung; one number where no trial is given up.
    pub rungs: Vec<usize>,
    /// The trials.
    pub trials: Vec<Trial>,
    /// The search's time here and now: trials that were taken from the ledger cost none of it.
    pub seconds: f64,
}

/// One trial, as far as it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// From 1, in the order in which they were drawn.
    pub number: usize,
    /// What was drawn.
    pub settings: Settings,
    /// The highest rung that it ran on, from 0.
    pub rung: Option<usize>,
    /// Each task's score on its validation side, on that rung.
    pub validation_scores: Vec<f64>,
    /// Their mean; none for a trial that failed.
    pub score: Option<f64>,
    /// The time of training, all rungs together.
    pub seconds: f64,
}

impl Trial {
    pub(super) fn new((index, settings): (usize, Settings)) -> Self {
        Self { number: index + 1, settings, rung: None, validation_scores: Vec::new(), score: None, seconds: 0.0 }
    }

    /// All settings of this trial in a run.
    pub fn hyperparameters(&self, run: &TrainingRun) -> Result<Hyperparameters, TrainingError> {
        with(&run.hyperparameters, &self.settings)
    }

    /// The epochs on a rung of so many: its own, where they are drawn.
    pub(super) fn epochs(&self, rung: usize) -> usize {
        let drawn = self.settings.get("epochs").and_then(toml::Value::as_integer);
        drawn.and_then(|epochs| usize::try_from(epochs).ok()).unwrap_or(rung)
    }

    pub(super) fn record(&mut self, rung: usize, line: Line) {
        let Line { validation_scores, seconds, .. } = line;
        let tasks = validation_scores.len();
        self.score = (tasks > 0).then(|| validation_scores.iter().sum::<f64>() / tasks as f64);
        self.validation_scores = validation_scores;
        self.rung = Some(rung);
        self.seconds += seconds;
    }

    /// What it is ranked by; a trial that failed comes last.
    pub(super) fn standing(&self) -> f64 {
        self.score.unwrap_or(f64::NEG_INFINITY)
    }
}

/// Hyper-parameters with some of them changed.
pub(super) fn with(hyperparameters: &Hyperparameters, settings: &Settings) -> Result<Hyperparameters, TrainingError> {
    let refused = |message: String| TrainingError::from(ConfigurationError::invalid("space", message));
    let mut table = toml::Table::try_from(hyperparameters).map_err(|error| refused(error.to_string()))?;
    table.extend(settings.iter().map(|(name, value)| (name.clone(), value.clone())));
    table.try_into().map_err(|error: toml::de::Error| refused(error.message().to_owned()))
}

impl SearchReport {
    pub(super) const VERSION: u32 = 1;

    /// Those that went farthest first, by their scores; a short rung's score does not compare with a long one's.
    pub(super) fn sort(&mut self) {
        self.trials.sort_by(|a, b| b.rung.cmp(&a.rung).then(b.standing().total_cmp(&a.standing())));
    }

    /// The best trial, unless all have failed.
    pub fn best(&self) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.score.is_some())
    }
}

impl fmt::Display for SearchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drawn: Vec<&String> = self.trials.first().map_or_else(Vec::new, |trial| trial.settings.keys().collect());
        let figures = ["score", "epochs", "seconds"].map(str::to_owned);
        let mut table = Table::new("trial", figures.into_iter().chain(drawn.iter().map(|name| (*name).clone())));
        for trial in &self.trials {
            let score = trial.score.map_or_else(|| "failed".to_owned(), |score| format!("{score:.4}"));
            let rung = trial.rung.and_then(|rung| self.rungs.get(rung)).copied().unwrap_or_default();
            let run = [score, trial.epochs(rung).to_string(), format!("{:.0}", trial.seconds)];
            table.row(trial.number.to_string(), run.into_iter().chain(trial.settings.values().map(written)));
        }
        let figures =
            "score: the mean over tasks of the validation sides' macro F1, mean average precision, entity F1 or R²";
        table.note(figures);
        table.note(format!("{} trials in {:.0} s", self.trials.len(), self.seconds));
        f.write_str(&table.text())
    }
}

fn written(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        // As it is written in a plan: 0.00012 has too many noughts to be compared at a glance.
        toml::Value::Float(number) if number.abs() < 1e-2 && *number != 0.0 => format!("{number:e}"),
        other => other.to_string(),
    }
}
