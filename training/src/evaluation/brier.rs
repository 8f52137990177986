//! The Brier score: squared error of probabilities.

use super::Predictions;

/// The mean over rows of the squared distance between the probabilities and the truth (1 for the true label, 0 for the
/// others), from 0 (perfect) to 2 (sure and wrong). With two labels this is twice the form that looks at one of them only.
///
/// Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950).
pub fn brier_score(predictions: &Predictions) -> f64 {
    predictions.mean(|truth, probabilities| {
        let distance = |(label, probability): (usize, &f64)| {
            let goal = if label == truth { 1.0 } else { 0.0 };
            (probability - goal).powi(2)
        };
        probabilities.iter().enumerate().map(distance).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::predictions::rows_of;

    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn the_ends_are_nothing_and_two() {
        check(brier_score(&rows_of(&[(0, [1.0, 0.0, 0.0])])), 0.0);
        check(brier_score(&rows_of(&[(0, [0.0, 1.0, 0.0])])), 2.0);
    }

    #[test]
    fn the_score_is_that_worked_out_by_hand() {
        // Uniform over k labels: (1 - 1/k)² + (k - 1) / k² = 1 - 1/k.
        check(brier_score(&rows_of(&[(2, [0.25; 4])])), 0.75);
        // 0.3² + 0.2² + 0.1² = 0.14 and 0.5² + 0.5² = 0.5.
        check(brier_score(&rows_of(&[(0, [0.7, 0.2, 0.1]), (1, [0.5, 0.5, 0.0])])), 0.32);
    }
}
