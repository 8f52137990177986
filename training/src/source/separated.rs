//! `text@label`, one a line: how the Financial PhraseBank is written.

use std::path::Path;
use std::sync::Arc;

use super::{Columns, RawRow};
use crate::error::{Location, TrainingError};

pub(super) fn read(
    content: &str,
    path: &Arc<Path>,
    separator: char,
    columns: &Columns<'_>,
) -> Result<Vec<RawRow>, TrainingError> {
    if let Some(wanted) = columns.extra.first() {
        return Err(TrainingError::MissingColumn {
            path: path.to_path_buf(),
            wanted: wanted.clone(),
            found: ["text", "label"].map(str::to_owned).to_vec(),
        });
    }
    let mut rows = Vec::new();
    for (index, line) in content.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let at = Location { path: path.clone(), line: index as u64 + 1 };
        let Some((text, label)) = line.rsplit_once(separator) else {
            return Err(TrainingError::Row {
                at,
                field: "label".to_owned(),
                message: format!("the line has no {separator:?} between text and label"),
            });
        };
        rows.push(RawRow { text: text.to_owned(), label: label.to_owned(), extra: Vec::new(), at });
    }
    Ok(rows)
}
