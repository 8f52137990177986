//! The focal loss: rows that are answered well already count less.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::{Loss, log_softmax, mean, softplus};

/// The least distance from certainty, whose powers below one would have no slope at zero.
const CLOSEST: f64 = 1e-7;

/// `-Σ t (1 - p)^γ log p` (Lin and others, "Focal Loss for Dense Object Detection", 2017).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Focal {
    /// γ: how much less; 0 is cross-entropy.
    pub gamma: f64,
}

impl Default for Focal {
    fn default() -> Self {
        Self { gamma: 2.0 }
    }
}

impl Loss for Focal {
    fn mean(&self, logits: &Tensor, wanted: &Tensor) -> Result<Tensor> {
        mean(&self.terms(&log_softmax(logits)?)?.mul(wanted)?)
    }
}

impl Focal {
    /// `(1 - p)^γ log p`.
    fn terms(&self, log_probabilities: &Tensor) -> Result<Tensor> {
        let away = (1.0 - log_probabilities.exp()?)?.maximum(CLOSEST)?;
        away.powf(self.gamma)?.mul(log_probabilities)
    }
}

/// `-Σ t (1 - p)^γ log p + (1 - t) p^γ log (1 - p)` over labels, with `p` the logit's sigmoid: the paper's own form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BinaryFocal(pub Focal);

impl Loss for BinaryFocal {
    fn mean(&self, logits: &Tensor, wanted: &Tensor) -> Result<Tensor> {
        let softplus = softplus(logits)?;
        let (yes, no) = (self.0.terms(&(logits - &softplus)?)?, self.0.terms(&softplus.neg()?)?);
        mean(&(yes.mul(wanted)? + no.mul(&(1.0 - wanted)?)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_slopes, mean_of};
    use super::*;

    #[test]
    fn losses_are_those_counted_by_hand() {
        // One logit ahead by ln 2: probabilities 1/2, 1/4, 1/4.
        let logits = [[2f32.ln(), 0.0, 0.0]];
        let squared = Focal { gamma: 2.0 };
        assert!((mean_of(&squared, &logits, &[[1.0, 0.0, 0.0]]) - 0.25 * 2f32.ln()).abs() < 1e-6);
        assert!((mean_of(&squared, &logits, &[[0.0, 1.0, 0.0]]) - 0.5625 * 4f32.ln()).abs() < 1e-6);
        let even = [[0.5, 0.25, 0.25]];
        let plain = mean_of(&super::super::CrossEntropy, &logits, &even);
        assert!((mean_of(&Focal { gamma: 0.0 }, &logits, &even) - plain).abs() < 1e-6);
    }

    #[test]
    fn each_labels_losses_are_those_counted_by_hand() {
        // Sigmoids 3/4, 1/2 and 1/4.
        let logits = [[3f32.ln(), 0.0, -(3f32.ln())]];
        let expected = (4f32 / 3.0).ln() / 16.0 + 2f32.ln() / 4.0 + 9.0 / 16.0 * 4f32.ln();
        let loss = mean_of(&BinaryFocal(Focal { gamma: 2.0 }), &logits, &[[1.0, 0.0, 1.0]]);
        assert!((loss - expected).abs() < 1e-6, "{loss}, not {expected}");
        let wanted = [[0.9, 0.5, 0.0]];
        let plain = mean_of(&super::super::BinaryCrossEntropy, &logits, &wanted);
        assert!((mean_of(&BinaryFocal(Focal { gamma: 0.0 }), &logits, &wanted) - plain).abs() < 1e-6);
    }

    #[test]
    fn slopes_agree_with_finite_differences() {
        for gamma in [0.5, 2.0] {
            assert_slopes(&Focal { gamma });
            assert_slopes(&BinaryFocal(Focal { gamma }));
        }
    }

    #[test]
    fn certainty_has_a_slope() {
        let logits = candle_core::Var::new(&[[90f32, 0.0, 0.0]], &candle_core::Device::Cpu).unwrap();
        let wanted = Tensor::new(&[[1f32, 0.0, 0.0]], &candle_core::Device::Cpu).unwrap();
        let slopes = Focal { gamma: 0.5 }.mean(&logits, &wanted).unwrap().backward().unwrap();
        let slopes: Vec<Vec<f32>> = slopes.get(&logits).unwrap().to_vec2().unwrap();
        assert!(slopes[0].iter().all(|slope| slope.is_finite()), "{slopes:?}");
    }
}
