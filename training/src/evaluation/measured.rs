//! A model measured on labelled rows, in the figures of the head's kind.

use std::fmt;

use inference::{Head, Model, TaskKind};
use serde::Serialize;

use super::predict::{label_set, named_head, score};
use super::presentation::{document, figures_of_labels, figures_of_numbers, text};
use super::{Evaluation, predict};
use crate::dataset::{Row, Target};
use crate::error::TrainingError;
use crate::metrics::{MultiLabelReport, RegressionReport};

/// What was measured of one head; in JSON it is its figures alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Measured {
    /// One label a row.
    SingleLabel(Box<Evaluation>),
    /// Any number of labels a row.
    MultiLabel(MultiLabelReport),
    /// A number a row.
    Regression(RegressionReport),
}

/// What the answers are of the head that is asked: the one of this name, else the only one, or all.
///
/// # Errors
///
/// [`TrainingError::MissingHead`], and [`TrainingError::OtherKind`] if no head is named and there are several, not all of which choose one
/// label.
pub fn kind_of(heads: &[Head], name: Option<&str>) -> Result<TaskKind, TrainingError> {
    let first = match name {
        Some(name) => &heads[named_head(heads, name)?],
        None => heads.first().ok_or(TrainingError::MissingHead { wanted: String::new(), found: Vec::new() })?,
    };
    // Of heads that choose one label, the labels tell which.
    let is_other = |head: &&Head| head.kind != TaskKind::SingleLabel || head.kind != first.kind;
    match heads.iter().skip(1).find(|head| name.is_none() && is_other(head)) {
        None => Ok(first.kind),
        Some(other) => Err(TrainingError::OtherKind {
            head: other.name.to_string(),
            kind: other.kind,
            message: format!("{:?} before it is {}; name the one to measure with --head", first.name, first.kind),
        }),
    }
}

/// Measures the head of [`kind_of`] on rows that were read as its kind asks; of several single-label heads without a name, the
/// first one that knows every label.
///
/// # Errors
///
/// Those of [`kind_of`] and of [`predict()`].
pub fn measure(model: &mut dyn Model, rows: &[Row], name: Option<&str>) -> Result<Measured, TrainingError> {
    let kind = kind_of(model.heads(), name)?;
    if kind == TaskKind::SingleLabel {
        return Ok(Measured::SingleLabel(Box::new(Evaluation::of(&predict(model, rows, name)?))));
    }
    if rows.is_empty() {
        return Err(TrainingError::NoRows);
    }
    let index = name.map_or(Ok(0), |name| named_head(model.heads(), name))?;
    let (head, labels) = (model.heads()[index].name.to_string(), label_set(&model.heads()[index]));
    let targets = rows.iter().map(|row| labels.target(row, kind)).collect::<Result<Vec<_>, _>>()?;
    let mut answers: Vec<Vec<f32>> = Vec::with_capacity(rows.len());
    score(model, rows, &head, |_, scores| {
        answers.push(scores.head(index).to_vec());
        Ok(())
    })?;
    if kind == TaskKind::MultiLabel {
        let truths: Vec<&[usize]> = targets.iter().map(Target::labels).collect();
        return Ok(Measured::MultiLabel(MultiLabelReport::of(&head, labels.names(), &truths, &answers, 0.5)));
    }
    let pair = |(target, answer): (&Target, &Vec<f32>)| Some((target.value()?, f64::from(*answer.first()?)));
    let pairs: Vec<(f64, f64)> = targets.iter().zip(&answers).filter_map(pair).collect();
    Ok(Measured::Regression(RegressionReport::of(&head, &pairs)))
}

impl Measured {
    /// A Markdown document of this title with everything measured; ends in a line break.
    pub fn markdown(&self, title: &str) -> String {
        match self {
            Self::SingleLabel(evaluation) => evaluation.markdown(title),
            Self::MultiLabel(report) => document(title, &figures_of_labels(report)),
            Self::Regression(report) => document(title, &figures_of_numbers(report)),
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SingleLabel(evaluation) => evaluation.fmt(f),
            Self::MultiLabel(report) => report.fmt(f),
            Self::Regression(report) => report.fmt(f),
        }
    }
}

impl fmt::Display for MultiLabelReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&figures_of_labels(self)))
    }
}

impl fmt::Display for RegressionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&figures_of_numbers(self)))
    }
}

#[cfg(test)]
mod tests {
    use inference::{InferenceError, Scores};

    use super::*;
    use crate::error::Location;

    /// Says what stands in the text: `0.9 0.1 12.5`.
    struct Reader(Vec<Head>);

    impl Model for Reader {
        fn heads(&self) -> &[Head] {
            &self.0
        }

        fn version(&self) -> &str {
            "1"
        }

        fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, InferenceError> {
            let scores = |text: &&str| {
                let values: Vec<f32> = text.split(' ').map(|value| value.parse().unwrap()).collect();
                Scores::new([values[..2].into(), values[2..].into()])
            };
            Ok(texts.iter().map(scores).collect())
        }
    }

    fn model() -> Reader {
        let tags = Head::new("tags", ["oil", "gas"]).of_kind(TaskKind::MultiLabel);
        Reader(vec![tags, Head::new("price", ["price"]).of_kind(TaskKind::Regression)])
    }

    fn row(text: &str, label: &str) -> Row {
        let at = Location { path: std::path::Path::new("rows.csv").into(), line: 2 };
        Row { text: text.into(), label: label.into(), agreement: 1.0, extra: Vec::new(), at }
    }

    #[test]
    fn many_labels_are_measured_by_those_above_a_half() {
        let rows = [row("0.9 0.2 0", "oil"), row("0.6 0.7 0", "oil\u{1f}gas"), row("0.1 0.6 0", "")];
        let measured = measure(&mut model(), &rows, Some("tags")).unwrap();
        let Measured::MultiLabel(report) = &measured else { panic!("{measured}") };
        assert!((report.micro_f1 - 6.0 / 7.0).abs() < 1e-12 && report.labels[1].support == 1, "{report:?}");
        let table = measured.to_string();
        for part in ["tags (3 rows)", "oil", "micro F1", "0.8571", "Hamming loss"] {
            assert!(table.contains(part), "no {part} in\n{table}");
        }
        assert!(measured.markdown("news@1").starts_with("# news@1\n\n## tags (3 rows)"));
        let message = measure(&mut model(), &[row("0 0 0", "coal")], Some("tags")).unwrap_err().to_string();
        assert!(message.contains("rows.csv:2: unknown label \"coal\""), "{message}");
    }

    #[test]
    fn numbers_are_measured_in_their_unit() {
        let rows = [row("0 0 12.5", "12"), row("0 0 -3", "-3.5")];
        let measured = measure(&mut model(), &rows, Some("price")).unwrap();
        let Measured::Regression(report) = &measured else { panic!("{measured}") };
        assert_eq!((report.mean_absolute_error, report.root_mean_squared_error), (0.5, 0.5));
        assert!(measured.to_string().contains("mean absolute error"), "{measured}");
        let message = measure(&mut model(), &[row("0 0 0", "much")], Some("price")).unwrap_err().to_string();
        assert!(message.contains("\"much\" is no number"), "{message}");
    }

    #[test]
    fn one_of_several_heads_must_be_named() {
        let message = kind_of(model().heads(), None).unwrap_err().to_string();
        assert!(message.contains("head \"price\" is regression: \"tags\" before it is multi-label"), "{message}");
        assert!(message.contains("--head"), "{message}");
        assert_eq!(kind_of(&model().heads()[..1], None).unwrap(), TaskKind::MultiLabel);
        assert!(matches!(kind_of(model().heads(), Some("tone")), Err(TrainingError::MissingHead { .. })));
        assert!(matches!(measure(&mut model(), &[], Some("tags")), Err(TrainingError::NoRows)));
        // What asks for one label a row says so.
        let message = predict(&mut model(), &[row("0 0 0", "oil")], None).unwrap_err().to_string();
        assert!(message.contains("head \"tags\" is multi-label"), "{message}");
    }
}
