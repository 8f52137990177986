//! Binary cross-entropy, where each label is a yes or no of its own.

use candle_core::{Result, Tensor};

use super::{Loss, mean, softplus};

/// `-Σ t log p + (1 - t) log (1 - p)` over labels, with `p` the logit's sigmoid: how unlikely all of a row's labels are together, so
/// that a label weighs the same however many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinaryCrossEntropy;

impl Loss for BinaryCrossEntropy {
    fn mean(&self, logits: &Tensor, wanted: &Tensor) -> Result<Tensor> {
        // log p is z - softplus(z), and log (1 - p) is -softplus(z).
        mean(&(logits.mul(wanted)? - softplus(logits)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_slopes, mean_of};
    use super::*;

    #[test]
    fn losses_are_those_counted_by_hand() {
        // Sigmoids 3/4, 1/2 and 1/4.
        let logits = [[3f32.ln(), 0.0, -(3f32.ln())]];
        let expected = 2.0 * (4f32 / 3.0).ln() + 2f32.ln();
        assert!((mean_of(&BinaryCrossEntropy, &logits, &[[1.0, 1.0, 0.0]]) - expected).abs() < 1e-6);
        // A soft target is the mix of both losses.
        let expected = 0.25 * (4f32 / 3.0).ln() + 0.75 * 4f32.ln() + 2f32.ln() + (4f32 / 3.0).ln();
        assert!((mean_of(&BinaryCrossEntropy, &logits, &[[0.25, 0.5, 0.0]]) - expected).abs() < 1e-6);
        // Far from zero nothing overflows: a wrong certainty costs its logit.
        assert_eq!(mean_of(&BinaryCrossEntropy, &[[300.0, -300.0, 300.0]], &[[0.0, 1.0, 1.0]]), 600.0);
    }

    #[test]
    fn slopes_agree_with_finite_differences() {
        assert_slopes(&BinaryCrossEntropy);
    }
}
