//! Which companies a text is about: a dictionary of names, found on word boundaries by one Aho-Corasick automaton.
//!
//! What this does not solve: a person who bears a company's name ("Henry Ford") unless the dictionary lists the phrase
//! as one that is no company (`!Harrison Ford`), a common word that opens a sentence in the company's own spelling
//! ("Shell firms under scrutiny"), and pronouns.

mod error;
mod names;
mod read;
mod relevance;
mod words;

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, Input, MatchKind};

pub use error::EntityError;
use names::{Entry, Spelling};
pub use relevance::{HEADLINE_WORDS, Place, relevance};
use words::{BOUNDARY, Words};

/// A company that a text names.
#[derive(Debug, Clone, PartialEq)]
pub struct Mention {
    /// The dictionary's name of the company.
    pub name: Arc<str>,
    /// The company's ticker, where the dictionary has one.
    pub ticker: Option<Arc<str>>,
    /// How far the text is about this company, in [0, 1]: see [`relevance()`].
    pub relevance: f32,
}

/// An alias that two companies claim. The first row keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasConflict {
    /// The alias as the later row writes it.
    pub alias: String,
    /// The company that keeps the alias.
    pub kept_by: Arc<str>,
    /// The company that does without it.
    pub ignored_for: Arc<str>,
    /// The later row's line in the file.
    pub line: u64,
}

/// A company of the dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// The name that mentions, alerts and stored rows carry.
    pub name: Arc<str>,
    /// The ticker, found in texts as a cashtag (`$AAPL`).
    pub ticker: Option<Arc<str>>,
}

/// Companies, and the automaton that finds their names in a text.
///
/// Read from CSV with the columns `name`, `ticker` and `aliases` (separated by `|`; other columns are ignored). A name of
/// several words matches in any case; a name of one word as it is written, and also in capitals when it has five letters
/// or more. A first character changes that for one alias:
///
/// | alias | matches |
/// |---|---|
/// | `=Gap Inc` | exactly as written |
/// | `~tesla` | in any case |
/// | `!bear market` | in any case, and is no company: it takes the words away from shorter names |
///
/// Possessives (`GM's`), hyphens (`AIG-owned`), dots in initials (`J.P. Morgan`, `JP Morgan`), `&` and `and`, and accents
/// make no difference. Of two names that start at the same word the longer wins.
#[derive(Debug)]
pub struct CompanyDictionary {
    companies: Vec<Company>,
    conflicts: Vec<AliasConflict>,
    automaton: AhoCorasick,
    /// Per pattern of the automaton, the spellings that share its lower-case form.
    spellings: Vec<Vec<Spelling>>,
    /// Pattern by lower-case form, for what is left when the longest name stands in the wrong case.
    patterns: HashMap<String, usize>,
}

impl CompanyDictionary {
    /// Reads a dictionary from a CSV file.
    ///
    /// # Errors
    ///
    /// Names the file, and the line and field where there is one: unreadable file, missing column, broken row, empty or
    /// repeated name, an alias without a letter or digit, or no company at all.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, EntityError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| EntityError::Read { path: path.into(), source })?;
        Self::parse(&bytes, path)
    }

    /// Reads a dictionary from CSV in memory; `path` is what errors call it.
    ///
    /// # Errors
    ///
    /// As [`CompanyDictionary::read`].
    pub fn parse(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self, EntityError> {
        let table = read::table(bytes, path.as_ref())?;
        let mut dictionary = Self {
            companies: table.companies,
            conflicts: Vec::new(),
            automaton: AhoCorasick::new([""; 0]).map_err(EntityError::Automaton)?,
            spellings: Vec::new(),
            patterns: HashMap::new(),
        };
        for entry in table.entries {
            dictionary.insert(entry);
        }
        let mut keys = vec![""; dictionary.patterns.len()];
        for (key, &pattern) in &dictionary.patterns {
            keys[pattern] = key;
        }
        dictionary.automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(keys)
            .map_err(EntityError::Automaton)?;
        Ok(dictionary)
    }

    /// The companies, in the file's order.
    #[must_use]
    pub fn companies(&self) -> &[Company] {
        &self.companies
    }

    /// Aliases that more than one company claimed, for a warning to the operator.
    #[must_use]
    pub fn conflicts(&self) -> &[AliasConflict] {
        &self.conflicts
    }

    /// The companies that a message names, each once, the most relevant first (equally relevant ones in the order of the
    /// text). Without a title the text itself is taken for the headline, up to its first [`HEADLINE_WORDS`] words.
    #[must_use]
    pub fn find(&self, title: Option<&str>, text: &str) -> Vec<Mention> {
        let mut found = Vec::new();
        if let Some(title) = title {
            self.scan(title, &mut found, |word| Place { headline: true, word, ..Place::default() });
            self.scan(text, &mut found, |word| Place { headline: false, word, ..Place::default() });
        } else {
            self.scan(text, &mut found, |word| Place { headline: word < HEADLINE_WORDS, word, ..Place::default() });
        }
        self.rank(found)
    }

    /// Adds each company's first place in `text`, unless it has an earlier one in `found`.
    fn scan(&self, text: &str, found: &mut Vec<Found>, place: impl Fn(usize) -> Place) {
        let words = Words::of(text);
        let lower = words.lower();
        let names = self.names_in(&words);
        let (mut counted_to, mut word) = (0, 0);
        for (index, (range, company)) in names.iter().enumerate() {
            word += lower.as_bytes()[counted_to..range.start].iter().filter(|&&byte| byte == BOUNDARY as u8).count();
            counted_to = range.start;
            let next = names.get(index + 1).map(|(next, _)| next.start);
            let place = place(word);
            let quoted_as_source = place.headline && relevance::is_source(lower, range, next);
            match found.iter_mut().find(|known| known.company == *company) {
                None => found.push(Found { company: *company, place: Place { quoted_as_source, ..place } }),
                // A subject elsewhere in the headline is no mere source.
                Some(known) => known.place.quoted_as_source &= quoted_as_source || !place.headline,
            }
        }
    }

    /// Where the companies' names stand, boundaries included.
    fn names_in(&self, words: &Words) -> Vec<(Range<usize>, usize)> {
        let lower = words.lower();
        let (mut names, mut from) = (Vec::new(), 0);
        while let Some(hit) = self.automaton.find(Input::new(lower).range(from..)) {
            if let Some((end, spelling)) = self.accept(words, hit.range(), hit.pattern().as_usize()) {
                names.extend(spelling.company.map(|company| (hit.start()..end, company)));
                // The closing boundary is the next name's opening one.
                from = end - BOUNDARY.len_utf8();
            } else {
                from = words::next_boundary(lower, hit.start() + 1);
            }
        }
        names
    }

    /// The spelling that the words at a match agree with in case, and its end; where the longest name does not agree, a
    /// shorter one from the same word on may.
    fn accept(&self, words: &Words, hit: Range<usize>, pattern: usize) -> Option<(usize, &Spelling)> {
        let Range { start, mut end } = hit;
        let mut pattern = Some(pattern);
        loop {
            let cased = &words.cased()[start..end];
            let spelling =
                pattern.and_then(|pattern| self.spellings[pattern].iter().find(|spelling| spelling.agrees_with(cased)));
            if let Some(spelling) = spelling {
                return Some((end, spelling));
            }
            end = start + words.lower()[start..end - 1].rfind(BOUNDARY)? + 1;
            if end == start + 1 {
                return None;
            }
            pattern = self.patterns.get(&words.lower()[start..end]).copied();
        }
    }

    /// Turns places into mentions: sources behind subjects, then by place.
    fn rank(&self, mut found: Vec<Found>) -> Vec<Mention> {
        let companies = found.len();
        found.sort_by_key(|found| found.place.quoted_as_source);
        let mut mentions: Vec<Mention> = found
            .into_iter()
            .enumerate()
            .map(|(rank, Found { company, place })| {
                let Company { name, ticker } = &self.companies[company];
                let relevance = relevance(&Place { rank, companies, ..place });
                Mention { name: Arc::clone(name), ticker: ticker.clone(), relevance }
            })
            .collect();
        mentions.sort_by(|left, right| right.relevance.total_cmp(&left.relevance));
        mentions
    }

    fn insert(&mut self, entry: Entry) {
        let Entry { key, spelling, alias, line } = entry;
        let next = self.spellings.len();
        let pattern = *self.patterns.entry(key).or_insert(next);
        if pattern == next {
            self.spellings.push(vec![spelling]);
            return;
        }
        let rivals = &mut self.spellings[pattern];
        let rival = rivals.iter().find(|rival| rival.overlaps(&spelling) && rival.company != spelling.company);
        if let Some((kept, ignored)) = rival.and_then(|rival| rival.company.zip(spelling.company)) {
            self.conflicts.push(AliasConflict {
                alias,
                kept_by: Arc::clone(&self.companies[kept].name),
                ignored_for: Arc::clone(&self.companies[ignored].name),
                line,
            });
        } else {
            // A phrase that is no company gives way to a company of that very name.
            rivals.insert(if spelling.company.is_some() { 0 } else { rivals.len() }, spelling);
        }
    }
}

/// The first place of a company in a message.
struct Found {
    company: usize,
    place: Place,
}

#[cfg(test)]
mod tests;
