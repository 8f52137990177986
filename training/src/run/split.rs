//! Which rows are held out, and by what they are chosen.

use serde::{Deserialize, Serialize};

/// The shares of rows that are held out, and what decides which rows these are.
///
/// ```toml
/// split = { by = "time", column = "published", validation = 0.1, test = 0.2 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Split {
    /// What decides.
    pub by: SplitBy,
    /// The share that chooses the best epoch.
    pub validation: f64,
    /// The share that is reported at the end, and looked at only then.
    pub test: f64,
    /// How many rows of each label are learned from at the most, drawn by the seed from those that are not held out; all of them
    /// where it is not set.
    pub rows_per_label: Option<usize>,
}

/// What decides on which side a row falls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SplitBy {
    /// The seed: every label falls on the sides in the same shares. What a row's side is depends on all other rows.
    #[default]
    Stratified,
    /// The row's own text and nothing else: a row keeps its side whatever rows are added or taken away, and whatever the seed.
    /// The labels' shares are those asked for only in expectation.
    Digest,
    /// A column that holds times: the newest rows are the test side, those before them the validation side. Rows of one time
    /// stay together.
    Time {
        /// The column, key or JSON Pointer.
        column: String,
    },
    /// A column, all rows with one value of which stay together: an author, a document, a customer. The seed chooses among the
    /// groups.
    Group {
        /// The column, key or JSON Pointer.
        column: String,
    },
}

impl SplitBy {
    /// The column that is read for it.
    pub fn column(&self) -> Option<&String> {
        match self {
            Self::Stratified | Self::Digest => None,
            Self::Time { column } | Self::Group { column } => Some(column),
        }
    }
}

impl Default for Split {
    fn default() -> Self {
        Self { by: SplitBy::default(), validation: 0.15, test: 0.15, rows_per_label: None }
    }
}

/// How a split stands in a run's file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    by: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    validation: f64,
    test: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows_per_label: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    #[default]
    Stratified,
    Digest,
    Time,
    Group,
}

impl Default for Written {
    fn default() -> Self {
        Split::default().into()
    }
}

impl From<Split> for Written {
    fn from(split: Split) -> Self {
        let by = match &split.by {
            SplitBy::Stratified => Name::Stratified,
            SplitBy::Digest => Name::Digest,
            SplitBy::Time { .. } => Name::Time,
            SplitBy::Group { .. } => Name::Group,
        };
        let column = split.by.column().cloned();
        Self { by, column, validation: split.validation, test: split.test, rows_per_label: split.rows_per_label }
    }
}

impl TryFrom<Written> for Split {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let by = match (written.by, written.column.clone()) {
            (Name::Stratified, None) => SplitBy::Stratified,
            (Name::Digest, None) => SplitBy::Digest,
            (Name::Time, Some(column)) => SplitBy::Time { column },
            (Name::Group, Some(column)) => SplitBy::Group { column },
            (Name::Time, None) => return Err("a split by time needs `column`, the name of the column with the times"),
            (Name::Group, None) => {
                return Err("a split by group needs `column`, the name of the column with the groups");
            }
            (Name::Stratified | Name::Digest, Some(_)) => {
                return Err("`column` belongs to a split by time or by group: set `by`, or leave `column` out");
            }
        };
        let Written { validation, test, rows_per_label, .. } = written;
        Ok(Self { by, validation, test, rows_per_label })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_reads_as_it_is_written() {
        let column = || "author".to_owned();
        for by in [
            SplitBy::Stratified,
            SplitBy::Digest,
            SplitBy::Time { column: column() },
            SplitBy::Group { column: column() },
        ] {
            let split = Split { by, validation: 0.1, test: 0.2, rows_per_label: Some(10) };
            let text = serde_json::to_string(&split).unwrap();
            assert_eq!(serde_json::from_str::<Split>(&text).unwrap(), split, "{text}");
        }
        assert_eq!(serde_json::from_str::<Split>("{}").unwrap(), Split::default());
    }

    #[test]
    fn a_column_that_is_missing_or_too_many_is_refused() {
        let check = |text: &str, expected: &str| {
            let message = serde_json::from_str::<Split>(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text} gave {message}");
        };
        check(r#"{"by": "time"}"#, "by time needs `column`");
        check(r#"{"by": "group"}"#, "by group needs `column`");
        check(r#"{"column": "author"}"#, "set `by`");
        check(r#"{"by": "random"}"#, "random");
        check(r#"{"share": 0.5}"#, "share");
    }
}
