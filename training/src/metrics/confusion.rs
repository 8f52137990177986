//! Rows counted by true and predicted label, and the figures that follow from the counts.

/// A square matrix of counts: `counts[true][predicted]`, in rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confusion {
    counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Nothing counted yet, for this many labels.
    pub(crate) fn new(labels: usize) -> Self {
        Self { counts: vec![vec![0; labels]; labels] }
    }

    /// Counts (true, predicted) indices, each below `labels`.
    pub(crate) fn of(labels: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut confusion = Self::new(labels);
        for (truth, predicted) in pairs {
            confusion.add(truth, predicted);
        }
        confusion
    }

    /// Counts one row.
    pub(crate) fn add(&mut self, truth: usize, predicted: usize) {
        self.counts[truth][predicted] += 1;
    }

    /// Forgets what was counted.
    pub(crate) fn clear(&mut self) {
        for row in &mut self.counts {
            row.fill(0);
        }
    }

    /// All rows.
    pub(crate) fn rows(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Rows that truly have the label.
    pub(crate) fn support(&self, label: usize) -> u64 {
        self.counts[label].iter().sum()
    }

    /// The share of the label's predictions that are right; 0 if there is none.
    pub(crate) fn precision(&self, label: usize) -> f64 {
        ratio(self.counts[label][label], self.predicted(label))
    }

    /// The share of the label's rows that are found; 0 if there is none.
    pub(crate) fn recall(&self, label: usize) -> f64 {
        ratio(self.counts[label][label], self.support(label))
    }

    /// The harmonic mean of precision and recall.
    pub(crate) fn f1(&self, label: usize) -> f64 {
        let (precision, recall) = (self.precision(label), self.recall(label));
        let sum = precision + recall;
        if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 }
    }

    /// The share of rows that are right; 0 if there is none.
    pub(crate) fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.counts.len()).map(|label| self.counts[label][label]).sum();
        ratio(right, self.rows())
    }

    /// The mean F1 of the labels that some row has or is predicted to have; 0 if there is none.
    pub(crate) fn macro_f1(&self) -> f64 {
        let met = (0..self.counts.len()).filter(|label| self.support(*label) > 0 || self.predicted(*label) > 0);
        let (sum, labels) = met.fold((0.0, 0u64), |(sum, labels), label| (sum + self.f1(label), labels + 1));
        if labels == 0 { 0.0 } else { sum / labels as f64 }
    }

    /// The counts, `[true][predicted]`.
    pub(crate) fn into_counts(self) -> Vec<Vec<u64>> {
        self.counts
    }

    fn predicted(&self, label: usize) -> u64 {
        self.counts.iter().map(|row| row[label]).sum()
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_counted_by_hand() {
        let mut confusion = Confusion::of(3, [(0, 0), (0, 1), (1, 1), (1, 1)]);
        assert_eq!((confusion.rows(), confusion.support(0), confusion.support(2)), (4, 2, 0));
        assert_eq!((confusion.precision(0), confusion.recall(0)), (1.0, 0.5));
        assert_eq!((confusion.precision(2), confusion.recall(2), confusion.f1(2)), (0.0, 0.0, 0.0));
        assert_eq!(confusion.accuracy(), 0.75);
        // F1 is 2/3 for the first label and 2 (2/3) 1 / (5/3) = 0.8 for the second; the third was never met.
        assert!((confusion.macro_f1() - (2.0 / 3.0 + 0.8) / 2.0).abs() < 1e-12);
        confusion.clear();
        assert_eq!((confusion.rows(), confusion.accuracy(), confusion.macro_f1()), (0, 0.0, 0.0));
    }
}
