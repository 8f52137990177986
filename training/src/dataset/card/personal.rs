//! Personal data in texts: e-mail addresses, phone numbers, payment cards and IBANs.
//!
//! The scanners look for what has a form that can be checked. They are a warning, not a proof of absence: names and postal
//! addresses have no such form.

mod bank;
mod email;
mod number;
mod payment;
mod phone;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use foundation::progress::{Progress, Unit};
use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::dataset::Row;

/// Places of a kind that a card shows.
const SHOWN_PLACES: usize = 3;

/// Rows scanned between two movements of the progress bar.
const BLOCK: usize = 512;

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonalKind {
    /// `local@domain` (RFC 5322, without quoted local parts).
    EmailAddress,
    /// An international number (ITU-T E.164), a North American one, or one with a trunk zero, written in groups.
    PhoneNumber,
    /// A card number of a known issuer's range whose check digit agrees (ISO/IEC 7812-1).
    PaymentCard,
    /// An IBAN of its country's length whose check digits agree (ISO 13616).
    Iban,
}

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

/// A finding in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    kind: PersonalKind,
    /// In bytes, on characters' borders.
    range: Range<usize>,
}

impl PersonalKind {
    /// All kinds, in the order of a card.
    pub const ALL: [Self; 4] = [Self::EmailAddress, Self::PhoneNumber, Self::PaymentCard, Self::Iban];

    /// What takes a value's place.
    fn placeholder(self) -> &'static str {
        match self {
            Self::EmailAddress => "[EMAIL]",
            Self::PhoneNumber => "[PHONE]",
            Self::PaymentCard => "[CARD]",
            Self::Iban => "[IBAN]",
        }
    }

    /// What may be shown of a value.
    fn mask(self, value: &str) -> String {
        match self {
            Self::EmailAddress => email::mask(value),
            Self::PhoneNumber => keep_ends(value, 0, 2),
            Self::PaymentCard => keep_ends(value, 0, 4),
            Self::Iban => keep_ends(value, 2, 2),
        }
    }
}

impl fmt::Display for PersonalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmailAddress => "e-mail addresses",
            Self::PhoneNumber => "phone numbers",
            Self::PaymentCard => "payment cards",
            Self::Iban => "IBANs",
        })
    }
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

/// The text with every finding masked: `j***@***.org`.
pub fn masked(text: &str) -> String {
    rewritten(text, |kind, value| kind.mask(value))
}

/// The text with a placeholder for every finding, and the kinds that were found.
pub(crate) fn with_placeholders(text: &str) -> (String, BTreeSet<PersonalKind>) {
    let mut kinds = BTreeSet::new();
    let text = rewritten(text, |kind, _| {
        kinds.insert(kind);
        kind.placeholder().to_owned()
    });
    (text, kinds)
}

fn rewritten(text: &str, mut write: impl FnMut(PersonalKind, &str) -> String) -> String {
    let (mut written, mut end) = (String::with_capacity(text.len()), 0);
    for Finding { kind, range } in findings(text) {
        written.push_str(&text[end..range.start]);
        written.push_str(&write(kind, &text[range.clone()]));
        end = range.end;
    }
    written + &text[end..]
}

/// All findings, in the text's order, none of which overlap: what is checked best wins.
fn findings(text: &str) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut add = |kind: PersonalKind, ranges: Vec<Range<usize>>| {
        for range in ranges {
            if found.iter().all(|other| range.end <= other.range.start || other.range.end <= range.start) {
                found.push(Finding { kind, range });
            }
        }
    };
    add(PersonalKind::Iban, bank::ibans(text));
    add(PersonalKind::EmailAddress, email::addresses(text));
    let runs = number::runs(text);
    add(PersonalKind::PaymentCard, payment::cards(&runs));
    add(PersonalKind::PhoneNumber, phone::phones(&runs));
    found.sort_unstable_by_key(|finding| finding.range.start);
    found
}

/// Letters and digits become asterisks, but for the first `head` and the last `tail` of them; separators stay.
fn keep_ends(value: &str, head: usize, tail: usize) -> String {
    let all = value.chars().filter(|c| c.is_alphanumeric()).count();
    let mut index = 0;
    let shown = value.chars().map(|c| {
        if !c.is_alphanumeric() {
            return c;
        }
        index += 1;
        if index <= head || index + tail > all { c } else { '*' }
    });
    shown.collect()
}

#[cfg(test)]
mod tests;
