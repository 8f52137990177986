//! The same figures on parts of the rows: where a model is weaker than its mean says.

use std::collections::HashMap;

use serde::Serialize;

use super::Predictions;
use crate::metrics::Confusion;

/// The rows parted by the values of one column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// The column.
    pub column: String,
    /// Each value's figures, those with most rows first.
    pub values: Vec<SliceValue>,
}

/// Figures of the rows with one value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SliceValue {
    /// The value; empty where a row has none.
    pub value: String,
    /// Rows with it.
    pub rows: usize,
    /// Labels that some of them truly have. Where there are few, macro F1 says little: a label that is predicted in error counts
    /// as 0.
    pub labels: usize,
    /// The share of them whose likeliest label is the true one.
    pub accuracy: f64,
    /// The mean F1 of the labels that some of them have or are predicted to have.
    pub macro_f1: f64,
}

impl Slice {
    /// Measures each value of a column apart. `values` are the column's, one a row, in the rows' order.
    pub fn of<'a>(column: &str, values: impl IntoIterator<Item = &'a str>, predictions: &Predictions) -> Self {
        let mut parts: HashMap<&str, Confusion> = HashMap::new();
        for (value, (truth, predicted)) in values.into_iter().zip(predictions.pairs()) {
            parts.entry(value).or_insert_with(|| Confusion::new(predictions.labels().len())).add(truth, predicted);
        }
        let figures = |(value, confusion): (&str, Confusion)| SliceValue {
            value: value.to_owned(),
            rows: confusion.rows() as usize,
            labels: (0..predictions.labels().len()).filter(|label| confusion.support(*label) > 0).count(),
            accuracy: confusion.accuracy(),
            macro_f1: confusion.macro_f1(),
        };
        let mut values: Vec<SliceValue> = parts.into_iter().map(figures).collect();
        values.sort_by(|one, other| other.rows.cmp(&one.rows).then_with(|| one.value.cmp(&other.value)));
        Self { column: column.to_owned(), values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::predictions::rows_of;

    #[test]
    fn each_value_is_measured_apart() {
        let (a, b) = ([0.9, 0.1], [0.2, 0.8]);
        let predictions = rows_of(&[(0, a), (1, a), (1, b), (0, a), (1, b)]);
        let slice = Slice::of("topic", ["oil", "oil", "oil", "gold", ""], &predictions);
        let found: Vec<_> =
            slice.values.iter().map(|value| (value.value.as_str(), value.rows, value.accuracy)).collect();
        assert_eq!(found, [("oil", 3, 2.0 / 3.0), ("", 1, 1.0), ("gold", 1, 1.0)]);
        // Of oil: F1 of a is 2/3 (precision 1/2, recall 1), of b 2/3 (precision 1, recall 1/2).
        assert!((slice.values[0].macro_f1 - 2.0 / 3.0).abs() < 1e-12);
        // Of gold: b is neither there nor predicted, and does not weigh.
        assert_eq!(slice.values[2].macro_f1, 1.0);
        assert_eq!(slice.values.iter().map(|value| value.labels).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn no_rows_have_no_values() {
        assert!(Slice::of("topic", [], &rows_of::<2>(&[])).values.is_empty());
    }
}
