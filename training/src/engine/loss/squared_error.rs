//! The squared error of numbers.

use candle_core::{Result, Tensor};

use super::Loss;

/// `(z - t)²`: up to a factor and a constant, the cross-entropy of a normal distribution around the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SquaredError;

impl Loss for SquaredError {
    fn mean(&self, logits: &Tensor, wanted: &Tensor) -> Result<Tensor> {
        (logits - wanted)?.sqr()?.mean_all()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_slopes, mean_of};
    use super::*;

    #[test]
    fn losses_are_those_counted_by_hand() {
        let loss = mean_of(&SquaredError, &[[1.0, 2.0, -1.0], [0.0; 3]], &[[1.0, 4.0, 2.0], [0.5, 0.0, 0.0]]);
        assert!((loss - 13.25 / 6.0).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn slopes_agree_with_finite_differences() {
        assert_slopes(&SquaredError);
    }
}
