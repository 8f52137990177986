//! Random deletion.

use super::WordChange;
use crate::random::Random;

/// Each word goes with a probability; one stays (Wei and Zou, "EDA", 2019).
#[derive(Debug)]
pub(crate) struct Deletion {
    pub(crate) rate: f64,
}

impl WordChange for Deletion {
    fn change(&self, words: &mut Vec<String>, random: &mut Random) {
        let spared = random.below(words.len().max(1));
        let mut place = 0;
        words.retain(|_| {
            place += 1;
            random.unit() >= self.rate || place - 1 == spared
        });
    }
}
