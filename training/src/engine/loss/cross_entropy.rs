//! Cross-entropy, the default.

use candle_core::{Result, Tensor};

use super::{Loss, log_softmax, mean};

/// `-Σ t log p` with `p` the logits' softmax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropy;

impl Loss for CrossEntropy {
    fn mean(&self, logits: &Tensor, wanted: &Tensor) -> Result<Tensor> {
        mean(&log_softmax(logits)?.mul(wanted)?)
    }
}
