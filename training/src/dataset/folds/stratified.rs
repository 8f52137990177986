//! Stratified folds (Kohavi, "A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model Selection", 1995).

use std::collections::HashMap;

use crate::dataset::{Row, key};
use crate::random::Random;

/// The fold of each row: of each stratum the folds hold the same number of rows, give or take one, unless `taken`, the folds of
/// texts that earlier tasks have, says otherwise.
pub(super) fn deal(
    rows: &[Row],
    strata: &[usize],
    count: usize,
    seed: u64,
    taken: &HashMap<String, usize>,
) -> Vec<usize> {
    let mut by_stratum = vec![Vec::new(); strata.iter().max().map_or(0, |highest| highest + 1)];
    for (row, stratum) in strata.iter().enumerate() {
        by_stratum[*stratum].push(row);
    }
    let mut random = Random::new(seed, "folds");
    let (mut folds, mut sizes) = (vec![0; rows.len()], vec![0usize; count]);
    for mut own in by_stratum {
        random.shuffle(&mut own);
        let mut sizes_of_stratum = vec![0usize; count];
        let known = |row: &usize| taken.get(&key(&rows[*row].text)).copied();
        let (first, then): (Vec<usize>, Vec<usize>) = own.into_iter().partition(|row| known(row).is_some());
        for row in first.into_iter().chain(then) {
            let emptiest = || (0..count).min_by_key(|fold| (sizes_of_stratum[*fold], sizes[*fold])).unwrap_or(0);
            let fold = known(&row).unwrap_or_else(emptiest);
            folds[row] = fold;
            sizes_of_stratum[fold] += 1;
            sizes[fold] += 1;
        }
    }
    folds
}
