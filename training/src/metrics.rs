//! How good a head's answers are.

mod confusion;
mod entities;
mod head_report;
mod multi_label;
mod regression;
mod retrieval;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use confusion::Confusion;
pub use entities::EntityReport;
pub use head_report::HeadReport;
pub use multi_label::MultiLabelReport;
pub use regression::RegressionReport;
pub use retrieval::RetrievalReport;
pub(crate) use retrieval::ranks;

/// A head's measured quality on labelled rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// The head's name.
    pub head: String,
    /// Rows measured.
    pub rows: usize,
    /// The share of rows whose likeliest label is the true one.
    pub accuracy: f64,
    /// The mean of the labels' F1, each label counting alike; labels without any row are left out.
    pub macro_f1: f64,
    /// Each label's figures, in the order of the head's outputs.
    pub labels: Vec<LabelMetrics>,
    /// `confusion[true][predicted]`, in rows.
    pub confusion: Vec<Vec<u64>>,
}

/// One label's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelMetrics {
    /// The label.
    pub label: String,
    /// The share of its predictions that are right; 0 if there is none.
    pub precision: f64,
    /// The share of its rows that are found; 0 if there is none.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// Rows that truly have it.
    pub support: u64,
}

impl EvaluationReport {
    /// Counts predictions. `pairs` yields (true, predicted) indices into `labels`.
    pub fn from_pairs(head: &str, labels: &[String], pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let confusion = Confusion::of(labels.len(), pairs);
        let figures = labels.iter().enumerate().map(|(index, label)| LabelMetrics {
            label: label.clone(),
            precision: confusion.precision(index),
            recall: confusion.recall(index),
            f1: confusion.f1(index),
            support: confusion.support(index),
        });
        Self {
            head: head.to_owned(),
            rows: confusion.rows() as usize,
            accuracy: confusion.accuracy(),
            macro_f1: confusion.macro_f1(),
            labels: figures.collect(),
            confusion: confusion.into_counts(),
        }
    }
}

impl fmt::Display for EvaluationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.labels.iter().map(|label| label.label.chars().count()).max().unwrap_or(0).max(10);
        let first = format!("{} ({} rows)", self.head, self.rows);
        let width = width.max(first.chars().count());
        writeln!(f, "{first:width$}  precision  recall      f1  support")?;
        for label in &self.labels {
            writeln!(
                f,
                "{:width$}  {:>9.3}  {:>6.3}  {:>6.3}  {:>7}",
                label.label, label.precision, label.recall, label.f1, label.support
            )?;
        }
        write!(f, "{:width$}  accuracy {:.4}, macro F1 {:.4}", "all", self.accuracy, self.macro_f1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["negative", "neutral", "positive"].map(str::to_owned).to_vec()
    }

    #[test]
    fn figures_are_those_counted_by_hand() {
        let pairs = [(0, 0), (0, 1), (1, 1), (1, 1), (1, 2), (2, 2)];
        let report = EvaluationReport::from_pairs("sentiment", &labels(), pairs);
        assert_eq!(report.rows, 6);
        assert!((report.accuracy - 4.0 / 6.0).abs() < 1e-12);
        let negative = &report.labels[0];
        assert!((negative.precision - 1.0).abs() < 1e-12 && (negative.recall - 0.5).abs() < 1e-12);
        assert_eq!(report.confusion[0], [1, 1, 0]);
        // F1: 2/3 for each of the three labels.
        assert!((report.macro_f1 - 2.0 / 3.0).abs() < 1e-12, "{}", report.macro_f1);
        let table = report.to_string();
        assert!(table.contains("sentiment (6 rows)") && table.contains("accuracy 0.6667, macro F1 0.6667"), "{table}");
    }

    #[test]
    fn a_label_that_nobody_met_does_not_weigh() {
        let report = EvaluationReport::from_pairs("sentiment", &labels(), [(0, 0), (1, 1)]);
        assert!((report.macro_f1 - 1.0).abs() < 1e-12);
        let empty = EvaluationReport::from_pairs("sentiment", &labels(), []);
        assert_eq!((empty.accuracy, empty.macro_f1), (0.0, 0.0));
    }

    #[test]
    fn a_report_survives_json() {
        let report = EvaluationReport::from_pairs("sentiment", &labels(), [(0, 0), (1, 2)]);
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<EvaluationReport>(&json).unwrap(), report);
    }
}
