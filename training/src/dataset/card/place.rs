//! Where a finding stands, and what of its text a card may show.

use std::fmt;

use inference::cleaning::personal::masked;
use inference::pair;
use serde::{Deserialize, Serialize};

use crate::dataset::Row;
use crate::error::Location;

/// Characters of a text that a card shows.
const SHOWN_CHARACTERS: usize = 80;

/// File and line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; in a Parquet file the row, from 1.
    pub line: u64,
}

impl Place {
    pub(crate) fn of(at: &Location) -> Self {
        Self { file: at.path.display().to_string(), line: at.line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A labelled text and where it stands first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextAt {
    /// File and line.
    pub at: Place,
    /// Its label there.
    pub label: String,
    /// Its first 80 characters, with personal data masked.
    pub text: String,
}

impl TextAt {
    pub(super) fn of(row: &Row) -> Self {
        Self { at: Place::of(&row.at), label: row.label.clone(), text: excerpt(&row.text) }
    }
}

/// The beginning of a text, with personal data masked.
pub(crate) fn excerpt(text: &str) -> String {
    let text = masked(&text.replace(pair::BETWEEN, " | "));
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
        None => text,
    }
}
