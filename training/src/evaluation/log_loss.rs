//! Log loss: the surprise at the true labels.

use super::Predictions;

/// What a probability of 0 is taken for, so that its logarithm is finite: below it the models' numbers have no full
/// precision.
pub(super) const LEAST_PROBABILITY: f64 = f32::MIN_POSITIVE as f64;

/// The mean negative natural logarithm of the true label's probability, in nats; 0 is perfect, ln(labels) is a model that
/// knows nothing. A row costs 87.3 nats at most.
///
/// Good, "Rational decisions", Journal of the Royal Statistical Society B 14 (1952).
pub fn log_loss(predictions: &Predictions) -> f64 {
    predictions.mean(|truth, probabilities| -probabilities[truth].max(LEAST_PROBABILITY).ln())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::predictions::rows_of;

    #[test]
    fn loss_is_that_worked_out_by_hand() {
        let predictions = rows_of(&[(1, [0.1, 0.9]), (0, [0.9, 0.1]), (0, [0.8, 0.2]), (1, [0.35, 0.65])]);
        let expected = -(0.9 * 0.9 * 0.8 * 0.65f64).ln() / 4.0;
        assert!((log_loss(&predictions) - expected).abs() < 1e-12);
        assert!((log_loss(&predictions) - 0.216_161_87).abs() < 1e-8);
    }

    #[test]
    fn knowing_nothing_costs_the_logarithm_of_the_labels() {
        assert!((log_loss(&rows_of(&[(0, [0.25; 4]), (3, [0.25; 4])])) - 4f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn being_sure_and_wrong_is_finite() {
        let loss = log_loss(&rows_of(&[(0, [0.0, 1.0])]));
        assert!((loss - 126.0 * 2f64.ln()).abs() < 1e-9, "{loss}");
        assert_eq!(log_loss(&rows_of(&[(1, [0.0, 1.0])])), 0.0);
    }
}
