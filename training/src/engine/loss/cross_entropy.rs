//! Cross-entropy, the default.

use candle_core::{Result, Tensor};

use super::{Loss, mean};

/// `-Σ t log p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropy;

impl Loss for CrossEntropy {
    fn mean(&self, log_probabilities: &Tensor, wanted: &Tensor) -> Result<Tensor> {
        mean(&log_probabilities.mul(wanted)?)
    }
}
