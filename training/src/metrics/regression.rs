//! How near a head's numbers are to the true ones.

use serde::{Deserialize, Serialize};

/// A regression head's measured quality on rows with numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegressionReport {
    /// The head's name.
    pub head: String,
    /// Rows measured.
    pub rows: usize,
    /// The mean distance, in the numbers' unit.
    pub mean_absolute_error: f64,
    /// The root of the mean squared distance, in the numbers' unit.
    pub root_mean_squared_error: f64,
    /// The share of the numbers' variance that the answers explain: 1 is perfect, 0 what their mean would do; none if all
    /// numbers are equal.
    pub r_squared: Option<f64>,
    /// Pearson's correlation, -1 to 1; none if all numbers, or all answers, are equal.
    pub pearson: Option<f64>,
    /// Spearman's correlation of ranks, ties having their mean rank; none where Pearson's is.
    pub spearman: Option<f64>,
}

impl RegressionReport {
    /// Measures (true, answered) numbers.
    pub fn of(head: &str, pairs: &[(f64, f64)]) -> Self {
        let mean =
            |figure: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(figure).sum::<f64>() / pairs.len().max(1) as f64;
        let squared = mean(&|(truth, answer)| (truth - answer).powi(2));
        let centre = mean(&|(truth, _)| *truth);
        let variance = mean(&|(truth, _)| (truth - centre).powi(2));
        let (truths, answers): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        Self {
            head: head.to_owned(),
            rows: pairs.len(),
            mean_absolute_error: mean(&|(truth, answer)| (truth - answer).abs()),
            root_mean_squared_error: squared.sqrt(),
            r_squared: (variance > 0.0).then(|| 1.0 - squared / variance),
            pearson: correlation(&truths, &answers),
            spearman: correlation(&ranks(&truths), &ranks(&answers)),
        }
    }
}

fn correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (centre, other_centre) = (mean(one), mean(other));
    let (mut both, mut own, mut others) = (0.0, 0.0, 0.0);
    for (one, other) in one.iter().zip(other) {
        let (one, other) = (one - centre, other - other_centre);
        (both, own, others) = (both + one * other, own + one * one, others + other * other);
    }
    (own > 0.0 && others > 0.0).then(|| both / (own.sqrt() * others.sqrt()))
}

/// Each value's place among all from the smallest up; equal ones share the mean of their places.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|one, other| values[*one] == values[*other]) {
        equal.iter().for_each(|place| ranks[*place] = first as f64 + (equal.len() - 1) as f64 / 2.0);
        first += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_counted_by_hand() {
        let report = RegressionReport::of("price", &[(1.0, 2.0), (2.0, 2.0), (3.0, 2.0), (4.0, 6.0)]);
        let close = |figure: f64, expected: f64| assert!((figure - expected).abs() < 1e-12, "{figure}: {report:?}");
        close(report.mean_absolute_error, 1.0);
        close(report.root_mean_squared_error, 1.5f64.sqrt());
        // The numbers' variance is 5/4.
        close(report.r_squared.unwrap(), 1.0 - 1.5 / 1.25);
        // Products of deviations: (-1.5)(-1) + (-0.5)(-1) + (0.5)(-1) + (1.5)(3) = 6; squares 5 and 12.
        close(report.pearson.unwrap(), 6.0 / 60f64.sqrt());
        // Ranks of the answers 1, 1, 1, 3 against 0 to 3: products 1.5 · 1.5 + ... = 3; squares 5 and 3.
        close(report.spearman.unwrap(), 3.0 / 15f64.sqrt());
    }

    #[test]
    fn what_does_not_vary_has_no_correlation() {
        let report = RegressionReport::of("price", &[(1.0, 3.0), (2.0, 3.0)]);
        assert_eq!((report.pearson, report.spearman), (None, None));
        assert!(report.r_squared.unwrap() < 0.0);
        assert_eq!(RegressionReport::of("price", &[(1.0, 1.0), (1.0, 2.0)]).r_squared, None);
        let none = RegressionReport::of("price", &[]);
        assert_eq!((none.rows, none.mean_absolute_error, none.r_squared), (0, 0.0, None));
    }
}
