//! A head's quality in the figures of its kind.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{EntityReport, EvaluationReport};
use crate::dataset::Target;
use crate::run::TaskKind;

/// A head's measured quality; in JSON it is its figures alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeadReport {
    /// One label a row.
    SingleLabel(EvaluationReport),
    /// A tag for each word, by the entities that they mark.
    Entities(EntityReport),
}

impl HeadReport {
    /// Measures a head's logits, one row for each target, or for each tag of one.
    pub(crate) fn of<'a>(
        kind: TaskKind,
        head: &str,
        labels: &[String],
        targets: impl Iterator<Item = &'a Target>,
        logits: &[Vec<f32>],
    ) -> Self {
        match kind {
            TaskKind::SingleLabel => {
                let pairs = targets.zip(logits).filter_map(|(target, row)| Some((target.label()?, likeliest(row))));
                Self::SingleLabel(EvaluationReport::from_pairs(head, labels, pairs))
            }
            TaskKind::Tokens => {
                let predicted: Vec<usize> = logits.iter().map(|row| likeliest(row)).collect();
                let mut rest = &predicted[..];
                let texts = targets.map(|target| {
                    let (own, others) = rest.split_at(target.labels().len().min(rest.len()));
                    rest = others;
                    (target.labels(), own)
                });
                Self::Entities(EntityReport::of(head, labels, texts))
            }
        }
    }

    /// The head's name.
    pub fn head(&self) -> &str {
        match self {
            Self::SingleLabel(report) => &report.head,
            Self::Entities(report) => &report.head,
        }
    }

    /// Rows measured.
    pub fn rows(&self) -> usize {
        match self {
            Self::SingleLabel(report) => report.rows,
            Self::Entities(report) => report.rows,
        }
    }

    /// What epochs are compared by, whatever the kind: more is better, and 1 is perfect.
    pub fn score(&self) -> f64 {
        match self {
            Self::SingleLabel(report) => report.macro_f1,
            Self::Entities(report) => report.f1,
        }
    }

    /// The figures that tell the most, with their names.
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::SingleLabel(report) => vec![("accuracy", report.accuracy), ("macro_f1", report.macro_f1)],
            Self::Entities(EntityReport { precision, recall, f1, .. }) => {
                vec![("entity_precision", *precision), ("entity_recall", *recall), ("entity_f1", *f1)]
            }
        }
    }
}

impl fmt::Display for HeadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SingleLabel(report) => report.fmt(f),
            Self::Entities(report) => report.fmt(f),
        }
    }
}

/// The index of the largest logit, the first among equals.
fn likeliest(logits: &[f32]) -> usize {
    (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_likeliest() {
        assert_eq!((likeliest(&[0.0, 2.0, 2.0]), likeliest(&[3.0, 1.0, 2.0])), (1, 0));
    }
}
