//! How far two answers to one row are apart: what R-Drop makes small.

use candle_core::{Result, Tensor};

use super::{log_softmax, sigmoid};
use crate::run::TaskKind;

/// Half of the symmetric Kullback-Leibler divergence of each row's two answers, added up over rows. Both tensors are logits `[rows, labels]`.
///
/// Answers of one exponential family have the divergence `(m - m')(n - n')`, of their means and their natural parameters: the
/// probabilities and their logarithms of one label among several, the probability and the logit of each of many labels, the
/// number itself of a normal distribution with a variance of one.
pub(super) fn divergence(kind: TaskKind, first: &Tensor, second: &Tensor) -> Result<Tensor> {
    let parameters = |logits: &Tensor| -> Result<(Tensor, Tensor)> {
        match kind {
            TaskKind::SingleLabel | TaskKind::Tokens => {
                let log_probabilities = log_softmax(logits)?;
                Ok((log_probabilities.exp()?, log_probabilities))
            }
            TaskKind::MultiLabel => Ok((sigmoid(logits)?, logits.clone())),
            TaskKind::Regression => Ok((logits.clone(), logits.clone())),
        }
    };
    let ((mean, natural), (other_mean, other_natural)) = (parameters(first)?, parameters(second)?);
    (mean - other_mean)?.mul(&(natural - other_natural)?)?.sum_all()? * 0.5
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn of<const N: usize>(kind: TaskKind, first: &[[f32; 2]; N], second: &[[f32; 2]; N]) -> f32 {
        let tensor = |rows: &[[f32; 2]; N]| Tensor::new(rows, &Device::Cpu).unwrap();
        divergence(kind, &tensor(first), &tensor(second)).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn divergences_are_those_counted_by_hand() {
        let ln3 = 3f32.ln();
        // One label: 3/4, 1/4 and 1/2, 1/2. Both divergences: 1/4 ln 3/2 - 1/4 ln 1/2 = 1/4 ln 3.
        assert!((of(TaskKind::SingleLabel, &[[ln3, 0.0]], &[[0.0, 0.0]]) - ln3 / 8.0).abs() < 1e-6);
        // Two decisions: 3/4 and 1/2, whose divergences are 1/4 ln 3 together, and no difference.
        assert!((of(TaskKind::MultiLabel, &[[ln3, 1.0]], &[[0.0, 1.0]]) - ln3 / 8.0).abs() < 1e-6);
        // Normal distributions around 1 and 3: half of (1 - 3)²; two rows add up.
        assert!((of(TaskKind::Regression, &[[1.0, 0.0], [0.0, 0.0]], &[[3.0, 0.0], [0.0, 2.0]]) - 4.0).abs() < 1e-6);
    }
}
