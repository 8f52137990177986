//! The stratified split: every label falls on the three sides in the same shares.

use super::Example;
use crate::random::Random;
use crate::run::Split;

pub(super) struct Sides {
    pub(super) train: Vec<Example>,
    pub(super) validation: Vec<Example>,
    pub(super) test: Vec<Example>,
}

/// Splits by label. A side with a share above zero gets at least one row of every label.
pub(super) fn stratified(examples: Vec<Example>, shares: &Split, labels: usize, seed: u64) -> Sides {
    let mut by_label = vec![Vec::new(); labels];
    for example in examples {
        by_label[example.label].push(example);
    }
    let mut random = Random::new(seed, "split");
    let mut sides = Sides { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
    for mut rows in by_label {
        random.shuffle(&mut rows);
        let count = |share: f64| if share > 0.0 { ((rows.len() as f64 * share).round() as usize).max(1) } else { 0 };
        let (validation, test) = (count(shares.validation), count(shares.test));
        let mut rest = rows.into_iter();
        sides.test.extend(rest.by_ref().take(test));
        sides.validation.extend(rest.by_ref().take(validation));
        sides.train.extend(rest);
    }
    sides
}
