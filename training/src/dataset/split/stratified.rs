//! The stratified split: every label falls on the three sides in the same shares.

use std::collections::HashMap;

use super::{Shares, Side, Splitting};
use crate::dataset::key;
use crate::random::Random;

/// Places rows label by label, in the seed's order. A side with a share above zero gets at least one row of every label, unless
/// `taken`, the sides of texts that earlier splits have met, leaves none for it.
pub(super) fn place(splitting: &Splitting<'_>, labels: usize, taken: &HashMap<String, Side>) -> Vec<(usize, Side)> {
    let mut counts = vec![0usize; labels];
    let given = splitting.targets.iter().flat_map(|target| target.labels());
    given.for_each(|label| counts[*label] += 1);
    let mut by_label = vec![Vec::new(); labels];
    for (row, target) in splitting.targets.iter().enumerate() {
        // A row of several labels is placed by its rarest one.
        let rarest = target.labels().iter().min_by_key(|label| (counts[**label], **label));
        rarest.into_iter().for_each(|label| by_label[*label].push(row));
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
