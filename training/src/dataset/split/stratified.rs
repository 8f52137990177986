//! The stratified split: every label falls on the three sides in the same shares, and so does every tenth of numbers.

use std::collections::HashMap;

use super::{Shares, Side, Splitting};
use crate::dataset::{MINIMUM_ROWS, Target, key};
use crate::random::Random;

/// The parts that numbers are put into by their size.
const PARTS: usize = 10;

/// Places rows label by label, in the seed's order. A side with a share above zero gets at least one row of every label, unless
/// `taken`, the sides of texts that earlier splits have met, leaves none for it.
pub(super) fn place(splitting: &Splitting<'_>, taken: &HashMap<String, Side>) -> Vec<(usize, Side)> {
    let strata = strata(splitting.targets);
    let mut by_label = vec![Vec::new(); strata.iter().max().map_or(0, |last| last + 1)];
    for (row, label) in strata.into_iter().enumerate() {
        by_label[label].push(row);
    }
    let mut random = Random::new(splitting.seed, "split");
    let mut placed = Vec::with_capacity(splitting.rows.len());
    for mut rows in by_label {
        random.shuffle(&mut rows);
        let known = |row: &usize| taken.get(&key(&splitting.rows[*row].text)).copied();
        let wanted = |share: f64, side: Side| {
            let met = rows.iter().filter(|row| known(row) == Some(side)).count();
            Shares::rows(share, rows.len()).saturating_sub(met)
        };
        let mut test = wanted(splitting.shares.test, Side::Test);
        let mut validation = wanted(splitting.shares.validation, Side::Validation);
        for row in rows {
            let side = known(&row).unwrap_or_else(|| {
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
            placed.push((row, side));
        }
    }
    placed
}

/// Each row's label, or where its number stands among all.
fn strata(targets: &[Target]) -> Vec<usize> {
    let mut strata: Vec<usize> = targets.iter().map(|target| target.label().unwrap_or(0)).collect();
    let mut numbers: Vec<(f64, usize)> =
        targets.iter().enumerate().filter_map(|(row, target)| Some((target.value()?, row))).collect();
    numbers.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    let parts = (numbers.len() / MINIMUM_ROWS).clamp(1, PARTS);
    for (rank, (_, row)) in numbers.iter().enumerate() {
        strata[*row] = rank * parts / numbers.len();
    }
    strata
}
