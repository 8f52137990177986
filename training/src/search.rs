//! A search over hyper-parameters: settings drawn at random, tried, and the poor ones given up early where that is asked for
//! (Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", 2012).
//!
//! A trial is known by its settings, not by its number: a search that was interrupted, or that is asked for more trials, takes
//! what its ledger holds and trains the rest. Trials are compared on the validation sides; the test sides stay out of it.

mod halving;
mod ledger;
mod plan;
mod report;
mod space;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use foundation::configuration::ConfigurationError;
use foundation::parts::Part;

use crate::checkpoint::{Checkpoints, Pace};
use crate::dataset::{self, TaskData};
use crate::directory::base_name;
use crate::error::TrainingError;
use crate::run::{Hyperparameters, TrainingRun};
use crate::trainer::{identity, train_and_validate};
use ledger::{Ledger, Line};

pub use halving::Halving;
pub use plan::SearchPlan;
pub use report::{SearchReport, Trial};
pub use space::{Range, Scale};

/// Settings that were drawn, by their names in `[hyperparameters]`.
pub type Settings = BTreeMap<String, toml::Value>;

/// Tries what `plan` draws on the data of `run`, one trial after the other. `folder`, which is made if it is not there, holds
/// the ledger `trials.ndjson` and the checkpoint of the trial that is running.
///
/// A trial whose loss is no longer a number has failed, and the search goes on.
///
/// # Errors
///
/// Before the first trial, whatever is wrong with the run, the plan, the data or the folder; and what else training may end with.
pub fn search(run: &TrainingRun, plan: &SearchPlan, folder: &Path) -> Result<SearchReport, TrainingError> {
    run.validate()?;
    plan.validate()?;
    let started = Instant::now();
    let candidates = candidates(run, plan)?;
    let base = match &run.base {
        Some(base) => base.clone(),
        None => Part::BaseEncoder.locate()?,
    };
    let data = TaskData::load(&run.tasks, run.split_seed())?;
    let bench = Bench { run, base: &base, data: &data, pace: Pace::default() };
    let mut ledger = Ledger::open(folder, bench.identity()?)?;
    let mut trials: Vec<Trial> = candidates.into_iter().enumerate().map(Trial::new).collect();
    let rungs = plan.rungs(run.hyperparameters.epochs);
    for (rung, epochs) in rungs.iter().enumerate() {
        let contenders = plan.contenders(rung, &trials);
        tracing::info!("{} trials of up to {epochs} epochs", contenders.len());
        for number in contenders {
            let trial = &mut trials[number];
            let hyperparameters = Hyperparameters { epochs: trial.epochs(*epochs), ..trial.hyperparameters(run)? };
            let line = match ledger.find(&hyperparameters) {
                Some(line) => line.clone(),
                None => {
                    let line = bench.run(trial, &hyperparameters, &ledger)?;
                    ledger.add(line.clone())?;
                    line
                }
            };
            trial.record(rung, line);
        }
    }
    let mut report = SearchReport {
        version: SearchReport::VERSION,
        name: run.name.clone(),
        base: base_name(&base),
        seed: run.seed,
        data_digest: dataset::digest(&data),
        rungs,
        trials,
        seconds: started.elapsed().as_secs_f64(),
    };
    report.sort();
    Ok(report)
}

/// The settings of each trial, checked: what training would refuse is told before the first trial.
fn candidates(run: &TrainingRun, plan: &SearchPlan) -> Result<Vec<Settings>, TrainingError> {
    let candidates: Vec<Settings> = (0..plan.trials).map(|number| plan.draw(number)).collect();
    for (number, settings) in candidates.iter().enumerate() {
        let hyperparameters = report::with(&run.hyperparameters, settings)?;
        TrainingRun { hyperparameters, ..run.clone() }.validate().map_err(|error| {
            ConfigurationError::invalid("space", format!("trial {} would be refused: {error}", number + 1))
        })?;
    }
    Ok(candidates)
}

/// Where trials are run: all on the same data.
struct Bench<'a> {
    run: &'a TrainingRun,
    base: &'a Path,
    data: &'a [TaskData],
    pace: Pace,
}

impl Bench<'_> {
    /// What all trials of this search share and others do not.
    fn identity(&self) -> Result<String, TrainingError> {
        let shared =
            TrainingRun { name: String::new(), hyperparameters: Hyperparameters::default(), ..self.run.clone() };
        let identity = identity(&shared, self.base, &dataset::digest(self.data))?;
        Ok(foundation::digest::sha256(identity.as_bytes())[..16].to_owned())
    }

    fn run(&self, trial: &Trial, hyperparameters: &Hyperparameters, ledger: &Ledger) -> Result<Line, TrainingError> {
        let started = Instant::now();
        let name = format!("{}, trial {}", self.run.name, trial.number);
        let run = TrainingRun { name, hyperparameters: hyperparameters.clone(), ..self.run.clone() };
        let checkpoints = Checkpoints { path: ledger.checkpoint(hyperparameters), pace: self.pace };
        let scores = match train_and_validate(&run, self.base, self.data, &checkpoints) {
            Ok(scores) => scores,
            Err(TrainingError::Diverged { step, .. }) => {
                tracing::warn!("{}: the loss is no number at step {step}; the trial has failed", run.name);
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let seconds = started.elapsed().as_secs_f64();
        Ok(Line::new(ledger.search(), hyperparameters.clone(), scores, seconds))
    }
}

#[cfg(test)]
mod tests;
