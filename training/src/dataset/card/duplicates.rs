//! Texts that stand in several rows, and those that have several labels.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};

use super::SHOWN;
use super::place::{Place, excerpt};
use crate::dataset::{Row, key};

/// A text with all its rows.
pub(super) struct Text<'a> {
    pub(super) first: &'a Row,
    more: Vec<&'a Row>,
}

/// Rows by their texts. Two texts are one if an uncased encoder cannot tell them apart.
pub(super) struct Distinct<'a> {
    /// In the order of their first rows.
    pub(super) texts: Vec<Text<'a>>,
    by_key: HashMap<String, usize>,
}

/// Texts that stand in several rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// Different texts; case and spaces do not count.
    pub distinct_texts: usize,
    /// Rows whose text stands before with the same label.
    pub repeated_rows: usize,
    /// Texts with more than one label.
    pub conflicting_texts: usize,
    /// The rows of those texts.
    pub conflicting_rows: usize,
    /// Conflicting texts, the first [`SHOWN`].
    pub shown: Vec<Conflict>,
}

/// A text with more than one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Its first 80 characters, with personal data masked.
    pub text: String,
    /// Its labels, each with the first row that has it.
    pub labels: Vec<LabelledPlace>,
}

/// A label and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledPlace {
    /// The label.
    pub label: String,
    /// File and line.
    pub at: Place,
}

impl<'a> Text<'a> {
    /// Its rows, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'a Row> + '_ {
        std::iter::once(self.first).chain(self.more.iter().copied())
    }

    /// Whether the two texts have a label in common.
    pub(super) fn agrees_with(&self, other: &Text<'_>) -> bool {
        self.rows().any(|row| other.rows().any(|other| row.label == other.label))
    }

    /// The first row of each label.
    fn first_of_labels(&self) -> Vec<&'a Row> {
        let mut firsts: Vec<&Row> = Vec::new();
        for row in self.rows() {
            if firsts.iter().all(|first| first.label != row.label) {
                firsts.push(row);
            }
        }
        firsts
    }
}

impl<'a> Distinct<'a> {
    pub(super) fn of(rows: &'a [Row]) -> Self {
        let mut texts: Vec<Text<'a>> = Vec::new();
        let mut by_key = HashMap::with_capacity(rows.len());
        for row in rows {
            match by_key.entry(key(&row.text)) {
                Entry::Vacant(place) => {
                    place.insert(texts.len());
                    texts.push(Text { first: row, more: Vec::new() });
                }
                Entry::Occupied(place) => {
                    let index: usize = *place.get();
                    texts[index].more.push(row);
                }
            }
        }
        Self { texts, by_key }
    }

    /// The text that is the same as this one.
    pub(super) fn find(&self, text: &str) -> Option<&Text<'a>> {
        self.by_key.get(&key(text)).and_then(|index| self.texts.get(*index))
    }
}

impl Duplicates {
    pub(super) fn count(distinct: &Distinct<'_>) -> Self {
        let mut found = Self {
            distinct_texts: distinct.texts.len(),
            repeated_rows: 0,
            conflicting_texts: 0,
            conflicting_rows: 0,
            shown: Vec::new(),
        };
        for text in &distinct.texts {
            let (rows, firsts) = (1 + text.more.len(), text.first_of_labels());
            found.repeated_rows += rows - firsts.len();
            if firsts.len() < 2 {
                continue;
            }
            found.conflicting_texts += 1;
            found.conflicting_rows += rows;
            if found.shown.len() < SHOWN {
                let place = |row: &&Row| LabelledPlace { label: row.label.clone(), at: Place::of(&row.at) };
                let labels = firsts.iter().map(place).collect();
                found.shown.push(Conflict { text: excerpt(&text.first.text), labels });
            }
        }
        found
    }
}
