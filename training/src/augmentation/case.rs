//! Words in other letters.

use super::WordChange;
use super::words::capitalised;
use crate::random::Random;

/// Words turn to upper case, to lower case, or get a capital. An encoder that reads lower case only, as the one that `pulsewire setup`
/// fetches does, sees no difference.
#[derive(Debug)]
pub(crate) struct Case {
    /// The share of words.
    pub(crate) rate: f64,
    /// What they turn to; one of the three at random where it is not set.
    pub(crate) letters: Option<Letters>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Letters {
    Upper,
    Lower,
    Capital,
}

impl WordChange for Case {
    fn change(&self, words: &mut Vec<String>, random: &mut Random) {
        for word in words {
            if random.unit() >= self.rate {
                continue;
            }
            let any = [Letters::Upper, Letters::Lower, Letters::Capital];
            *word = match self.letters.unwrap_or_else(|| any[random.below(any.len())]) {
                Letters::Upper => word.to_uppercase(),
                Letters::Lower => word.to_lowercase(),
                Letters::Capital => capitalised(word),
            };
        }
    }
}
