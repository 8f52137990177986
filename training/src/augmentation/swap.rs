//! Random swap.

use super::WordChange;
use crate::random::Random;

/// Two random words change places, once for each of a share of the words, at least once (Wei and Zou, "EDA: Easy Data
/// Augmentation", 2019).
#[derive(Debug)]
pub(crate) struct Swap {
    pub(crate) rate: f64,
}

impl WordChange for Swap {
    fn change(&self, words: &mut Vec<String>, random: &mut Random) {
        if words.len() < 2 {
            return;
        }
        let swaps = ((words.len() as f64 * self.rate).round() as usize).max(1);
        for _ in 0..swaps {
            let one = random.below(words.len());
            // Any but the same.
            let other = (one + 1 + random.below(words.len() - 1)) % words.len();
            words.swap(one, other);
        }
    }
}
