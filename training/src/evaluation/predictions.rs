//! What a model said about labelled rows: the one input of every figure.

use crate::error::{Location, TrainingError};

/// How far a row's probabilities may be from the sum of 1.
const TOLERANCE: f64 = 1e-3;

/// One head's probabilities for labelled rows, with the rows' true labels.
///
/// Probabilities are finite, from 0 to 1, as many a row as there are labels, and sum to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    head: String,
    labels: Vec<String>,
    truths: Vec<usize>,
    predicted: Vec<usize>,
    /// Row by row, `[rows × labels]`.
    probabilities: Vec<f64>,
}

impl Predictions {
    /// No row yet. `labels` are in the order of the head's outputs.
    pub fn new(head: &str, labels: &[String]) -> Self {
        Self {
            head: head.to_owned(),
            labels: labels.to_vec(),
            truths: Vec::new(),
            predicted: Vec::new(),
            probabilities: Vec::new(),
        }
    }

    /// Adds a row: the index of its true label, and one probability a label. `at` is where the row stands.
    ///
    /// # Errors
    ///
    /// [`TrainingError::NotProbabilities`] if these are not probabilities of the head's labels, `truth` among them.
    pub fn push(
        &mut self,
        truth: usize,
        probabilities: impl IntoIterator<Item = f64>,
        at: &Location,
    ) -> Result<(), TrainingError> {
        let start = self.probabilities.len();
        self.probabilities.extend(probabilities);
        let own = &self.probabilities[start..];
        let fits = own.len() == self.labels.len() && truth < own.len();
        let valid = own.iter().all(|value| (0.0..=1.0 + TOLERANCE).contains(value));
        if !(fits && valid && (own.iter().sum::<f64>() - 1.0).abs() <= TOLERANCE) {
            self.probabilities.truncate(start);
            return Err(TrainingError::NotProbabilities { at: at.clone(), head: self.head.clone() });
        }
        self.predicted.push(likeliest(own).0);
        self.truths.push(truth);
        Ok(())
    }

    /// The head's name.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The labels, in the order of the probabilities.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.truths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.truths.is_empty()
    }

    /// Each row's true label and its probabilities, one a label.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (usize, &[f64])> {
        // A head without labels has no row, and chunks may not be empty.
        self.truths.iter().copied().zip(self.probabilities.chunks_exact(self.labels.len().max(1)))
    }

    /// Each row's true label and its likeliest one, the first among equals.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (usize, usize)> {
        self.truths.iter().copied().zip(self.predicted.iter().copied())
    }

    /// The same rows with other probabilities, as many a row, in which the likeliest label is the same.
    pub(super) fn map(&self, change: impl Fn(&[f64]) -> Vec<f64>) -> Self {
        let probabilities = self.rows().flat_map(|(_, probabilities)| change(probabilities)).collect();
        Self { probabilities, ..self.clone() }
    }

    /// The mean of a figure over the rows; 0 if there is none.
    pub(super) fn mean(&self, figure: impl Fn(usize, &[f64]) -> f64) -> f64 {
        let sum: f64 = self.rows().map(|(truth, probabilities)| figure(truth, probabilities)).sum();
        if self.is_empty() { 0.0 } else { sum / self.len() as f64 }
    }
}

/// The first of the highest probabilities, and its index.
pub(super) fn likeliest(probabilities: &[f64]) -> (usize, f64) {
    probabilities
        .iter()
        .copied()
        .enumerate()
        .fold((0, 0.0), |best, (index, probability)| if probability > best.1 { (index, probability) } else { best })
}

/// Rows of a head `head` whose labels are `a`, `b` and so on, for tests.
#[cfg(test)]
pub(super) fn rows_of<const LABELS: usize>(rows: &[(usize, [f64; LABELS])]) -> Predictions {
    let labels: Vec<String> = ('a'..='z').take(LABELS).map(String::from).collect();
    let at = Location { path: std::path::Path::new("rows.csv").into(), line: 2 };
    let mut predictions = Predictions::new("head", &labels);
    for (truth, probabilities) in rows {
        predictions.push(*truth, *probabilities, &at).unwrap();
    }
    predictions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_pairs_are_what_was_put_in() {
        let predictions = rows_of(&[(0, [0.25, 0.75]), (1, [0.5, 0.5])]);
        assert_eq!(predictions.pairs().collect::<Vec<_>>(), [(0, 1), (1, 0)]);
        assert_eq!(predictions.rows().collect::<Vec<_>>(), [(0, &[0.25, 0.75][..]), (1, &[0.5, 0.5][..])]);
        assert_eq!(predictions.mean(|truth, probabilities| probabilities[truth]), 0.375);
        assert_eq!(Predictions::new("head", &[]).mean(|_, _| 1.0), 0.0);
    }

    #[test]
    fn what_is_no_probability_is_refused_with_its_place() {
        let labels = ["a", "b"].map(str::to_owned);
        let at = Location { path: std::path::Path::new("rows.csv").into(), line: 7 };
        let mut predictions = Predictions::new("tone", &labels);
        for (truth, wrong) in
            [(0, vec![f64::NAN, 1.0]), (0, vec![0.5, 0.6]), (0, vec![-0.5, 1.5]), (0, vec![1.0]), (2, vec![0.5, 0.5])]
        {
            let message = predictions.push(truth, wrong, &at).unwrap_err().to_string();
            assert!(message.contains("rows.csv:7") && message.contains("\"tone\""), "{message}");
        }
        predictions.push(1, [0.5, 0.5], &at).unwrap();
        assert_eq!((predictions.len(), predictions.rows().len()), (1, 1));
    }
}
