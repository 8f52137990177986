//! From queries and their right answers to an encoder whose vectors find one by the other.
//!
//! One encoder reads both sides, each by itself (a bi-encoder: Reimers and Gurevych, "Sentence-BERT", 2019), so that answers are
//! encoded once and found by their cosines. A model that reads the pair as one text judges better and finds nothing: that is a
//! task of pairs in a [`TrainingRun`](crate::TrainingRun).

mod export;
mod files;
mod fit;
mod measure;
mod pairs;
mod report;

use std::path::Path;
use std::time::Instant;

use foundation::configuration::ConfigurationError;
use foundation::parts::Part;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::checkpoint::{Checkpoints, Keeper};
use crate::directory::model_digest;
use crate::error::TrainingError;
use crate::run::{TextRun, TextSettings};
use crate::unlabelled;
use fit::RankingLearner;
use pairs::Pairs;

pub use report::{RankingEpoch, RankingReport};

/// What an encoder of queries and answers learns from, and how.
pub type RankingRun = TextRun<RankingSettings>;

/// How an encoder of queries and answers is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RankingSettings {
    /// Passes over the pairs; the one whose encoder ranks the validation side best is kept.
    pub epochs: usize,
    /// Pairs in a step: all but one are what a query's answer is told from.
    pub batch_size: usize,
    /// The highest rate of AdamW, which falls to zero in a line after the warm-up.
    pub learning_rate: f64,
    /// The share of steps in which the rate rises.
    pub warmup: f64,
    /// What cosines are divided by: the lower, the more the nearest wrong answers count.
    pub temperature: f64,
    /// The share of values dropped.
    pub dropout: f64,
    /// The most tokens of a text.
    pub max_tokens: usize,
    /// The share of queries that chooses the epoch.
    pub validation: f64,
    /// The share of queries that is reported.
    pub test: f64,
}

impl Default for RankingSettings {
    fn default() -> Self {
        Self {
            epochs: 3,
            batch_size: 32,
            learning_rate: 5e-5,
            warmup: 0.1,
            temperature: 0.05,
            dropout: 0.1,
            max_tokens: 128,
            validation: 0.1,
            test: 0.15,
        }
    }
}

/// Trains an encoder of queries and answers and writes it into the directory `out`, which is made if it is not there, in the
/// layout of sentence-transformers, with `ranking.json` and `model.onnx`: its `logits`, `[batch, hidden]`, are the mean of a text's
/// token vectors, of length one.
///
/// # Errors
///
/// Too few pairs for one of the sides, a loss that is not a number, and an export that does not agree with the trainer.
pub fn train_ranking(run: &RankingRun, out: &Path) -> Result<RankingReport, TrainingError> {
    train_keeping(run, out, None)
}

/// The same with a checkpoint now and then, from which the run goes on if it was interrupted: on one machine it ends with the
/// same weights and the same report, times aside, as if it had not been. The last checkpoint is left to the caller.
///
/// # Errors
///
/// Those of [`train_ranking`], and a checkpoint that is damaged or belongs to another run.
pub fn train_ranking_resumably(
    run: &RankingRun,
    out: &Path,
    checkpoints: &Checkpoints,
) -> Result<RankingReport, TrainingError> {
    train_keeping(run, out, Some(checkpoints))
}

fn train_keeping(
    run: &RankingRun,
    out: &Path,
    checkpoints: Option<&Checkpoints>,
) -> Result<RankingReport, TrainingError> {
    let started = Instant::now();
    run.settings.validate()?;
    let base = match &run.base {
        Some(base) => base.clone(),
        None => Part::BaseEncoder.locate()?,
    };
    let pairs = Pairs::read(&run.data, &run.settings)?;
    let data_digest = pairs.digest();
    let keeper = match checkpoints {
        Some(checkpoints) => {
            let identity = json!({
                "pulsewire's version": env!("CARGO_PKG_VERSION"),
                "what is learned": "answers of queries",
                "seed": run.seed,
                "settings": run.settings,
                "the pairs": data_digest,
                "the base encoder": model_digest(&base)?,
            });
            Some(Keeper::new(checkpoints, identity.to_string(), started))
        }
        None => None,
    };
    let mut learner = RankingLearner::new(run, &base, &pairs)?;
    let [before] = learner.rank([&pairs.test])?;
    let plan = learner.plan();
    let fitted = unlabelled::fit(&mut learner, &plan, keeper)?;
    let [after] = learner.rank([&pairs.test])?;
    files::write(out, &base, run, &learner)?;
    let report = RankingReport {
        version: report::VERSION,
        base: crate::directory::base_name(&base),
        seed: run.seed,
        settings: run.settings.clone(),
        queries: pairs.queries.len(),
        answers: pairs.answers.len(),
        pairs: pairs.train.len(),
        left_out: pairs.left_out,
        data_digest,
        before,
        after,
        best_epoch: fitted.best_epoch,
        pairs_per_second: fitted.rate(),
        parity: export::export(out, &learner)?,
        seconds: fitted.earlier_seconds + started.elapsed().as_secs_f64(),
        measured: fitted.measured,
    };
    report.write(out)?;
    Ok(report)
}

impl TextSettings for RankingSettings {
    fn validate(&self) -> Result<(), ConfigurationError> {
        let Self { validation, test, .. } = *self;
        let shares = validation > 0.0 && test > 0.0 && validation + test <= 0.8;
        let checks = [
            ("epochs", self.epochs >= 1, "must be at least 1"),
            (
                "batch_size",
                (2..=4096).contains(&self.batch_size),
                "must be 2 to 4096: a query's answer is told from the other answers of its batch",
            ),
            ("learning_rate", self.learning_rate > 0.0 && self.learning_rate < 1.0, "must be above 0 and below 1"),
            ("warmup", (0.0..1.0).contains(&self.warmup), "must be 0 to below 1"),
            ("temperature", self.temperature > 0.0 && self.temperature <= 10.0, "must be above 0 and at most 10"),
            ("dropout", (0.0..0.9).contains(&self.dropout), "must be 0 to below 0.9"),
            ("max_tokens", (8..=8192).contains(&self.max_tokens), "must be 8 to 8192"),
            ("validation", shares, "and `test` must be above 0 and at most 0.8 together"),
        ];
        match checks.into_iter().find(|(_, holds, _)| !holds) {
            Some((key, _, message)) => Err(ConfigurationError::invalid(key, message)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
