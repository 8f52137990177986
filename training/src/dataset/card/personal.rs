//! Personal data in rows, counted and shown where it may be.

use foundation::progress::{Progress, Unit};
use inference::cleaning::personal::{Finding, PersonalKind, findings};
use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::dataset::Row;

/// Places of a kind that a card shows.
const SHOWN_PLACES: usize = 3;

/// Rows scanned between two movements of the progress bar.
const BLOCK: usize = 512;

/// What of one kind stands in the texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalData {
    /// The kind.
    pub kind: PersonalKind,
    /// How many, repeats included.
    pub count: usize,
    /// Rows with at least one.
    pub rows: usize,
    /// The first three.
    pub shown: Vec<PersonalPlace>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalPlace {
    /// File and line.
    pub at: Place,
    /// What of the value may be shown: `j***@***.org`, `************1111`.
    pub masked: String,
}

impl PersonalData {
    /// One entry for each kind.
    pub(super) fn scan(rows: &[Row]) -> Vec<Self> {
        let progress = Progress::start("looking for personal data", Some(rows.len() as u64), Unit::Items("rows"));
        let mut kinds = PersonalKind::ALL.map(|kind| Self { kind, count: 0, rows: 0, shown: Vec::new() });
        for block in rows.chunks(BLOCK) {
            for row in block {
                let findings = findings(&row.text);
                kinds.iter_mut().for_each(|kind| kind.add(row, &findings));
            }
            progress.advance(block.len() as u64);
        }
        Vec::from(kinds)
    }

    fn add(&mut self, row: &Row, findings: &[Finding]) {
        let before = self.count;
        for finding in findings.iter().filter(|finding| finding.kind == self.kind) {
            self.count += 1;
            if self.shown.len() < SHOWN_PLACES {
                let masked = self.kind.mask(&row.text[finding.range.clone()]);
                self.shown.push(PersonalPlace { at: Place::of(&row.at), masked });
            }
        }
        self.rows += usize::from(self.count > before);
    }
}

#[cfg(test)]
mod tests;
