//! Rows made fit to learn from: spaces and control characters tidied, empty texts and duplicates out, everything counted.

use std::collections::{HashMap, HashSet};
use std::fmt;

use inference::cleaning::personal::PersonalKind;
use inference::cleaning::{Changes, plain};
use inference::pair;
use serde::{Deserialize, Serialize};

use super::label_reading::BETWEEN;
use super::{CleaningRules, LabelReading};
use crate::error::{Location, TrainingError};
use crate::source::{DEFAULT_LABEL_SEPARATOR, DataSource, RawRow};

/// A cleaned row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The text, with single spaces and no control characters, or a [`pair`] of such; never empty.
    pub text: String,
    /// The label, trimmed and renamed. Empty where a row has none of its task's labels; several stand in it as
    /// [`Row::labels`] reads them.
    pub label: String,
    /// The share of annotators who chose the label, above 0 to 1; 1 where nobody tells.
    pub agreement: f64,
    /// The values of the further columns asked for, trimmed.
    pub extra: Vec<String>,
    /// Where it stands.
    pub at: Location,
}

impl Row {
    /// Each of the row's labels.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.label.split(BETWEEN).filter(|label| !label.is_empty())
    }
}

/// What cleaning met, in rows; each text of a pair counts as one where it is changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cleaning {
    /// Read from all files.
    pub read: usize,
    /// Dropped, since the text was empty.
    pub empty_texts: usize,
    /// Kept, without the label's stray spaces.
    pub trimmed_labels: usize,
    /// Kept, with control characters (NUL among them) turned into spaces.
    pub control_characters: usize,
    /// Dropped, since an equal text with the same label stands before.
    pub duplicates: usize,
    /// Dropped, since equal texts disagree about the label: the most frequent label stays; where there is none, no row.
    pub conflicting_labels: usize,
    /// Dropped, since the text is also in a validation or test file, or another task holds it out.
    pub repeats_of_held_out: usize,
    /// Kept, with HTML turned into text.
    pub html: usize,
    /// Kept, in another Unicode form.
    pub unicode: usize,
    /// Kept, without web addresses or with placeholders for them.
    pub urls: usize,
    /// Kept, without `@names` or with placeholders for them.
    pub handles: usize,
    /// Kept, with placeholders for names of persons.
    pub names: usize,
    /// Kept, with figures told from earlier ones.
    pub compared_figures: usize,
    /// Kept, with placeholders for e-mail addresses.
    pub email_addresses: usize,
    /// Kept, with placeholders for phone numbers.
    pub phone_numbers: usize,
    /// Kept, with placeholders for payment cards.
    pub payment_cards: usize,
    /// Kept, with placeholders for IBANs.
    pub ibans: usize,
    /// Dropped, since the text is in a language that is not asked for.
    pub other_languages: usize,
    /// Dropped, since the text is almost one that stands before, or one of a validation or test file.
    pub near_duplicates: usize,
}

impl Cleaning {
    fn add(&mut self, changes: &Changes) {
        self.html += usize::from(changes.html);
        self.unicode += usize::from(changes.unicode);
        self.urls += usize::from(changes.urls);
        self.handles += usize::from(changes.handles);
        self.compared_figures += usize::from(changes.compared_figures);
        for kind in &changes.personal {
            *match kind {
                PersonalKind::EmailAddress => &mut self.email_addresses,
                PersonalKind::PhoneNumber => &mut self.phone_numbers,
                PersonalKind::PaymentCard => &mut self.payment_cards,
                PersonalKind::Iban => &mut self.ibans,
            } += 1;
        }
    }

    /// Every count that is not the number of rows read, with its name.
    pub fn counts(&self) -> [(&'static str, usize); 18] {
        [
            ("empty texts, left out", self.empty_texts),
            ("duplicates, left out", self.duplicates),
            ("conflicting labels, left out", self.conflicting_labels),
            ("texts held out elsewhere, left out", self.repeats_of_held_out),
            ("near-duplicates, left out", self.near_duplicates),
            ("texts in other languages, left out", self.other_languages),
            ("labels with stray spaces", self.trimmed_labels),
            ("texts with control characters", self.control_characters),
            ("texts with HTML", self.html),
            ("texts in another Unicode form", self.unicode),
            ("texts with web addresses", self.urls),
            ("texts with handles", self.handles),
            ("texts with compared figures", self.compared_figures),
            ("texts with e-mail addresses", self.email_addresses),
            ("texts with phone numbers", self.phone_numbers),
            ("texts with payment cards", self.payment_cards),
            ("texts with IBANs", self.ibans),
            ("texts with names of persons", self.names),
        ]
    }
}

impl fmt::Display for Cleaning {
    /// One line: the rows read and every count above zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows read", self.read)?;
        let met = self.counts().into_iter().filter(|(_, rows)| *rows > 0);
        met.into_iter().try_for_each(|(name, rows)| write!(f, "; {name}: {rows}"))
    }
}

/// Reads a file and tidies its rows by the rules; duplicates stay in. `extra` are columns to read beside text and label. Where
/// the source has a second text, rows are pairs, and a pair without one of its texts is empty.
pub fn read_rows<'a>(
    source: &DataSource,
    extra: &[String],
    labels: impl Into<LabelReading<'a>>,
    rules: CleaningRules,
    cleaning: &mut Cleaning,
) -> Result<Vec<Row>, TrainingError> {
    let (labels, separator) = (labels.into(), source.label_separator.unwrap_or(DEFAULT_LABEL_SEPARATOR));
    let mut rows = Vec::new();
    let agreement = source.agreement.as_ref().map(|agreement| agreement.column().to_owned());
    let columns: Vec<String> = extra.iter().chain(&source.text_pair).chain(&agreement).cloned().collect();
    for mut raw in source.read_with(&columns)? {
        cleaning.read += 1;
        let agreement = match agreement.as_ref().and_then(|_| raw.extra.pop()) {
            Some(cell) => share(cell.trim(), &raw.at)?,
            None => 1.0,
        };
        let second = source.text_pair.as_ref().and_then(|_| raw.extra.pop());
        if let Some(row) = tidy(raw, second, labels, separator, rules, cleaning)? {
            rows.push(Row { agreement, ..row });
        }
    }
    Ok(rows)
}

/// What two texts have in common when an uncased encoder cannot tell them apart.
pub fn key(text: &str) -> String {
    text.to_lowercase()
}

fn tidy(
    raw: RawRow,
    second: Option<String>,
    labels: LabelReading<'_>,
    separator: char,
    rules: CleaningRules,
    cleaning: &mut Cleaning,
) -> Result<Option<Row>, TrainingError> {
    let first = tidy_text(raw.text, rules, cleaning);
    let second = second.map(|second| tidy_text(second, rules, cleaning));
    if first.is_empty() || second.as_ref().is_some_and(String::is_empty) {
        cleaning.empty_texts += 1;
        return Ok(None);
    }
    let text = match second {
        Some(second) => pair::join(&first, &second),
        None => first,
    };
    let label = raw.label.trim();
    cleaning.trimmed_labels += usize::from(label.len() < raw.label.len());
    let label = labels.read(label, separator, &raw.at)?;
    let extra = raw.extra.iter().map(|value| value.trim().to_owned()).collect();
    Ok(Some(Row { text, label, agreement: 1.0, extra, at: raw.at }))
}

/// A share of annotators.
fn share(cell: &str, at: &Location) -> Result<f64, TrainingError> {
    match cell.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => {
            let message =
                format!("{cell:?} is no share of annotators, which is a number above 0 and up to 1, such as 0.75");
            Err(TrainingError::Row { at: at.clone(), field: "agreement".to_owned(), message })
        }
    }
}

fn tidy_text(text: String, rules: CleaningRules, cleaning: &mut Cleaning) -> String {
    let is_noise = |c: char| c.is_control() && !c.is_whitespace();
    cleaning.control_characters += usize::from(text.contains(is_noise));
    let rules = rules.of_texts();
    if !rules.change_texts() {
        return plain(&text);
    }
    let (text, changes) = rules.apply(&text);
    cleaning.add(&changes);
    plain(&text)
}

/// The rows in their order, each text once.
pub(super) fn without_duplicates(rows: Vec<Row>, cleaning: &mut Cleaning) -> Vec<Row> {
    let mut counts: HashMap<String, Vec<(String, usize)>> = HashMap::new();
    for row in &rows {
        let labels = counts.entry(key(&row.text)).or_default();
        match labels.iter_mut().find(|(label, _)| *label == row.label) {
            Some((_, count)) => *count += 1,
            None => labels.push((row.label.clone(), 1)),
        }
    }
    let winners: HashMap<String, Option<String>> =
        counts.into_iter().map(|(key, labels)| (key, majority(&labels).map(str::to_owned))).collect();
    let mut taken = HashSet::new();
    let mut kept = Vec::with_capacity(winners.len());
    for row in rows {
        let key = key(&row.text);
        if winners.get(&key).and_then(Option::as_ref) != Some(&row.label) {
            cleaning.conflicting_labels += 1;
        } else if taken.insert(key) {
            kept.push(row);
        } else {
            cleaning.duplicates += 1;
        }
    }
    kept
}

fn majority(labels: &[(String, usize)]) -> Option<&str> {
    let most = labels.iter().map(|(_, count)| *count).max()?;
    let mut winners = labels.iter().filter(|(_, count)| *count == most);
    match (winners.next(), winners.next()) {
        (Some((label, _)), None) => Some(label),
        _ => None,
    }
}
