//! `text@label`, one a line: how the Financial PhraseBank is written.

use std::path::Path;
use std::sync::Arc;

use super::RawRow;
use crate::error::{Location, TrainingError};

pub(super) fn read(content: &str, path: &Arc<Path>, separator: char) -> Result<Vec<RawRow>, TrainingError> {
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
        rows.push(RawRow { text: text.to_owned(), label: label.to_owned(), at });
    }
    Ok(rows)
}
