//! Names of persons in texts, which no pattern tells from other words: a model that labels words finds them.

use std::ops::Range;

use foundation::progress::{Progress, Unit};
use inference::{WordTagger, pair};

use super::{Cleaning, Row};
use crate::error::TrainingError;
use crate::tags::{Tag, entities};

/// What takes a name's place.
const NAME: &str = "[NAME]";
/// Rows that are asked about at once.
const BLOCK: usize = 256;

/// Finds names of persons and puts a placeholder in their place.
pub struct People {
    tagger: WordTagger,
    /// The model's type of entities that are persons.
    kind: String,
}

impl People {
    /// By a model that knows entities of this type: `PER`, as CoNLL-2003 calls persons.
    ///
    /// # Errors
    ///
    /// [`TrainingError::NoSuchEntities`] if the model has no tags of that type.
    pub fn new(tagger: WordTagger, kind: &str) -> Result<Self, TrainingError> {
        let labels: Vec<String> = tagger.head().labels.iter().map(|label| label.to_string()).collect();
        if !labels.iter().any(|label| Tag::parse(label).and_then(Tag::kind) == Some(kind)) {
            return Err(TrainingError::NoSuchEntities { kind: kind.to_owned(), labels });
        }
        Ok(Self { tagger, kind: kind.to_owned() })
    }

    /// Puts `[NAME]` in the place of every name. Either text of a pair is read by itself.
    ///
    /// # Errors
    ///
    /// What the model itself says.
    pub(super) fn mask(&mut self, rows: &mut [Row], cleaning: &mut Cleaning) -> Result<(), TrainingError> {
        let progress = Progress::start("looking for names", Some(rows.len() as u64), Unit::Items("rows"));
        for block in rows.chunks_mut(BLOCK) {
            let texts: Vec<&str> = block.iter().flat_map(|row| parts(&row.text)).collect();
            let mut masked = self.masked(&texts)?.into_iter();
            for row in block {
                let told: Vec<String> = masked.by_ref().take(parts(&row.text).count()).collect();
                let text = match &told[..] {
                    [first, second] => pair::join(first, second),
                    _ => told.concat(),
                };
                cleaning.names += usize::from(text != row.text);
                row.text = text;
                progress.advance(1);
            }
        }
        progress.finish();
        Ok(())
    }

    fn masked(&mut self, texts: &[&str]) -> Result<Vec<String>, TrainingError> {
        let places: Vec<Vec<Range<usize>>> = texts.iter().map(|text| words(text)).collect();
        let read = |(text, places): (&&str, &Vec<Range<usize>>)| {
            let text: &str = text;
            places.iter().map(|place| text[place.clone()].to_owned()).collect()
        };
        let words: Vec<Vec<String>> = texts.iter().zip(&places).map(read).collect();
        let words: Vec<Vec<&str>> = words.iter().map(|words| words.iter().map(String::as_str).collect()).collect();
        let found = self.tagger.label(&words)?;
        let labels = &self.tagger.head().labels;
        let tag = |label: Option<usize>| label.and_then(|label| Tag::parse(&labels[label])).unwrap_or(Tag::Outside);
        let masked = texts.iter().zip(&places).zip(found).map(|((text, places), found)| {
            let names = entities(found.into_iter().map(tag)).into_iter().filter(|entity| entity.kind == self.kind);
            without(text, names.filter_map(|name| spelled(text, &places[name.words])))
        });
        Ok(masked.collect())
    }
}

/// A row's text, or the two of a pair.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let (first, second) = pair::split(text).map_or((text, None), |(first, second)| (first, Some(second)));
    std::iter::once(first).chain(second)
}

/// Where the words of a name that have letters stand, and what is between them; none if it has none. A model may take the full stop
/// of "Mr." for a part of what follows.
fn spelled(text: &str, words: &[Range<usize>]) -> Option<Range<usize>> {
    let mut with_letters = words.iter().filter(|word| text[(*word).clone()].contains(char::is_alphabetic));
    let first = with_letters.next()?;
    Some(first.start..with_letters.next_back().unwrap_or(first).end)
}

/// The text with a placeholder at these places, which stand in order.
fn without(text: &str, names: impl Iterator<Item = Range<usize>>) -> String {
    let (mut masked, mut end) = (String::with_capacity(text.len()), 0);
    for name in names {
        masked.push_str(&text[end..name.start]);
        masked.push_str(NAME);
        end = name.end;
    }
    masked + &text[end..]
}

/// Where a text's words stand, marks apart from them, as labelled texts have them. Marks inside a word stay: `J.P.`, `O'Neill`,
/// `Coca-Cola`; but an `'s` is a word of its own.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    for written in text.split_whitespace() {
        let start = written.as_ptr() as usize - text.as_ptr() as usize;
        let core = written.trim_start_matches(|c: char| !c.is_alphanumeric());
        let first = start + written.len() - core.len();
        let mut last = first + core.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
        // An initial, or an abbreviation of initials, keeps its full stop.
        let core = &text[first..last];
        let is_initials = core.contains('.') || core.chars().count() == 1 && core.starts_with(char::is_uppercase);
        if is_initials && text[last..].starts_with('.') {
            last += 1;
        }
        let mark = |at: usize, character: char| at..at + character.len_utf8();
        words.extend(text[start..first].char_indices().map(|(at, character)| mark(start + at, character)));
        let owner = ["'s", "’s"].into_iter().find_map(|ending| text[first..last].strip_suffix(ending));
        let middle = owner.map_or(last, |owner| first + owner.len());
        words.extend([first..middle, middle..last].into_iter().filter(|word| !word.is_empty()));
        let end = start + written.len();
        words.extend(text[last..end].char_indices().map(|(at, character)| mark(last + at, character)));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = words(text).into_iter().map(|place| &text[place]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_stand_apart_from_marks() {
        check(
            "Mr. O'Neill (of Coca-Cola), said:",
            &["Mr", ".", "O'Neill", "(", "of", "Coca-Cola", ")", ",", "said", ":"],
        );
        check(
            "J. P. Morgan's U.S. unit, “Ärzte” …",
            &["J.", "P.", "Morgan", "'s", "U.S.", "unit", ",", "“", "Ärzte", "”", "…"],
        );
        check("", &[]);
        check("— 5 %", &["—", "5", "%"]);
    }

    #[test]
    fn placeholders_stand_where_names_stood() {
        let text = "Talks with Ann Lee, and Bo";
        assert_eq!(without(text, [11..18, 24..26].into_iter()), "Talks with [NAME], and [NAME]");
        assert_eq!(without(text, std::iter::empty()), text);
    }

    #[test]
    fn marks_around_a_name_stay() {
        let text = "Mr. Jim-Bob O'Neill, sir.";
        let places = words(text);
        assert_eq!(places.len(), 7);
        assert_eq!(spelled(text, &places[1..5]).map(|name| &text[name]), Some("Jim-Bob O'Neill"));
        assert_eq!(spelled(text, &places[2..3]).map(|name| &text[name]), Some("Jim-Bob"));
        assert_eq!(spelled(text, &places[1..2]), None);
    }

    #[test]
    fn a_pair_has_two_parts() {
        assert_eq!(parts(&pair::join("a b", "c")).collect::<Vec<_>>(), ["a b", "c"]);
        assert_eq!(parts("a b").collect::<Vec<_>>(), ["a b"]);
    }
}
