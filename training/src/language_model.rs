//! A causal language model: a small decoder shaped as GPT-2 that learns from texts without labels which token comes next, from
//! scratch or from a checkpoint, and writes texts of its own.

mod decoding;
mod export;
mod files;
mod fit;
mod tokenizer;
mod writer;

use std::fmt;
use std::path::Path;
use std::time::Instant;

use foundation::configuration::ConfigurationError;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::adaptation::distinct_texts;
use crate::checkpoint::{Checkpoints, Keeper};
use crate::directory::model_digest;
use crate::engine::ScheduleKind;
use crate::error::TrainingError;
use crate::run::{TextRun, TextSettings};
use crate::unlabelled::{self, Measured};
pub use decoding::Decoding;
pub use export::export_language_model;
use fit::TextLearner;
pub use writer::{LanguageModel, Written};

/// What a language model learns, and how; a base is the directory of a `GPT2LMHeadModel` with its tokenizer.
pub type LanguageModelRun = TextRun<LanguageModelSettings>;

/// The highest rate of a new model, where none is set.
pub const NEW_RATE: f64 = 1e-3;

/// The highest rate with a base, whose weights are to be moved, not made.
pub const BASE_RATE: f64 = 5e-5;

/// A language model's size and how it is fitted. The defaults make a model of some four million weights from some ten thousand
/// headlines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LanguageModelSettings {
    /// Passes over the texts.
    pub epochs: usize,
    /// Texts in a step; a text longer than the context counts as several.
    pub batch_size: usize,
    /// AdamW's highest rate. Where it is not set, [`NEW_RATE`], or [`BASE_RATE`] with a base.
    pub learning_rate: Option<f64>,
    /// How the rate falls.
    pub schedule: ScheduleKind,
    /// The share of steps over which the rate rises from zero.
    pub warmup: f64,
    /// The share of values that dropout sets to zero.
    pub dropout: f64,
    /// Epochs without a better perplexity after which training stops.
    pub patience: usize,
    /// The most tokens that a guess can look back on. A longer text is learned in stretches.
    pub context: usize,
    /// The most tokens of a new model's vocabulary.
    pub vocabulary: usize,
    /// A new model's layers.
    pub layers: usize,
    /// The width of a new model's token states.
    pub width: usize,
    /// A new model's attention heads; they divide `width`.
    pub heads: usize,
}

impl Default for LanguageModelSettings {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 32,
            learning_rate: None,
            schedule: ScheduleKind::Cosine,
            warmup: 0.05,
            dropout: 0.1,
            patience: 2,
            context: 128,
            vocabulary: 4096,
            layers: 4,
            width: 256,
            heads: 4,
        }
    }
}

/// How a language model's training went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LanguageModelReport {
    /// The version of this layout: 1.
    pub version: u32,
    /// The base's directory, where there was one.
    pub base: Option<String>,
    /// The seed.
    pub seed: u64,
    /// The settings.
    pub settings: LanguageModelSettings,
    /// Weights that learned.
    pub parameters: usize,
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Distinct texts learned from.
    pub texts: usize,
    /// Tokens guessed in one pass over them.
    pub tokens: usize,
    /// Distinct texts held out.
    pub held_out: usize,
    /// SHA-256 over the distinct texts in their order.
    pub data_digest: String,
    /// Held-out texts before the first step, then after each epoch.
    pub measured: Vec<Foresight>,
    /// The epoch whose weights are kept.
    pub best_epoch: usize,
    /// Tokens learned from a second of training steps.
    pub tokens_per_second: f64,
    /// The whole run.
    pub seconds: f64,
}

/// How well the tokens of the held-out texts are foreseen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Foresight {
    /// Epochs before it.
    pub epoch: usize,
    /// The mean cross-entropy of a token of the epoch's training in nats; none before the first step.
    pub training_loss: Option<f64>,
    /// The mean cross-entropy of a held-out token in nats.
    pub loss: f64,
    /// Its exponential. Models of other vocabularies have other tokens, and their perplexities say nothing beside this one.
    pub perplexity: f64,
    /// The share of tokens whose likeliest guess is right.
    pub accuracy: f64,
}

/// Trains a language model and writes it into the directory `out`, which is made if it is not there: `config.json`,
/// `model.safetensors` (transformers' `GPT2LMHeadModel`), the tokenizer's files and `language_model.json`, the report.
pub fn train_language_model(run: &LanguageModelRun, out: &Path) -> Result<LanguageModelReport, TrainingError> {
    train_keeping(run, out, None)
}

/// The same with a checkpoint now and then, from which the run goes on if it was interrupted: on one machine it ends with the
/// same weights and the same report, times aside, as if it had not been. The last checkpoint is left to the caller.
///
/// # Errors
///
/// Those of [`train_language_model`], and a checkpoint that is damaged or belongs to another run.
pub fn train_language_model_resumably(
    run: &LanguageModelRun,
    out: &Path,
    checkpoints: &Checkpoints,
) -> Result<LanguageModelReport, TrainingError> {
    train_keeping(run, out, Some(checkpoints))
}

fn train_keeping(
    run: &LanguageModelRun,
    out: &Path,
    checkpoints: Option<&Checkpoints>,
) -> Result<LanguageModelReport, TrainingError> {
    let started = Instant::now();
    run.settings.validate()?;
    let texts = distinct_texts(&run.data)?;
    let data_digest = foundation::digest::sha256(texts.join("\n").as_bytes());
    let keeper = match checkpoints {
        Some(checkpoints) => {
            let identity = json!({
                "pulsewire's version": env!("CARGO_PKG_VERSION"),
                "what is learned": "next tokens",
                "seed": run.seed,
                "settings": run.settings,
                "the texts": data_digest,
                "the base": run.base.as_deref().map(model_digest).transpose()?,
            });
            Some(Keeper::new(checkpoints, identity.to_string(), started))
        }
        None => None,
    };
    let mut learner = TextLearner::new(run, texts)?;
    let plan = learner.plan();
    let fitted = unlabelled::fit(&mut learner, &plan, keeper)?;
    let report = LanguageModelReport {
        version: 1,
        base: run.base.as_ref().map(|base| base.display().to_string()),
        seed: run.seed,
        settings: LanguageModelSettings { learning_rate: Some(learner.rate()), ..run.settings.clone() },
        parameters: learner.model.parameters().iter().map(|parameter| parameter.len()).sum(),
        vocabulary: learner.config.vocab_size,
        texts: learner.texts,
        tokens: learner.tokens(),
        held_out: learner.held_out_texts,
        data_digest,
        best_epoch: fitted.best_epoch,
        tokens_per_second: fitted.rate(),
        measured: fitted.measured,
        seconds: fitted.earlier_seconds + started.elapsed().as_secs_f64(),
    };
    files::write(out, &learner, &report)?;
    Ok(report)
}

impl TextSettings for LanguageModelSettings {
    fn validate(&self) -> Result<(), ConfigurationError> {
        let rate = self.learning_rate.unwrap_or(NEW_RATE);
        let divided = self.heads >= 1 && self.width.is_multiple_of(self.heads);
        let checks = [
            ("epochs", self.epochs >= 1, "must be at least 1"),
            ("batch_size", (1..=4096).contains(&self.batch_size), "must be 1 to 4096"),
            ("learning_rate", rate > 0.0 && rate < 1.0, "must be above 0 and below 1"),
            ("warmup", (0.0..1.0).contains(&self.warmup), "must be 0 to below 1"),
            ("dropout", (0.0..0.9).contains(&self.dropout), "must be 0 to below 0.9"),
            ("patience", self.patience >= 1, "must be at least 1"),
            ("context", (8..=8192).contains(&self.context), "must be 8 to 8192"),
            ("vocabulary", (300..=65_536).contains(&self.vocabulary), "must be 300 to 65536"),
            ("layers", (1..=64).contains(&self.layers), "must be 1 to 64"),
            ("width", (8..=8192).contains(&self.width), "must be 8 to 8192"),
            ("heads", divided, "must divide width"),
        ];
        match checks.into_iter().find(|(_, holds, _)| !holds) {
            Some((key, _, message)) => Err(ConfigurationError::invalid(key, message)),
            None => Ok(()),
        }
    }
}

impl Measured for Foresight {
    fn loss(&self) -> f64 {
        self.loss
    }
}

impl fmt::Display for Foresight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { perplexity, accuracy, .. } = self;
        write!(f, "perplexity {perplexity:.1}, {:.1} % of next tokens guessed", 100.0 * accuracy)
    }
}

impl fmt::Display for LanguageModelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { texts, tokens, vocabulary, held_out, best_epoch, tokens_per_second, seconds, .. } = self;
        let millions = self.parameters as f64 / 1e6;
        writeln!(
            f,
            "{millions:.1} M weights, {vocabulary} tokens in the vocabulary; {texts} texts of {tokens} tokens"
        )?;
        writeln!(f, "{tokens_per_second:.0} tokens/s, {seconds:.0} s; on {held_out} held-out texts")?;
        for foresight in &self.measured {
            let kept = if foresight.epoch == *best_epoch { ", kept" } else { "" };
            writeln!(f, "  epoch {}: {foresight}{kept}", foresight.epoch)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
