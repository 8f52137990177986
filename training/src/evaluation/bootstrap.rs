//! How far a figure would move with other rows: bootstrap confidence intervals.

use serde::Serialize;

use crate::metrics::Confusion;
use crate::random::Random;

/// The share of resamples that an interval covers.
const LEVEL: f64 = 0.95;
/// Resamples drawn.
const RESAMPLES: usize = 1_000;

/// Percentile bootstrap intervals: `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Intervals {
    /// The share of resamples inside: 0.95.
    pub level: f64,
    /// Resamples drawn: 1,000.
    pub resamples: usize,
    /// Of the accuracy.
    pub accuracy: [f64; 2],
    /// Of the macro F1.
    pub macro_f1: [f64; 2],
}

/// Draws as many rows as there are, with replacement, 1,000 times, and takes the middle 95 % of the figures. `pairs` are
/// (true, predicted) indices below `labels`, one a row; the seed decides the draws. Without rows the intervals are `[0, 0]`.
///
/// Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979). Rows count as independent:
/// headlines that tell the same story make the true interval wider.
pub fn bootstrap(pairs: &[(usize, usize)], labels: usize, seed: u64) -> Intervals {
    let mut random = Random::new(seed, "bootstrap");
    let mut confusion = Confusion::new(labels);
    let (mut accuracies, mut macro_f1s) = (Vec::with_capacity(RESAMPLES), Vec::with_capacity(RESAMPLES));
    for _ in 0..RESAMPLES {
        confusion.clear();
        for _ in pairs {
            let (truth, predicted) = pairs[random.below(pairs.len())];
            confusion.add(truth, predicted);
        }
        accuracies.push(confusion.accuracy());
        macro_f1s.push(confusion.macro_f1());
    }
    Intervals { level: LEVEL, resamples: RESAMPLES, accuracy: middle(accuracies), macro_f1: middle(macro_f1s) }
}

fn middle(mut figures: Vec<f64>) -> [f64; 2] {
    figures.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    [quantile(&figures, tail), quantile(&figures, 1.0 - tail)]
}

/// A quantile of sorted, non-empty figures, between neighbours by straight line (Hyndman and Fan's type 7).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    let place = share * last as f64;
    let below = (place as usize).min(last);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    low + (place - below as f64) * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two labels, `right` of `rows` predicted as they are, in turn.
    fn pairs(rows: usize, right: usize) -> Vec<(usize, usize)> {
        (0..rows).map(|row| if row < right { (row % 2, row % 2) } else { (row % 2, 1 - row % 2) }).collect()
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (share, expected) in [(0.0, 1.0), (0.25, 2.0), (0.375, 3.0), (0.5, 4.0), (1.0, 16.0)] {
            assert_eq!(quantile(&sorted, share), expected, "{share}");
        }
        assert_eq!(quantile(&[3.0], 0.975), 3.0);
    }

    #[test]
    fn the_interval_is_that_of_the_binomial() {
        // 1.96 √(p (1 - p) / n) = 0.0438 for p = 0.5 and n = 500, 0.0263 for p = 0.9.
        for (right, half) in [(250, 0.0438), (450, 0.0263)] {
            let [low, high] = bootstrap(&pairs(500, right), 2, 1).accuracy;
            let share = right as f64 / 500.0;
            assert!((low - (share - half)).abs() < 0.006 && (high - (share + half)).abs() < 0.006, "{low} to {high}");
        }
    }

    #[test]
    fn balanced_errors_give_macro_f1_the_interval_of_accuracy() {
        let intervals = bootstrap(&pairs(500, 400), 2, 1);
        for end in 0..2 {
            assert!((intervals.accuracy[end] - intervals.macro_f1[end]).abs() < 0.005, "{intervals:?}");
        }
    }

    #[test]
    fn one_seed_gives_one_interval() {
        assert_eq!(bootstrap(&pairs(60, 40), 2, 1), bootstrap(&pairs(60, 40), 2, 1));
        assert_ne!(bootstrap(&pairs(61, 40), 2, 1), bootstrap(&pairs(61, 40), 2, 2));
    }

    #[test]
    fn without_errors_or_rows_there_is_no_spread() {
        let sure = bootstrap(&pairs(20, 20), 2, 1);
        assert_eq!(sure.accuracy, [1.0, 1.0]);
        let none = bootstrap(&[], 2, 1);
        assert_eq!((none.accuracy, none.macro_f1), ([0.0, 0.0], [0.0, 0.0]));
    }
}
