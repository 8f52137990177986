//! Folds of whole groups.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::dataset::Row;
use crate::dataset::split::group;
use crate::error::TrainingError;
use crate::run::Task;

/// The fold of each row: the largest groups first, each into the fold with the fewest rows; the seed orders groups of one size.
/// `taken` are the folds of groups of earlier tasks.
pub(super) fn deal(
    task: &Task,
    rows: &[Row],
    column: &str,
    count: usize,
    seed: u64,
    taken: &mut HashMap<(String, String), usize>,
) -> Result<Vec<usize>, TrainingError> {
    let groups = group::of(rows, column)?;
    if groups.len() < count {
        let message =
            format!("{column:?} has {} groups, fewer than the {count} folds; ask for fewer folds", groups.len());
        return Err(TrainingError::Split { task: task.name.clone(), message });
    }
    let mut order: Vec<(&str, Vec<usize>)> = groups.into_iter().collect();
    order.sort_by_cached_key(|(name, rows)| (Reverse(rows.len()), group::draw(seed, name)));
    let (mut folds, mut sizes) = (vec![0; rows.len()], vec![0usize; count]);
    for (name, rows) in order {
        let emptiest = (0..count).min_by_key(|fold| sizes[*fold]).unwrap_or(0);
        let fold = *taken.entry((column.to_owned(), name.to_owned())).or_insert(emptiest);
        sizes[fold] += rows.len();
        rows.into_iter().for_each(|row| folds[row] = fold);
    }
    Ok(folds)
}
