//! The stratified split: every label falls on the three sides in the same shares.

use std::collections::HashMap;

use super::{Example, key};
use crate::random::Random;
use crate::run::Split;

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Train,
    Validation,
    Test,
}

pub(super) struct Sides {
    pub(super) train: Vec<Example>,
    pub(super) validation: Vec<Example>,
    pub(super) test: Vec<Example>,
    /// Rows of a side that this split does not have.
    pub(super) left_out: usize,
}

/// Splits by label. A side with a share above zero gets at least one row of every label, unless `taken`, the sides of texts
/// that earlier splits have met, leaves none for it. What this split decides is added to `taken`.
pub(super) fn stratified(
    examples: Vec<Example>,
    shares: &Split,
    labels: usize,
    seed: u64,
    taken: &mut HashMap<String, Side>,
) -> Sides {
    let mut by_label = vec![Vec::new(); labels];
    for example in examples {
        by_label[example.label].push(example);
    }
    let mut random = Random::new(seed, "split");
    let mut sides = Sides { train: Vec::new(), validation: Vec::new(), test: Vec::new(), left_out: 0 };
    for mut rows in by_label {
        random.shuffle(&mut rows);
        let count = |share: f64| if share > 0.0 { ((rows.len() as f64 * share).round() as usize).max(1) } else { 0 };
        let met = |side: Side| rows.iter().filter(|row| taken.get(&key(&row.text)) == Some(&side)).count();
        let mut test = count(shares.test).saturating_sub(met(Side::Test));
        let mut validation = count(shares.validation).saturating_sub(met(Side::Validation));
        for row in rows {
            let side = *taken.entry(key(&row.text)).or_insert_with(|| {
                if test > 0 {
                    test -= 1;
                    Side::Test
                } else if validation > 0 {
                    validation -= 1;
                    Side::Validation
                } else {
                    Side::Train
                }
            });
            match side {
                Side::Train => sides.train.push(row),
                Side::Validation if shares.validation > 0.0 => sides.validation.push(row),
                Side::Test if shares.test > 0.0 => sides.test.push(row),
                Side::Validation | Side::Test => sides.left_out += 1,
            }
        }
    }
    sides
}
