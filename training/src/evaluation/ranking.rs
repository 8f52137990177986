//! Each label against the rest: how well its probability orders the rows, whatever threshold is chosen.

use serde::Serialize;

use super::{Predictions, average_precision, roc_auc};

/// Ranking figures of all labels, one-vs-rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// The mean of the labels' areas under the ROC curve; none if no label has one.
    pub roc_auc: Option<f64>,
    /// The mean of the labels' average precisions; none if no label has one.
    pub average_precision: Option<f64>,
    /// Each label's figures, in the order of the head's outputs.
    pub labels: Vec<LabelRanking>,
}

/// One label's ranking figures: its rows are positive, all others negative.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelRanking {
    /// The label.
    pub label: String,
    /// See [`roc_auc()`]; none if all rows or no row have the label.
    pub roc_auc: Option<f64>,
    /// See [`average_precision()`]; none if no row has the label.
    pub average_precision: Option<f64>,
}

impl Ranking {
    /// Ranks the rows by each label's probability. Macro means leave out labels without a figure.
    ///
    /// One-vs-rest as in Provost and Domingos, "Well-trained PETs: improving probability estimation trees" (2000), labels
    /// weighing alike.
    pub fn of(predictions: &Predictions) -> Self {
        let labels: Vec<LabelRanking> = predictions
            .labels()
            .iter()
            .enumerate()
            .map(|(index, label)| {
                let (positive, scores): (Vec<bool>, Vec<f64>) =
                    predictions.rows().map(|(truth, probabilities)| (truth == index, probabilities[index])).unzip();
                LabelRanking {
                    label: label.clone(),
                    roc_auc: roc_auc(&scores, &positive),
                    average_precision: average_precision(&scores, &positive),
                }
            })
            .collect();
        Self {
            roc_auc: mean(labels.iter().filter_map(|label| label.roc_auc)),
            average_precision: mean(labels.iter().filter_map(|label| label.average_precision)),
            labels,
        }
    }
}

fn mean(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = figures.fold((0.0, 0u64), |(sum, count), figure| (sum + figure, count + 1));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::predictions::rows_of;

    #[test]
    fn macro_means_leave_out_labels_without_rows() {
        let ranking = Ranking::of(&rows_of(&[
            (0, [0.7, 0.2, 0.1]),
            (0, [0.3, 0.6, 0.1]),
            (1, [0.4, 0.5, 0.1]),
            (1, [0.1, 0.7, 0.2]),
        ]));
        // a: positives 0.7 and 0.3 against 0.4 and 0.1: 3 of 4 pairs; precisions 1 and 2/3.
        // b: positives 0.5 and 0.7 against 0.2 and 0.6: 3 of 4 pairs; precisions 1 and 2/3.
        for label in &ranking.labels[..2] {
            assert_eq!(label.roc_auc, Some(0.75));
            assert!((label.average_precision.unwrap() - 5.0 / 6.0).abs() < 1e-12);
        }
        assert_eq!((ranking.labels[2].roc_auc, ranking.labels[2].average_precision), (None, None));
        assert_eq!(ranking.roc_auc, Some(0.75));
        assert!((ranking.average_precision.unwrap() - 5.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn one_label_alone_has_no_area() {
        let ranking = Ranking::of(&rows_of(&[(0, [0.7, 0.3]), (0, [0.6, 0.4])]));
        assert_eq!((ranking.roc_auc, ranking.average_precision), (None, Some(1.0)));
    }
}
