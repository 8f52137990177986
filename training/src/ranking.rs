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

use std::path::{Path, PathBuf};
use std::time::Instant;

use foundation::configuration::ConfigurationError;
use foundation::parts::Part;
use serde::{Deserialize, Serialize};

use crate::error::TrainingError;
use crate::source::DataSource;
use fit::Learner;
use pairs::Pairs;

pub use report::{RankingEpoch, RankingReport};

/// What an encoder of queries and answers learns from, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingRun {
    /// The directory of the base encoder; the one that `pulsewire setup` fetched where it is not set.
    #[serde(default)]
    pub base: Option<PathBuf>,
    /// Files, queries or topics of pairs: a query as `text`, and as `text_pair` an answer that is right for it.
    pub data: Vec<DataSource>,
    /// Decides the order of pairs and dropout. The split is a function of the queries alone.
    pub seed: u64,
    /// How it is learned.
    #[serde(default)]
    pub settings: RankingSettings,
}

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
    let started = Instant::now();
    run.settings.validate()?;
    let base = match &run.base {
        Some(base) => base.clone(),
        None => Part::BaseEncoder.locate()?,
    };
    let pairs = Pairs::read(&run.data, &run.settings)?;
    let learner = Learner::new(run, &base, &pairs)?;
    let [_, before] = learner.measure([&pairs.validation, &pairs.test])?;
    let history = learner.fit()?;
    let [after] = learner.measure([&pairs.test])?;
    files::write(out, &base, run, &learner)?;
    let mut report = RankingReport {
        version: report::VERSION,
        base: crate::directory::base_name(&base),
        seed: run.seed,
        settings: run.settings.clone(),
        queries: pairs.queries.len(),
        answers: pairs.answers.len(),
        pairs: pairs.train.len(),
        left_out: pairs.left_out,
        data_digest: pairs.digest(),
        before,
        after,
        epochs: history.epochs,
        best_epoch: history.best_epoch,
        parity: export::export(out, &learner)?,
        pairs_per_second: history.pairs as f64 / history.seconds.max(1e-9),
        seconds: 0.0,
    };
    report.seconds = started.elapsed().as_secs_f64();
    report.write(out)?;
    Ok(report)
}

impl RankingSettings {
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
mod tests;
