//! The class-balanced loss: labels that stand in few rows count more.

use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::{Loss, log_softmax, mean};

/// Weighs labels by one over their effective number of rows, `(1 - βⁿ) / (1 - β)` (Cui and others, "Class-Balanced Loss Based
/// on Effective Number of Samples", 2019).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassBalanced {
    /// β: towards 1, rows of one label are worth the more for being many; 0 weighs all labels alike.
    pub beta: f64,
}

impl Default for ClassBalanced {
    fn default() -> Self {
        Self { beta: 0.999 }
    }
}

impl ClassBalanced {
    /// Cross-entropy for labels with these numbers of rows; the weights' mean is 1.
    pub fn over(&self, rows: &[usize]) -> Weighted {
        let weight = |rows: &usize| (1.0 - self.beta) / (1.0 - self.beta.powf((*rows).max(1) as f64));
        let weights: Vec<f64> = rows.iter().map(weight).collect();
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        Weighted { weights: weights.iter().map(|weight| (weight / mean) as f32).collect() }
    }
}

/// Cross-entropy with a weight for each label: `-Σ w t log p`.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighted {
    weights: Vec<f32>,
}

impl Loss for Weighted {
    fn mean(&self, logits: &Tensor, wanted: &Tensor) -> Result<Tensor> {
        let weights = Tensor::new(self.weights.as_slice(), &Device::Cpu)?;
        mean(&log_softmax(logits)?.mul(&wanted.broadcast_mul(&weights)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_slopes, mean_of};
    use super::*;

    #[test]
    fn weights_are_those_counted_by_hand() {
        // β = 1/2: effective numbers 1, 3/2 and 7/4; one over them 1, 2/3 and 4/7, whose mean is 47/63.
        let weights = ClassBalanced { beta: 0.5 }.over(&[1, 2, 3]).weights;
        for (weight, expected) in weights.iter().zip([63.0 / 47.0, 42.0 / 47.0, 36.0 / 47.0]) {
            assert!((weight - expected as f32).abs() < 1e-6, "{weights:?}");
        }
        assert_eq!(ClassBalanced { beta: 0.0 }.over(&[7, 7000]).weights, [1.0, 1.0]);
        // Close to 1, weights are as one over the numbers of rows.
        let weights = ClassBalanced { beta: 0.999_999_9 }.over(&[10, 30]).weights;
        assert!((weights[0] / weights[1] - 3.0).abs() < 1e-3, "{weights:?}");
    }

    #[test]
    fn a_rare_label_costs_more() {
        let loss = ClassBalanced { beta: 0.5 }.over(&[1, 2, 3]);
        let answers = [[0.0, 0.0, 0.0]];
        let rare = mean_of(&loss, &answers, &[[1.0, 0.0, 0.0]]);
        assert!((rare - 63.0 / 47.0 * 3f32.ln()).abs() < 1e-6, "{rare}");
        assert_slopes(&loss);
    }
}
