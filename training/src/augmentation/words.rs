//! What methods that change single words have in common.

use std::fmt;

use super::Augmenter;
use crate::error::TrainingError;
use crate::random::Random;

/// A change of a text's words. A text keeps at least one.
pub(crate) trait WordChange: fmt::Debug + Send + Sync {
    /// Changes some of them; what is left has a space between its items.
    fn change(&self, words: &mut Vec<String>, random: &mut Random);
}

impl<T: WordChange> Augmenter for T {
    fn augment(&self, texts: &[&str], random: &mut Random) -> Result<Vec<String>, TrainingError> {
        let changed = |text: &&str| {
            let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            self.change(&mut words, random);
            words.join(" ")
        };
        Ok(texts.iter().map(changed).collect())
    }
}

/// A word without the marks around it: what stands before, the word, what stands after.
pub(super) fn parts(word: &str) -> (&str, &str, &str) {
    let tail = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let own = tail.trim_end_matches(|c: char| !c.is_alphanumeric());
    (&word[..word.len() - tail.len()], own, &tail[own.len()..])
}

/// Puts another word in the place of one, between the same marks and with as many capitals: none, the first letter, or all.
pub(super) fn replace(word: &mut String, by: &str) {
    let (before, own, after) = parts(word);
    let upper = own.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase);
    let first_upper = own.chars().next().is_some_and(char::is_uppercase);
    let by = match (upper && own.chars().nth(1).is_some(), first_upper) {
        (true, _) => by.to_uppercase(),
        (false, true) => capitalised(by),
        (false, false) => by.to_owned(),
    };
    *word = format!("{before}{by}{after}");
}

/// The word with a capital.
pub(super) fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_parted_from_its_marks() {
        assert_eq!(parts("(profit),"), ("(", "profit", "),"));
        assert_eq!(parts("Q3's"), ("", "Q3's", ""));
        assert_eq!(parts("--"), ("--", "", ""));
        assert_eq!(parts("\u{201c}Über\u{201d}"), ("\u{201c}", "Über", "\u{201d}"));
    }

    #[test]
    fn a_replacement_looks_like_the_word() {
        let check = |word: &str, by: &str, expected: &str| {
            let mut word = word.to_owned();
            replace(&mut word, by);
            assert_eq!(word, expected);
        };
        check("profit,", "gain", "gain,");
        check("\"Profit", "gain", "\"Gain");
        check("PROFIT!", "gain", "GAIN!");
        check("A", "one", "One");
    }
}
