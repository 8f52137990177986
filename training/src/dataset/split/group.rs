//! The split by group: what belongs together never spans sides, so that a model cannot pass by knowing the author.

use std::collections::{BTreeMap, HashMap};

use super::{Shares, Side, Splitting};
use crate::dataset::Row;
use crate::error::TrainingError;

/// Rows by the value of a column.
pub(in crate::dataset) type Groups<'a> = BTreeMap<&'a str, Vec<usize>>;

/// Places whole groups, in an order that the seed decides: each on the side that is held out and has the most room for it, else on
/// the training side. A held-out side is never fuller than its share. `taken` are the sides of groups of earlier splits.
pub(super) fn place(
    splitting: &Splitting<'_>,
    column: &str,
    taken: &mut HashMap<(String, String), Side>,
) -> Result<Vec<(usize, Side)>, TrainingError> {
    let groups = of(splitting.rows, column)?;
    let mut order: Vec<&str> = groups.keys().copied().collect();
    order.sort_by_cached_key(|group| draw(splitting.seed, group));
    let key = |group: &str| (column.to_owned(), group.to_owned());
    // What is known takes its room first.
    order.sort_by_key(|group| !taken.contains_key(&key(group)));

    let count = splitting.rows.len();
    let mut held_out = [(Side::Validation, splitting.shares.validation), (Side::Test, splitting.shares.test)]
        .map(|(side, share)| (side, Shares::rows(share, count)));
    let mut placed = Vec::with_capacity(count);
    for group in order {
        let rows = &groups[group];
        let roomiest = held_out.iter().filter(|(_, room)| *room >= rows.len()).max_by_key(|(_, room)| *room);
        let chosen = roomiest.map_or(Side::Train, |(side, _)| *side);
        let side = *taken.entry(key(group)).or_insert(chosen);
        if let Some((_, room)) = held_out.iter_mut().find(|(held_out, _)| *held_out == side) {
            *room = room.saturating_sub(rows.len());
        }
        placed.extend(rows.iter().map(|row| (*row, side)));
    }
    placed.sort_unstable_by_key(|(row, _)| *row);
    check(splitting, column, &groups, &placed)?;
    Ok(placed)
}

/// The rows of each group. The column is the rows' first further one.
pub(in crate::dataset) fn of<'a>(rows: &'a [Row], column: &str) -> Result<Groups<'a>, TrainingError> {
    let mut groups = Groups::new();
    for (row, content) in rows.iter().enumerate() {
        let group = content.extra.first().map_or("", String::as_str);
        if group.is_empty() {
            return Err(TrainingError::Row {
                at: content.at.clone(),
                field: column.to_owned(),
                message: "is empty; a split by group needs a group in every row".to_owned(),
            });
        }
        groups.entry(group).or_default().push(row);
    }
    Ok(groups)
}

/// What puts groups in a random order that does not depend on the rows' order.
pub(in crate::dataset) fn draw(seed: u64, group: &str) -> String {
    foundation::digest::sha256(format!("{seed} {group}").as_bytes())
}

/// Refuses groups that are too large for a side.
fn check(
    splitting: &Splitting<'_>,
    column: &str,
    groups: &Groups<'_>,
    placed: &[(usize, Side)],
) -> Result<(), TrainingError> {
    for (side, name, share) in
        [(Side::Test, "test", splitting.shares.test), (Side::Validation, "validation", splitting.shares.validation)]
    {
        if share == 0.0 || placed.iter().any(|(_, other)| *other == side) {
            continue;
        }
        let sizes = || groups.iter().map(|(name, rows)| (rows.len(), *name));
        let told = |group: Option<(usize, &str)>| {
            group.map_or(String::new(), |(rows, name)| format!("{name:?} with {rows} rows"))
        };
        return Err(splitting.unfit(format!(
            "no group of {column:?} is left that is small enough for the {name} side, {} of {} rows; of {} groups the smallest \
             is {}, the largest {}; raise the share of the {name} side, or split by something finer",
            Shares::rows(share, splitting.rows.len()),
            splitting.rows.len(),
            groups.len(),
            told(sizes().min()),
            told(sizes().max())
        )));
    }
    Ok(())
}
