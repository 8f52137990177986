//! How well a head finds the labels of rows that have any number of them.

use serde::{Deserialize, Serialize};

use super::LabelMetrics;
use crate::evaluation::average_precision;

/// A multi-label head's measured quality on labelled rows (Sokolova and Lapalme, "A Systematic Analysis of Performance Measures for
/// Classification Tasks", 2009; Tsoumakas and others, "Mining Multi-label Data", 2010).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiLabelReport {
    /// The head's name.
    pub head: String,
    /// Rows measured.
    pub rows: usize,
    /// The share of rows all of whose labels are right, and no other is given.
    pub subset_accuracy: f64,
    /// The share of all decisions, one a row and label, that are wrong.
    pub hamming_loss: f64,
    /// F1 over all decisions together: labels of many rows count more.
    pub micro_f1: f64,
    /// The mean of the labels' F1, each label counting alike; labels that no row has or is given are left out.
    pub macro_f1: f64,
    /// The mean of the rows' F1; a row that has no label and is given none counts 1.
    pub samples_f1: f64,
    /// The mean of the labels' [`average_precision`], which no threshold decides; labels without any row are left out.
    pub mean_average_precision: f64,
    /// Each label's figures, in the order of the head's outputs.
    pub labels: Vec<LabelMetrics>,
}

/// Decisions about a label, about a row, or about all.
#[derive(Debug, Clone, Copy, Default)]
struct Decisions {
    found: u64,
    missed: u64,
    wrong: u64,
}

impl MultiLabelReport {
    /// Measures `scores`, one a label for each row. A label is given where its score is above `threshold`; `truths` are the
    /// indices of the labels that the rows truly have.
    pub fn of(head: &str, labels: &[String], truths: &[&[usize]], scores: &[Vec<f32>], threshold: f32) -> Self {
        let mut of_label = vec![Decisions::default(); labels.len()];
        let (mut exact, mut sum_of_f1) = (0u64, 0.0);
        for (truth, scores) in truths.iter().zip(scores) {
            let mut of_row = Decisions::default();
            for (label, (decisions, score)) in of_label.iter_mut().zip(scores).enumerate() {
                let (has, given) = (truth.contains(&label), *score > threshold);
                decisions.add(has, given);
                of_row.add(has, given);
            }
            exact += u64::from(of_row.errors() == 0);
            sum_of_f1 += if of_row.is_empty() { 1.0 } else { of_row.f1() };
        }
        let rows = truths.len().min(scores.len());
        let all = of_label.iter().fold(Decisions::default(), |all, own| all.and(own));
        let of_rows = |sum: f64| if rows == 0 { 0.0 } else { sum / rows as f64 };
        let precisions = (0..labels.len()).filter_map(|label| {
            let has: Vec<bool> = truths.iter().take(rows).map(|truth| truth.contains(&label)).collect();
            let scores: Vec<f64> = scores.iter().take(rows).map(|scores| f64::from(scores[label])).collect();
            average_precision(&scores, &has)
        });
        Self {
            head: head.to_owned(),
            rows,
            subset_accuracy: of_rows(exact as f64),
            hamming_loss: of_rows(all.errors() as f64) / labels.len().max(1) as f64,
            micro_f1: all.f1(),
            macro_f1: mean(of_label.iter().filter(|own| !own.is_empty()).map(Decisions::f1)),
            samples_f1: of_rows(sum_of_f1),
            mean_average_precision: mean(precisions),
            labels: labels.iter().zip(&of_label).map(|(label, decisions)| decisions.metrics(label)).collect(),
        }
    }
}

impl Decisions {
    fn add(&mut self, has: bool, given: bool) {
        self.found += u64::from(has && given);
        self.missed += u64::from(has && !given);
        self.wrong += u64::from(!has && given);
    }

    fn and(self, other: &Self) -> Self {
        let Self { found, missed, wrong } = other;
        Self { found: self.found + found, missed: self.missed + missed, wrong: self.wrong + wrong }
    }

    fn errors(&self) -> u64 {
        self.missed + self.wrong
    }

    /// Whether there is no label that is had or given.
    fn is_empty(&self) -> bool {
        self.found + self.errors() == 0
    }

    fn f1(&self) -> f64 {
        ratio(2 * self.found, 2 * self.found + self.errors())
    }

    fn metrics(&self, label: &str) -> LabelMetrics {
        LabelMetrics {
            label: label.to_owned(),
            precision: ratio(self.found, self.found + self.wrong),
            recall: ratio(self.found, self.found + self.missed),
            f1: self.f1(),
            support: self.found + self.missed,
        }
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn mean(figures: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = figures.fold((0.0, 0u64), |(sum, count), figure| (sum + figure, count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_counted_by_hand() {
        let labels = ["a", "b", "c", "d"].map(str::to_owned);
        let truths: [&[usize]; 4] = [&[0, 1], &[1], &[], &[0]];
        // Given: a and b; a; none; a and c. Nobody has or is given d.
        let scores =
            [[2.0, 1.0, -1.0, -9.0], [1.0, -1.0, -1.0, -9.0], [-3.0, -3.0, -3.0, -9.0], [3.0, -2.0, 1.0, -9.0]];
        let report = MultiLabelReport::of("tags", &labels, &truths, &scores.map(Vec::from), 0.0);
        let close = |figure: f64, expected: f64| assert!((figure - expected).abs() < 1e-12, "{figure}: {report:?}");
        assert_eq!((report.rows, report.labels[0].support, report.labels[3].support), (4, 2, 0));
        // Rows 1 and 3 are right as a whole; of 16 decisions a and b of row 2 and c of row 4 are wrong.
        close(report.subset_accuracy, 0.5);
        close(report.hamming_loss, 3.0 / 16.0);
        close(report.labels[0].precision, 2.0 / 3.0);
        close(report.labels[0].recall, 1.0);
        close(report.labels[1].recall, 0.5);
        // Three are found, one is missed, two are wrong.
        close(report.micro_f1, 6.0 / 9.0);
        close(report.macro_f1, (0.8 + 2.0 / 3.0 + 0.0) / 3.0);
        close(report.samples_f1, (1.0 + 0.0 + 1.0 + 2.0 / 3.0) / 4.0);
        // a's rows stand first and second, b's too.
        close(report.mean_average_precision, 1.0);
    }

    #[test]
    fn no_row_has_no_figure() {
        let report = MultiLabelReport::of("tags", &["a".to_owned()], &[], &[], 0.0);
        let figures = (report.rows, report.subset_accuracy, report.hamming_loss, report.micro_f1, report.samples_f1);
        assert_eq!(figures, (0, 0.0, 0.0, 0.0, 0.0));
    }
}
