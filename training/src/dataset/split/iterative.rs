//! The stratified split of rows that have any number of labels, or words with a label each (Sechidis, Tsoumakas and Vlahavas, "On the Stratification of
//! Multi-Label Data", 2011).

use std::collections::HashMap;

use super::{Shares, Side, Splitting};
use crate::dataset::key;
use crate::random::Random;

/// A side under construction: how many rows it still wants, in all and of each label. Below zero it has too many.
struct Wanting {
    side: Side,
    rows: i64,
    of_label: Vec<i64>,
}

/// Places the rows of the rarest label first, each on the side that wants most of that label, then those of the label that is
/// rarest among the rest, and so on; last the rows without any. A side with a share above zero wants at least one row of every
/// label. `taken` are the sides of texts that earlier splits have met.
pub(super) fn place(splitting: &Splitting<'_>, labels: usize, taken: &HashMap<String, Side>) -> Vec<(usize, Side)> {
    let labels_of = |row: usize| splitting.targets[row].labels();
    let mut order: Vec<usize> = (0..splitting.rows.len()).collect();
    Random::new(splitting.seed, "split").shuffle(&mut order);
    let mut sides = wanting(splitting, labels);
    let mut placed = Vec::with_capacity(order.len());
    let mut put = |sides: &mut [Wanting], row: usize, side: Side| {
        if let Some(wanting) = sides.iter_mut().find(|wanting| wanting.side == side) {
            wanting.rows -= 1;
            labels_of(row).iter().for_each(|label| wanting.of_label[*label] -= 1);
        }
        placed.push((row, side));
    };

    let known = |row: usize| taken.get(&key(&splitting.rows[row].text)).copied();
    let (known_rows, mut left): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|row| known(*row).is_some());
    for row in known_rows {
        put(&mut sides, row, known(row).unwrap_or(Side::Train));
    }
    while !left.is_empty() {
        let mut counts = vec![0usize; labels];
        left.iter().flat_map(|row| labels_of(*row)).for_each(|label| counts[*label] += 1);
        let rarest = (0..labels).filter(|label| counts[*label] > 0).min_by_key(|label| counts[*label]);
        let is_next = |row: &usize| rarest.is_none_or(|label| labels_of(*row).contains(&label));
        let (now, later): (Vec<usize>, Vec<usize>) = left.into_iter().partition(is_next);
        left = later;
        for row in now {
            let wish = |wanting: &&Wanting| (rarest.map_or(0, |label| wanting.of_label[label]), wanting.rows);
            let side = sides.iter().max_by_key(wish).map_or(Side::Train, |wanting| wanting.side);
            put(&mut sides, row, side);
        }
    }
    placed
}

fn wanting(splitting: &Splitting<'_>, labels: usize) -> Vec<Wanting> {
    let mut counts = vec![0usize; labels];
    splitting.targets.iter().flat_map(|target| target.labels()).for_each(|label| counts[*label] += 1);
    let held_out = [(Side::Test, splitting.shares.test), (Side::Validation, splitting.shares.validation)];
    let held_out = held_out.into_iter().filter(|(_, share)| *share > 0.0);
    let wants = |share: f64, rows: usize| Shares::rows(share, rows) as i64;
    let mut sides: Vec<Wanting> = held_out
        .map(|(side, share)| Wanting {
            side,
            rows: wants(share, splitting.rows.len()),
            of_label: counts.iter().map(|rows| wants(share, *rows)).collect(),
        })
        .collect();
    let rest = |whole: usize, of: &dyn Fn(&Wanting) -> i64| whole as i64 - sides.iter().map(of).sum::<i64>();
    let train = Wanting {
        side: Side::Train,
        rows: rest(splitting.rows.len(), &|side| side.rows),
        of_label: (0..labels).map(|label| rest(counts[label], &|side| side.of_label[label])).collect(),
    };
    sides.push(train);
    sides
}
