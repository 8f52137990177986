//! The languages of texts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::Row;
use crate::dataset::languages::language;

/// How many rows are in a language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LanguageCount {
    /// Its code, `en`; none for rows of which the detector is not sure, most of them short.
    pub language: Option<String>,
    /// The rows.
    pub rows: usize,
    /// Their share of the rows with a text, from 0 to 1.
    pub share: f64,
}

/// The most frequent language first, what is not sure last.
pub(super) fn count(rows: &[Row]) -> Vec<LanguageCount> {
    let mut counts: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *counts.entry(language(&row.text)).or_default() += 1);
    let count = |(language, count): (Option<&str>, usize)| LanguageCount {
        language: language.map(str::to_owned),
        rows: count,
        share: count as f64 / rows.len() as f64,
    };
    let mut languages: Vec<LanguageCount> = counts.into_iter().map(count).collect();
    languages.sort_by_key(|count| (count.language.is_none(), std::cmp::Reverse(count.rows)));
    languages
}
