//! How a label's cell becomes the label of a row: trimmed, renamed, and written in the one way that equal answers have.

use super::LabelNames;
use crate::error::{Location, TrainingError};
use crate::run::TaskKind;

/// What stands between the labels of one [`Row`](super::Row), whatever stood there in the file: no label has it.
pub(super) const BETWEEN: char = '\u{1f}';

/// What label cells hold, and what labels are called.
#[derive(Debug, Clone, Copy, Default)]
pub struct LabelReading<'a> {
    /// What an answer is.
    pub kind: TaskKind,
    /// Names for labels as the data has them.
    pub names: Option<&'a LabelNames>,
}

impl<'a> From<Option<&'a LabelNames>> for LabelReading<'a> {
    /// One label a row.
    fn from(names: Option<&'a LabelNames>) -> Self {
        Self { kind: TaskKind::default(), names }
    }
}

impl LabelReading<'_> {
    /// Reads a trimmed cell; between the labels of a multi-label one stands `separator`.
    pub(super) fn read(&self, cell: &str, separator: char, at: &Location) -> Result<String, TrainingError> {
        match self.kind {
            TaskKind::SingleLabel | TaskKind::Tokens => self.label(cell, at),
            TaskKind::MultiLabel => self.labels(cell, separator, at),
            TaskKind::Regression => number(cell, at),
        }
    }

    fn label(&self, cell: &str, at: &Location) -> Result<String, TrainingError> {
        match self.names {
            _ if cell.is_empty() => Err(refused(at, "is empty; every row needs a label".to_owned())),
            Some(names) => Ok(names.name_of(cell, at)?.to_owned()),
            None => Ok(cell.to_owned()),
        }
    }

    /// The labels by alphabet, each once, since their order says nothing.
    fn labels(&self, cell: &str, separator: char, at: &Location) -> Result<String, TrainingError> {
        let parts = cell.split(separator).map(str::trim).filter(|part| !part.is_empty());
        let mut labels = parts.map(|part| self.label(part, at)).collect::<Result<Vec<_>, _>>()?;
        labels.sort_unstable();
        labels.dedup();
        Ok(labels.join(&BETWEEN.to_string()))
    }
}

/// The shortest way to write the number.
fn number(cell: &str, at: &Location) -> Result<String, TrainingError> {
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number.to_string()),
        _ => {
            let message = "is no number; a regression needs one in every row, such as -1234.5 or 2e-3";
            Err(refused(at, format!("{cell:?} {message}")))
        }
    }
}

fn refused(at: &Location, message: String) -> TrainingError {
    TrainingError::Row { at: at.clone(), field: "label".to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: TaskKind, cell: &str) -> Result<String, String> {
        let at = Location { path: std::path::Path::new("rows.csv").into(), line: 3 };
        LabelReading { kind, names: None }.read(cell, '|', &at).map_err(|error| error.to_string())
    }

    #[test]
    fn equal_answers_are_written_alike() {
        let check = |kind, cell, expected: &str| assert_eq!(read(kind, cell).unwrap(), expected, "{cell:?}");
        check(TaskKind::SingleLabel, "oil|gas", "oil|gas");
        check(TaskKind::MultiLabel, "oil | gas|oil|", "gas\u{1f}oil");
        check(TaskKind::MultiLabel, "", "");
        check(TaskKind::MultiLabel, " | ", "");
        check(TaskKind::Regression, "-3.50", "-3.5");
        check(TaskKind::Regression, "1e2", "100");
    }

    #[test]
    fn what_is_no_answer_is_named_with_its_place() {
        assert!(read(TaskKind::SingleLabel, "").unwrap_err().contains("rows.csv:3: label: is empty"));
        for cell in ["", "1,5", "much", "NaN", "inf"] {
            let message = read(TaskKind::Regression, cell).unwrap_err();
            assert!(message.contains("rows.csv:3: label: ") && message.contains("is no number"), "{message}");
        }
    }
}
