//! Spaces lost and put in wrong places.

use super::WordChange;
use crate::random::Random;

/// Words are run together with the one before, or broken in two.
#[derive(Debug)]
pub(crate) struct Spacing {
    /// The share of words.
    pub(crate) rate: f64,
}

impl WordChange for Spacing {
    fn change(&self, words: &mut Vec<String>, random: &mut Random) {
        let mut changed: Vec<String> = Vec::with_capacity(words.len());
        for word in words.drain(..) {
            let within: Vec<usize> = word.char_indices().skip(1).map(|(at, _)| at).collect();
            match (random.unit() < self.rate, random.below(2), changed.last_mut()) {
                (true, 0, Some(before)) => before.push_str(&word),
                (true, _, _) if !within.is_empty() => {
                    let (start, end) = word.split_at(within[random.below(within.len())]);
                    changed.extend([start.to_owned(), end.to_owned()]);
                }
                _ => changed.push(word),
            }
        }
        *words = changed;
    }
}
