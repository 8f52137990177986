//! A head's quality in the figures of its kind.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{EntityReport, EvaluationReport, MultiLabelReport, RegressionReport};
use crate::dataset::Target;
use crate::run::TaskKind;

/// A head's measured quality; in JSON it is its figures alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeadReport {
    /// One label a row.
    SingleLabel(EvaluationReport),
    /// Any number of labels a row.
    MultiLabel(MultiLabelReport),
    /// A number a row.
    Regression(RegressionReport),
    /// A tag for each word, by the entities that they mark.
    Entities(EntityReport),
}

impl HeadReport {
    /// Measures a head's logits, one row for each target, or for each tag of one; numbers are in their own unit.
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
            TaskKind::MultiLabel => {
                let truths: Vec<&[usize]> = targets.map(Target::labels).collect();
                Self::MultiLabel(MultiLabelReport::of(head, labels, &truths, logits, 0.0))
            }
            TaskKind::Regression => {
                let pair = |(target, row): (&Target, &Vec<f32>)| Some((target.value()?, f64::from(*row.first()?)));
                let pairs: Vec<(f64, f64)> = targets.zip(logits).filter_map(pair).collect();
                Self::Regression(RegressionReport::of(head, &pairs))
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
            Self::MultiLabel(report) => &report.head,
            Self::Regression(report) => &report.head,
            Self::Entities(report) => &report.head,
        }
    }

    /// Rows measured.
    pub fn rows(&self) -> usize {
        match self {
            Self::SingleLabel(report) => report.rows,
            Self::MultiLabel(report) => report.rows,
            Self::Regression(report) => report.rows,
            Self::Entities(report) => report.rows,
        }
    }

    /// What epochs are compared by: more is better, and 1 is perfect. The macro F1 of one label a row; the mean average
    /// precision of many, since a young model gives none of them and every threshold's figure is zero; R² of numbers.
    pub fn score(&self) -> f64 {
        match self {
            Self::SingleLabel(report) => report.macro_f1,
            Self::MultiLabel(report) => report.mean_average_precision,
            Self::Regression(report) => report.r_squared.unwrap_or(0.0),
            Self::Entities(report) => report.f1,
        }
    }

    /// The figures that tell the most, with their names.
    pub fn figures(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::SingleLabel(report) => vec![("accuracy", report.accuracy), ("macro_f1", report.macro_f1)],
            Self::MultiLabel(report) => vec![
                ("mean_average_precision", report.mean_average_precision),
                ("micro_f1", report.micro_f1),
                ("macro_f1", report.macro_f1),
            ],
            Self::Regression(report) => {
                let error = Some(("root_mean_squared_error", report.root_mean_squared_error));
                error.into_iter().chain(report.r_squared.map(|share| ("r_squared", share))).collect()
            }
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
            Self::MultiLabel(report) => report.fmt(f),
            Self::Regression(report) => report.fmt(f),
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

    #[test]
    fn a_report_of_each_kind_survives_a_file() {
        let labels = ["down", "up"].map(str::to_owned);
        let logits = [vec![-1.0, 2.0], vec![0.3, 0.7]];
        let check = |kind, targets: [Target; 2], score: f64| {
            let report = HeadReport::of(kind, "mood", &labels, targets.iter(), &logits);
            assert!((report.score() - score).abs() < 1e-6, "{report:?}");
            assert_eq!((report.head(), report.rows()), ("mood", 2));
            let json = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<HeadReport>(&json).unwrap(), report, "{json}");
            let toml = toml::to_string(&report).unwrap();
            assert_eq!(toml::from_str::<HeadReport>(&toml).unwrap(), report, "{toml}");
        };
        check(TaskKind::SingleLabel, [1, 1].map(Target::Label), 1.0);
        // Only the second row has down, and it has the higher logit of the two; the first has up, and so has the higher one.
        check(TaskKind::MultiLabel, [Target::Labels([1].into()), Target::Labels([0].into())], 1.0);
        // All numbers are equal, so R² is none.
        check(TaskKind::Regression, [0.5, 0.5].map(Target::Value), 0.0);
        // Errors of 0 and 0.7 where the mean's are 1 and 1.
        check(TaskKind::Regression, [-1.0, 1.0].map(Target::Value), 1.0 - 0.7 * 0.7 / 2.0);
    }
}
