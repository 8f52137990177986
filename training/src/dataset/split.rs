//! Splits: which rows are learned from, which choose the epoch, which are reported.

mod digest;
pub(super) mod group;
mod iterative;
mod stratified;
mod time;

use std::collections::HashMap;

use super::{LabelSet, MINIMUM_ROWS, Row, Target, key};
use crate::error::TrainingError;
use crate::run::SplitBy;
pub(crate) use digest::place_of;

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Train,
    Validation,
    Test,
}

/// The shares of rows that are cut off; 0 for a side that there is not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    pub(super) validation: f64,
    pub(super) test: f64,
}

/// What earlier splits have decided. Tasks share one encoder, so that a text or group of several tasks has one side in all.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// By [`key`].
    pub(super) texts: HashMap<String, Side>,
    /// By column and value.
    pub(super) groups: HashMap<(String, String), Side>,
}

/// What is split.
#[derive(Debug, Clone, Copy)]
pub(super) struct Splitting<'a> {
    pub(super) task: &'a str,
    pub(super) by: &'a SplitBy,
    /// Distinct texts.
    pub(super) rows: &'a [Row],
    /// One for each row.
    pub(super) targets: &'a [Target],
    pub(super) shares: Shares,
    pub(super) seed: u64,
}

/// The rows of each side, by their indices.
#[derive(Debug, Default)]
pub(super) struct Sides {
    pub(super) train: Vec<usize>,
    pub(super) validation: Vec<usize>,
    pub(super) test: Vec<usize>,
    /// Rows whose text, or group, another task has on a side where it cannot be for this one.
    pub(super) left_out: usize,
}

impl Splitting<'_> {
    /// Splits, and adds to `taken` what it decides.
    pub(super) fn split(&self, names: &LabelSet, taken: &mut Taken) -> Result<Sides, TrainingError> {
        let placed = match self.by {
            SplitBy::Stratified if self.has_many_labels() => iterative::place(self, names.len(), &taken.texts),
            SplitBy::Stratified => stratified::place(self, &taken.texts),
            SplitBy::Digest => digest::place(self),
            SplitBy::Time { column } => time::place(self, column)?,
            SplitBy::Group { column } => group::place(self, column, &mut taken.groups)?,
        };
        let mut sides = Sides::default();
        for (row, side) in placed {
            let is_free = *taken.texts.entry(key(&self.rows[row].text)).or_insert(side) == side;
            match side {
                Side::Train if is_free => sides.train.push(row),
                Side::Validation if is_free && self.shares.validation > 0.0 => sides.validation.push(row),
                Side::Test if is_free && self.shares.test > 0.0 => sides.test.push(row),
                _ => sides.left_out += 1,
            }
        }
        // A stratified split by one label has rows of every label on every side by itself.
        if *self.by != SplitBy::Stratified || self.has_many_labels() {
            self.check(&sides, names)?;
        }
        Ok(sides)
    }

    fn check(&self, sides: &Sides, names: &LabelSet) -> Result<(), TrainingError> {
        for (side, share, rows) in
            [("validation", self.shares.validation, &sides.validation), ("test", self.shares.test, &sides.test)]
        {
            if share > 0.0 && rows.is_empty() {
                return Err(
                    self.unfit(format!("no row falls on the {side} side; raise its share, or split by something else"))
                );
            }
        }
        // Numbers have no labels, and tags of words some that are too rare to ask for.
        let rows = |label: &usize| self.targets.iter().filter(|target| target.labels().contains(label)).count();
        let is_learned = |label: &usize| sides.train.iter().any(|row| self.targets[*row].labels().contains(label));
        match (0..names.len()).find(|label| rows(label) >= MINIMUM_ROWS && !is_learned(label)) {
            None => Ok(()),
            Some(label) => Err(self.unfit(format!(
                "all rows of label {:?} fall on sides that are held out, none is left to learn it from; lower the shares, \
                 or split by something else",
                names.names()[label]
            ))),
        }
    }

    fn has_many_labels(&self) -> bool {
        matches!(self.targets.first(), Some(Target::Labels(_) | Target::Tags(_)))
    }

    /// The value of the column that is split by.
    fn value(&self, row: usize) -> &str {
        self.rows[row].extra.first().map_or("", String::as_str)
    }

    fn unfit(&self, message: String) -> TrainingError {
        TrainingError::Split { task: self.task.to_owned(), message }
    }
}

impl Shares {
    /// How many of `rows` rows a side of this share holds: at least one.
    fn rows(share: f64, rows: usize) -> usize {
        if share > 0.0 { ((rows as f64 * share).round() as usize).max(1) } else { 0 }
    }
}

#[cfg(test)]
mod tests;
