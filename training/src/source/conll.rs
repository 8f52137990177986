//! One word a line with its tag, an empty line between texts: how the CoNLL shared tasks write named entities (Tjong Kim Sang
//! and De Meulder, "Introduction to the CoNLL-2003 Shared Task", 2003).
//!
//! A row's text is the words of a text with a space between them, its label their tags likewise.

use std::path::Path;
use std::sync::Arc;

use super::RawRow;
use crate::error::{Location, TrainingError};
use crate::tags::Tag;

/// Begins the lines that part documents.
const DOCUMENT: &str = "-DOCSTART-";

/// What stands for a word that is nothing but control characters.
const UNREADABLE: &str = "\u{fffd}";

/// A text of a file.
pub(super) struct Text {
    /// Its words and tags.
    pub(super) row: RawRow,
    /// Its document's number.
    document: usize,
}

/// Where words and tags stand, by columns from 0.
#[derive(Clone, Copy)]
struct Places {
    word: usize,
    tag: usize,
    columns: usize,
}

/// Reads words and tags from columns that are called `1`, `2` and so on: by default from the first and the last one.
pub(super) fn read(
    content: &str,
    path: &Arc<Path>,
    word: Option<&str>,
    tag: Option<&str>,
    extra: &[String],
) -> Result<Vec<Text>, TrainingError> {
    let mut texts: Vec<Text> = Vec::new();
    let mut places = None;
    let mut document = 0;
    let mut inside = false;
    for (index, line) in content.lines().enumerate() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.first().is_none_or(|first| *first == DOCUMENT) {
            document += fields.len().min(1);
            inside = false;
            continue;
        }
        let at = Location { path: path.clone(), line: index as u64 + 1 };
        let places = match places {
            Some(places) => places,
            None => *places.insert(Places::of(fields.len(), path, [word, tag], extra)?),
        };
        let (word, tag) = places.read(&fields, &at)?;
        match texts.last_mut().filter(|_| inside) {
            Some(text) => text.row.append(&word, tag),
            None => {
                let row = RawRow { text: word, label: tag.to_owned(), extra: Vec::new(), at };
                texts.push(Text { row, document });
            }
        }
        inside = true;
    }
    Ok(texts)
}

/// Successive texts of one document in rows of at most `limit` words: more context tells entities better (Devlin and others,
/// "BERT", 2019, section 5.3; Schweter and Akbik, "FLERT", 2020). A longer text stays a row of its own.
pub(super) fn joined(texts: Vec<Text>, limit: usize) -> Vec<RawRow> {
    let words = |row: &RawRow| row.text.split(' ').count();
    let mut rows: Vec<Text> = Vec::new();
    for text in texts {
        let fits = |last: &Text| last.document == text.document && words(&last.row) + words(&text.row) <= limit;
        match rows.pop_if(|last| fits(last)) {
            Some(mut last) => {
                last.row.append(&text.row.text, &text.row.label);
                rows.push(last);
            }
            None => rows.push(text),
        }
    }
    rows.into_iter().map(|text| text.row).collect()
}

impl RawRow {
    /// Puts words and their tags behind its own.
    fn append(&mut self, words: &str, tags: &str) {
        self.text.extend([" ", words]);
        self.label.extend([" ", tags]);
    }
}

impl Places {
    /// By the first line's number of columns, which all lines share.
    fn of(
        columns: usize,
        path: &Arc<Path>,
        [word, tag]: [Option<&str>; 2],
        extra: &[String],
    ) -> Result<Self, TrainingError> {
        let names: Vec<String> = (1..=columns).map(|number| number.to_string()).collect();
        let missing = |wanted: &str| TrainingError::MissingColumn {
            path: path.to_path_buf(),
            wanted: wanted.to_owned(),
            found: names.clone(),
        };
        if let Some(wanted) = extra.first() {
            // A column's values are of words, and a row is a text.
            return Err(missing(wanted));
        }
        let place = |wanted: Option<&str>, default: usize| match wanted {
            Some(wanted) => names.iter().position(|name| name == wanted).ok_or_else(|| missing(wanted)),
            None => Ok(default),
        };
        Ok(Self { word: place(word, 0)?, tag: place(tag, columns - 1)?, columns })
    }

    /// A line's word and tag.
    fn read<'a>(self, fields: &[&'a str], at: &Location) -> Result<(String, &'a str), TrainingError> {
        let refused =
            |field: &str, message: String| Err(TrainingError::Row { at: at.clone(), field: field.to_owned(), message });
        if fields.len() != self.columns {
            let message = format!("the line has {} columns, the file's first one has {}", fields.len(), self.columns);
            return refused("row", message);
        }
        let tag = fields[self.tag];
        // A file that is read for its texts alone gives its words twice.
        if self.tag != self.word && Tag::parse(tag).is_none() {
            return refused("tag", format!("{tag:?} is none: B-TYPE, I-TYPE or O is"));
        }
        let word: String = fields[self.word].chars().filter(|character| !character.is_control()).collect();
        Ok((if word.is_empty() { UNREADABLE.to_owned() } else { word }, tag))
    }
}
