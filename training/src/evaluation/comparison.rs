//! Two models on the same rows.

use serde::Serialize;

use super::{McNemar, Predictions, mcnemar};
use crate::metrics::Confusion;

/// A second model's figures, and whether the difference may be chance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The second model.
    pub model: String,
    /// The second model's head.
    pub head: String,
    /// The second model's accuracy.
    pub accuracy: f64,
    /// The second model's macro F1.
    pub macro_f1: f64,
    /// Rows that both models answer rightly.
    pub both_right: u64,
    /// Rows that only the first model answers rightly.
    pub only_first_right: u64,
    /// Rows that only the second model answers rightly.
    pub only_second_right: u64,
    /// Rows that neither model answers rightly.
    pub both_wrong: u64,
    /// Whether the two accuracies differ.
    pub mcnemar: McNemar,
}

impl Comparison {
    /// Compares the predictions of two models for the same rows in the same order; `model` names the second one. Their labels
    /// may stand in different orders, since a row counts as right or wrong by each model's own.
    pub fn of(model: &str, first: &Predictions, second: &Predictions) -> Self {
        let mut counts = [[0u64; 2]; 2];
        for ((truth, predicted), (other_truth, other_predicted)) in first.pairs().zip(second.pairs()) {
            counts[usize::from(truth == predicted)][usize::from(other_truth == other_predicted)] += 1;
        }
        let [[both_wrong, only_second_right], [only_first_right, both_right]] = counts;
        let confusion = Confusion::of(second.labels().len(), second.pairs());
        Self {
            model: model.to_owned(),
            head: second.head().to_owned(),
            accuracy: confusion.accuracy(),
            macro_f1: confusion.macro_f1(),
            both_right,
            only_first_right,
            only_second_right,
            both_wrong,
            mcnemar: mcnemar(only_first_right, only_second_right),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::predictions::rows_of;

    #[test]
    fn rows_are_counted_by_who_is_right() {
        let (a, b) = ([0.9, 0.1], [0.2, 0.8]);
        let first = rows_of(&[(0, a), (0, a), (0, b), (1, b), (1, a), (1, b)]);
        // The second model's labels stand the other way round.
        let second = rows_of(&[(1, b), (1, a), (1, b), (0, a), (0, b), (0, b)]);
        let comparison = Comparison::of("other@2", &first, &second);
        assert_eq!((comparison.both_right, comparison.both_wrong), (2, 1));
        assert_eq!((comparison.only_first_right, comparison.only_second_right), (2, 1));
        assert_eq!((comparison.accuracy, comparison.mcnemar.p_value), (0.5, 1.0));
    }
}
