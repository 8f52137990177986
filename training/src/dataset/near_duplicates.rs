//! Texts that are almost others, dropped.

use super::Row;
use super::forest::Forest;
use super::pairing::{across, sketches, within};

/// The rows without those that are almost one of `held_out`, and of each cluster of near-duplicates the first alone. `rows` are
/// distinct texts; the likenesses are those of the data card.
pub(super) fn without(rows: Vec<Row>, held_out: &[Row]) -> Vec<Row> {
    let sketched = sketches(rows.iter().map(|row| row.text.as_str()));
    let mut dropped = vec![false; rows.len()];
    if !held_out.is_empty() {
        let held_out = sketches(held_out.iter().map(|row| row.text.as_str()));
        across(&held_out, &sketched, |pair| dropped[pair.right] = true);
    }
    let mut forest = Forest::of(rows.len());
    within(&sketched, |pair| forest.join(pair.left, pair.right));
    for cluster in forest.sets() {
        let repeats: Vec<usize> = cluster.into_iter().filter(|row| !dropped[*row]).skip(1).collect();
        repeats.into_iter().for_each(|row| dropped[row] = true);
    }
    rows.into_iter().zip(dropped).filter(|(_, dropped)| !dropped).map(|(row, _)| row).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::Location;

    fn rows(texts: &[String]) -> Vec<Row> {
        let at = |line: usize| Location { path: Path::new("rows.csv").into(), line: line as u64 };
        let row = |(line, text): (usize, &String)| Row {
            text: text.clone(),
            agreement: 1.0,
            label: "a".to_owned(),
            extra: Vec::new(),
            at: at(line),
        };
        texts.iter().enumerate().map(row).collect()
    }

    /// Nine words that no other number shares, and this end.
    fn text(number: usize, end: &str) -> String {
        (0..9).map(|word| format!("w{number}x{word}")).collect::<Vec<_>>().join(" ") + end
    }

    #[test]
    fn the_first_of_likes_stays_and_none_is_like_what_is_held_out() {
        let data = [text(1, ""), text(2, ""), text(1, " today"), text(3, " again"), text(1, " now"), text(4, "")];
        let held_out = rows(&[text(3, ""), text(5, "")]);
        let kept: Vec<u64> = without(rows(&data), &held_out).into_iter().map(|row| row.at.line).collect();
        assert_eq!(kept, [0, 1, 5]);
        let kept: Vec<u64> = without(rows(&data), &[]).into_iter().map(|row| row.at.line).collect();
        assert_eq!(kept, [0, 1, 3, 5]);
    }
}
