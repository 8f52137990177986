//! Likely label errors by confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset
//! Labels", 2021).
//!
//! Needs probabilities by models that have not seen the rows: [`crate::out_of_fold`].

mod csv;

use serde::Serialize;

use crate::dataset::card::{Place, excerpt};
use crate::error::TrainingError;
use crate::out_of_fold::OutOfFold;

pub use csv::write_csv;

/// What confident learning says about one task's labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelAudit {
    /// The task's name.
    pub task: String,
    /// Rows judged.
    pub rows: usize,
    /// How many rows have a wrong label, as the confident joint, scaled to each label's rows, estimates it (equation 3).
    pub estimated_errors: f64,
    /// Each label, in the order of the head's outputs.
    pub labels: Vec<AuditedLabel>,
    /// `confident_joint[given][true]`, in rows: those that some label is confidently theirs (equation 1).
    pub confident_joint: Vec<Vec<u64>>,
    /// Rows off the joint's diagonal, the likeliest errors first.
    pub findings: Vec<LabelFinding>,
}

/// One given label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditedLabel {
    /// The label.
    pub label: String,
    /// Rows that have it.
    pub rows: usize,
    /// The mean probability that its own rows get of it (equation 2): a row with at least as much is confidently of this label.
    /// None without a row.
    pub threshold: Option<f64>,
    /// How many of its rows are likely of another label.
    pub findings: u64,
    /// How many of its rows have a wrong label, by estimation.
    pub estimated_errors: f64,
}

/// A row that confidently has another label than the given one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelFinding {
    /// The row's index in [`OutOfFold::rows`].
    #[serde(skip)]
    pub row: usize,
    /// File and line.
    pub at: Place,
    /// The given label.
    pub label: String,
    /// The label that it likely has.
    pub suggested: String,
    /// The given label's probability less the highest one of the others, -1 to 1: the lower, the likelier an error.
    pub margin: f64,
    /// The given label's probability.
    pub label_probability: f64,
    /// The suggested label's probability.
    pub suggested_probability: f64,
    /// The text's first 80 characters, with personal data masked.
    pub text: String,
}

impl LabelAudit {
    /// Audits one task's labels.
    ///
    /// # Errors
    ///
    /// [`TrainingError::NoRows`] without rows, [`TrainingError::NotProbabilities`] for a row with something else.
    pub fn of(judged: &OutOfFold) -> Result<Self, TrainingError> {
        if judged.predictions(None)?.is_empty() {
            return Err(TrainingError::NoRows);
        }
        let count = judged.labels.len();
        let rows_of = |label: usize| judged.rows.iter().filter(move |row| row.label == label);
        let thresholds: Vec<Option<f64>> =
            (0..count).map(|label| mean(rows_of(label).map(|row| row.probabilities[label]))).collect();

        let (mut joint, mut findings) = (vec![vec![0; count]; count], Vec::new());
        for (index, row) in judged.rows.iter().enumerate() {
            let Some(label) = confident_label(&row.probabilities, &thresholds) else { continue };
            joint[row.label][label] += 1;
            if label != row.label {
                findings.push(finding(judged, index, label));
            }
        }
        findings.sort_by(|a, b| a.margin.total_cmp(&b.margin).then(a.row.cmp(&b.row)));
        let labels: Vec<AuditedLabel> = (0..count)
            .map(|label| {
                let (confident, rows) = (joint[label].iter().sum::<u64>(), rows_of(label).count());
                let off = confident - joint[label][label];
                AuditedLabel {
                    label: judged.labels[label].clone(),
                    rows,
                    threshold: thresholds[label],
                    findings: off,
                    estimated_errors: if confident == 0 { 0.0 } else { rows as f64 * off as f64 / confident as f64 },
                }
            })
            .collect();
        Ok(Self {
            task: judged.task.clone(),
            rows: judged.rows.len(),
            estimated_errors: labels.iter().map(|label| label.estimated_errors).sum(),
            labels,
            confident_joint: joint,
            findings,
        })
    }
}

/// The likeliest of the labels whose thresholds the probabilities reach; the first among equals.
fn confident_label(probabilities: &[f64], thresholds: &[Option<f64>]) -> Option<usize> {
    let reached =
        |(label, value): (usize, &f64)| thresholds[label].filter(|least| value >= least).map(|_| (label, *value));
    let all = probabilities.iter().enumerate().filter_map(reached);
    all.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(label, _)| label)
}

fn finding(judged: &OutOfFold, index: usize, suggested: usize) -> LabelFinding {
    let row = &judged.rows[index];
    let others = row.probabilities.iter().enumerate().filter(|(label, _)| *label != row.label);
    let highest = others.map(|(_, value)| *value).fold(0.0, f64::max);
    LabelFinding {
        row: index,
        at: Place::of(&row.at),
        label: judged.labels[row.label].clone(),
        suggested: judged.labels[suggested].clone(),
        margin: row.probabilities[row.label] - highest,
        label_probability: row.probabilities[row.label],
        suggested_probability: row.probabilities[suggested],
        text: excerpt(&row.text),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests;
