//! How one name or alias may be spelled in a text.

use super::words::{BOUNDARY, Words};

/// Names of one word this long or shorter do not match in capitals when they are not written so ("Gap", but "GAP").
const SHORT_NAME_CHARACTERS: usize = 4;

/// Which cases of a name are the company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CaseRule {
    Any,
    AsWritten,
    AsWrittenOrCapitals,
}

/// One spelling of a name. Words and boundaries are those of [`Words`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spelling {
    /// The company's index, or none for a phrase that is no company.
    pub(super) company: Option<usize>,
    cased: Box<str>,
    rule: CaseRule,
}

/// A spelling with the form that the automaton looks for, and where it came from.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) spelling: Spelling,
    pub(super) alias: String,
    pub(super) line: u64,
}

impl Entry {
    /// A company's name, under the default case rule.
    pub(super) fn name(name: &str, company: usize, line: u64) -> Option<Self> {
        Self::of(name, None, Some(company), line)
    }

    /// An alias with its optional marker.
    pub(super) fn alias(alias: &str, company: usize, line: u64) -> Option<Self> {
        let mut characters = alias.chars();
        match characters.next()? {
            '=' => Self::of(characters.as_str(), Some(CaseRule::AsWritten), Some(company), line),
            '~' => Self::of(characters.as_str(), Some(CaseRule::Any), Some(company), line),
            '!' => Self::of(characters.as_str(), Some(CaseRule::Any), None, line),
            _ => Self::of(alias, None, Some(company), line),
        }
    }

    /// A ticker as a cashtag. Only those that start with a letter: `$7203` is a price.
    pub(super) fn cashtag(ticker: &str, company: usize, line: u64) -> Option<Self> {
        if !ticker.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return None;
        }
        Self::of(&format!("${ticker}"), Some(CaseRule::Any), Some(company), line)
    }

    fn of(name: &str, rule: Option<CaseRule>, company: Option<usize>, line: u64) -> Option<Self> {
        let words = Words::of(name);
        let word_count = words.lower().matches(BOUNDARY).count().saturating_sub(1);
        if !words.lower().contains(char::is_alphanumeric) {
            return None;
        }
        let characters = words.cased().chars().count() - 2;
        let rule = rule.unwrap_or(match word_count {
            1 if characters <= SHORT_NAME_CHARACTERS => CaseRule::AsWritten,
            1 => CaseRule::AsWrittenOrCapitals,
            _ => CaseRule::Any,
        });
        let spelling = Spelling { company, cased: words.cased().into(), rule };
        Some(Self { key: words.lower().to_owned(), spelling, alias: name.to_owned(), line })
    }
}

impl Spelling {
    /// Whether words that are equal but for case are this name.
    pub(super) fn agrees_with(&self, cased: &str) -> bool {
        match self.rule {
            CaseRule::Any => true,
            CaseRule::AsWritten => *self.cased == *cased,
            CaseRule::AsWrittenOrCapitals => *self.cased == *cased || !cased.contains(char::is_lowercase),
        }
    }

    /// Whether some text agrees with both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.agrees_with(&other.cased) || other.agrees_with(&self.cased)
    }
}
