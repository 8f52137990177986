//! What an adaptation tells of itself: `adaptation.json`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::AdaptationSettings;
use crate::unlabelled::Measured;

/// How an adaptation went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaptationReport {
    /// The version of this layout: 1.
    pub version: u32,
    /// What the base encoder is called.
    pub base: String,
    /// The seed.
    pub seed: u64,
    /// The settings.
    pub settings: AdaptationSettings,
    /// Distinct texts, or pairs of them, learned from.
    pub texts: usize,
    /// Distinct texts, or pairs of them, held out.
    pub held_out: usize,
    /// SHA-256 over the distinct texts in their order.
    pub data_digest: String,
    /// Held-out texts before the first step, then after each epoch.
    pub measured: Vec<Guessing>,
    /// Texts learned from a second of training steps.
    pub texts_per_second: f64,
    /// The whole run.
    pub seconds: f64,
}

/// How well hidden words of the held-out texts are guessed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Guessing {
    /// Epochs before it.
    pub epoch: usize,
    /// The mean cross-entropy of a hidden token in nats; its exponential is the perplexity.
    pub loss: f64,
    /// The share of hidden tokens whose likeliest guess is right.
    pub accuracy: f64,
    /// The mean cross-entropy of a pair in nats; none without pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair_loss: Option<f64>,
    /// The share of pairs that are told right; none without pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair_accuracy: Option<f64>,
}

impl Measured for Guessing {
    fn loss(&self) -> f64 {
        self.loss
    }
}

impl fmt::Display for Guessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loss, accuracy, pair_loss, pair_accuracy, .. } = self;
        write!(f, "perplexity {:.1}, {:.1} % of hidden tokens guessed", loss.exp(), 100.0 * accuracy)?;
        match (pair_loss, pair_accuracy) {
            (Some(loss), Some(accuracy)) => {
                write!(f, "; {:.1} % of pairs told right, loss {loss:.3}", 100.0 * accuracy)
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for AdaptationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, texts, held_out, texts_per_second, seconds, .. } = self;
        writeln!(f, "{base}: {texts} texts, {texts_per_second:.0}/s, {seconds:.0} s; on {held_out} held-out texts")?;
        for guessing in &self.measured {
            writeln!(f, "  epoch {}: {guessing}", guessing.epoch)?;
        }
        Ok(())
    }
}
