//! A few rows of each label.

use std::collections::HashMap;

use super::{Example, Target};
use crate::random::Random;

/// So many rows of each label at the most, drawn by the seed, in their order. For seeds alike, more rows are these and others.
pub(super) fn of_each(rows: Vec<Example>, most: usize, seed: u64) -> Vec<Example> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    Random::new(seed, "few").shuffle(&mut order);
    let mut met: HashMap<Option<usize>, usize> = HashMap::new();
    let mut taken = vec![false; rows.len()];
    for row in order {
        let count = met.entry(Target::label(&rows[row].target)).or_default();
        taken[row] = *count < most;
        *count += 1;
    }
    rows.into_iter().zip(taken).filter_map(|(row, taken)| taken.then_some(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_so_many_rows_and_few_are_among_more() {
        let row = |number: usize| Example { text: number.to_string(), target: Target::Label(usize::from(number > 2)) };
        let all: Vec<Example> = (0..60).map(row).collect();
        let few = |most, seed| of_each(all.clone(), most, seed);
        let labels =
            |rows: &[Example]| [0, 1].map(|label| rows.iter().filter(|row| row.target == Target::Label(label)).count());
        assert_eq!((labels(&few(5, 1)), labels(&few(2, 1)), labels(&few(90, 1))), ([3, 5], [2, 2], [3, 57]));
        let more = few(12, 1);
        assert!(few(5, 1).iter().all(|row| more.contains(row)));
        assert_ne!(few(5, 1), few(5, 2));
        assert!(few(40, 3).is_sorted_by_key(|row| row.text.parse::<usize>().unwrap()));
    }
}
