//! The data card: what labelled files hold and what is wrong with them, before anybody trains on them.
//!
//! After Gebru et al., "Datasheets for Datasets", 2021: the part of a datasheet that can be counted. Texts in it have their
//! personal data masked, so that a card may be passed on where the data may not.

mod duplicates;
mod languages;
mod leakage;
mod lengths;
mod near;
mod personal;
mod place;

use std::collections::HashMap;

use inference::TextTokenizer;
use serde::{Deserialize, Serialize};

pub use duplicates::{Conflict, Duplicates, LabelledPlace};
pub use languages::LanguageCount;
pub use leakage::{Leak, Leakage, Leaks};
pub use lengths::{Lengths, TokenLengths};
pub use near::{NearDuplicates, NearPair};
pub use personal::{PersonalData, PersonalPlace};
pub(crate) use place::excerpt;
pub use place::{Place, TextAt};

pub use super::pairing::SIMILARITY;
use super::{Cleaning, CleaningRules, LabelNames, Row, labels, read_rows};
use crate::error::TrainingError;
use crate::source::DataSource;
use duplicates::Distinct;

/// The version of a card's JSON.
const CARD_VERSION: u32 = 1;

/// Findings of a kind that a card shows with their places; all are counted.
pub const SHOWN: usize = 10;

/// What labelled files hold, in rows where nothing else is said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataCard {
    /// The version of this layout: 1.
    pub version: u32,
    /// The files, as they were named.
    pub files: Vec<String>,
    /// Read from all files.
    pub rows: usize,
    /// Without a text; in none of the figures below.
    pub empty_texts: usize,
    /// Whose text has control characters, which become spaces.
    pub control_characters: usize,
    /// Whose label has spaces around it, which are dropped.
    pub trimmed_labels: usize,
    /// The labels, the most frequent first.
    pub labels: Vec<LabelCount>,
    /// Labels that only differ in case or inner spaces, at most [`SHOWN`]; training refuses such files.
    pub look_alike_labels: Vec<LookAlikePair>,
    /// The languages, the most frequent first.
    #[serde(default)]
    pub languages: Vec<LanguageCount>,
    /// The texts' lengths in characters (Unicode scalar values); none without a text.
    pub characters: Option<Lengths>,
    /// The texts' lengths in tokens; none without a tokenizer or without a text.
    pub tokens: Option<TokenLengths>,
    /// Texts that stand in several rows.
    pub duplicates: Duplicates,
    /// Texts that are almost the same.
    pub near_duplicates: NearDuplicates,
    /// Texts of the test files that the data holds too; none without test files.
    pub leakage: Option<Leakage>,
    /// E-mail addresses, phone numbers, payment cards and IBANs in the texts.
    pub personal_data: Vec<PersonalData>,
    /// SHA-256, in lower-case hexadecimal, over `label<tab>text<line feed>` of every row with a text, in order, cleaned.
    pub digest: String,
}

/// How often a label occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelCount {
    /// The label.
    pub label: String,
    /// Its rows.
    pub rows: usize,
    /// Its share of the rows with a text, from 0 to 1.
    pub share: f64,
}

/// Two labels that only differ in case or inner spaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookAlikePair {
    /// The label met first.
    pub first: String,
    /// Where it was met.
    pub first_at: Place,
    /// The label that looks like it.
    pub second: String,
    /// Where that one was met.
    pub second_at: Place,
}

/// What a card is made from.
#[derive(Debug, Clone, Copy)]
pub struct CardRequest<'a> {
    /// The labelled files.
    pub data: &'a [DataSource],
    /// Files that a model will be tested on; may be none.
    pub test: &'a [DataSource],
    /// Speaking names of the labels.
    pub names: Option<&'a LabelNames>,
    /// What counts tokens ([`TextTokenizer::open_for_counting`]).
    pub tokenizer: Option<&'a TextTokenizer>,
    /// The most tokens that training will read of a text.
    pub max_tokens: usize,
}

impl DataCard {
    /// Reads the files and counts. A malformed file is an error that names file and line, as in training.
    pub fn of(request: &CardRequest<'_>) -> Result<Self, TrainingError> {
        let (mut cleaning, mut cleaning_of_test) = (Cleaning::default(), Cleaning::default());
        let rows = read(request.data, request.names, &mut cleaning)?;
        let test = read(request.test, request.names, &mut cleaning_of_test)?;
        let characters = rows.iter().map(|row| row.text.chars().count()).collect();
        let tokens = match request.tokenizer {
            Some(tokenizer) => TokenLengths::count(&rows, tokenizer, request.max_tokens)?,
            None => None,
        };
        let distinct = Distinct::of(&rows);
        let leakage = (!request.test.is_empty()).then(|| Leakage::find(&distinct, &Distinct::of(&test)));
        Ok(Self {
            version: CARD_VERSION,
            files: request.data.iter().map(DataSource::name).collect(),
            rows: cleaning.read,
            empty_texts: cleaning.empty_texts,
            control_characters: cleaning.control_characters,
            trimmed_labels: cleaning.trimmed_labels,
            labels: label_counts(&rows),
            look_alike_labels: look_alike_pairs(&rows),
            languages: languages::count(&rows),
            characters: Lengths::of(characters),
            tokens,
            duplicates: Duplicates::count(&distinct),
            near_duplicates: NearDuplicates::find(&distinct),
            leakage,
            personal_data: PersonalData::scan(&rows),
            digest: digest(&rows),
        })
    }
}

fn read(
    sources: &[DataSource],
    names: Option<&LabelNames>,
    cleaning: &mut Cleaning,
) -> Result<Vec<Row>, TrainingError> {
    let mut rows = Vec::new();
    for source in sources {
        rows.extend(read_rows(source, &[], names, CleaningRules::default(), cleaning)?);
    }
    Ok(rows)
}

fn label_counts(rows: &[Row]) -> Vec<LabelCount> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for row in rows {
        *counts.entry(&row.label).or_default() += 1;
    }
    let count = |(label, count): (&str, usize)| LabelCount {
        label: label.to_owned(),
        rows: count,
        share: count as f64 / rows.len() as f64,
    };
    let mut labels: Vec<LabelCount> = counts.into_iter().map(count).collect();
    labels.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.label.cmp(&b.label)));
    labels
}

fn look_alike_pairs(rows: &[Row]) -> Vec<LookAlikePair> {
    let pair = |pair: labels::LookAlikes<'_>| LookAlikePair {
        first: pair.first.label.to_owned(),
        first_at: Place::of(pair.first.at),
        second: pair.second.label.to_owned(),
        second_at: Place::of(pair.second.at),
    };
    labels::look_alikes(rows).into_iter().take(SHOWN).map(pair).collect()
}

fn digest(rows: &[Row]) -> String {
    let mut content = String::new();
    for row in rows {
        for part in [row.label.as_str(), "\t", row.text.as_str(), "\n"] {
            content.push_str(part);
        }
    }
    foundation::digest::sha256(content.as_bytes())
}

#[cfg(test)]
mod tests;
