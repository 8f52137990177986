//! The fast gradient method.

use candle_core::Result;
use serde::{Deserialize, Serialize};

use super::Adversary;
use crate::trainer::pass::Pass;

/// One step up the slope, learned beside the row as it is; half the loss each (Miyato and others, "Adversarial Training Methods
/// for Semi-Supervised Text Classification", 2017).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fgm {
    /// How far a sequence is moved.
    pub epsilon: f64,
}

impl Default for Fgm {
    fn default() -> Self {
        Self { epsilon: 1.0 }
    }
}

impl Adversary for Fgm {
    fn learn(&self, pass: &Pass<'_>) -> Result<f64> {
        let mut offsets = pass.offsets();
        let clean = pass.learn(&offsets, 0.5)?;
        offsets.climb(&clean.slope, self.epsilon);
        let moved = pass.learn(&offsets, 0.5)?;
        Ok(0.5 * (clean.loss + moved.loss))
    }
}
