//! Marks at the end of words.

use super::WordChange;
use super::words::parts;
use crate::random::Random;

const MARKS: [char; 4] = [',', '.', '!', '?'];

/// Words lose the marks at their end, or get one where they have none. What is nothing but marks stays.
#[derive(Debug)]
pub(crate) struct Punctuation {
    /// The share of words.
    pub(crate) rate: f64,
}

impl WordChange for Punctuation {
    fn change(&self, words: &mut Vec<String>, random: &mut Random) {
        for word in words {
            let (_, own, after) = parts(word);
            if own.is_empty() || random.unit() >= self.rate {
                continue;
            }
            match word.len() - after.len() {
                without if without < word.len() => word.truncate(without),
                _ => word.push(MARKS[random.below(MARKS.len())]),
            }
        }
    }
}
