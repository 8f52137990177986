//! Which rows go into which step, where tasks with rows of their own share one encoder.

use crate::random::Random;
use crate::run::Hyperparameters;

/// Rows of one group that are run at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) group: usize,
    pub(super) rows: Vec<usize>,
}

/// Hands out batches. A group goes through all its rows in random order before any comes again.
#[derive(Debug)]
pub(super) struct Sampler {
    groups: Vec<Deck>,
    batch_size: usize,
    accumulation: usize,
    random: Random,
}

/// A group's rows, in the order in which they are drawn.
#[derive(Debug)]
pub(super) struct Deck {
    /// Its batches in an epoch.
    batches: usize,
    order: Vec<usize>,
    next: usize,
}

impl Sampler {
    /// As many batches an epoch as all rows need together, shared among groups in proportion to `rowsᵗᵉᵐᵖᵉʳᵃᵗᵘʳᵉ`.
    pub(super) fn new(rows: &[usize], settings: &Hyperparameters, seed: u64) -> Self {
        let batches = |rows: usize| rows.div_ceil(settings.batch_size);
        let total: usize = rows.iter().map(|rows| batches(*rows)).sum();
        let weight = |rows: usize| (batches(rows) as f64).powf(settings.task_temperature);
        let weights: f64 = rows.iter().map(|rows| weight(*rows)).sum();
        let deck = |rows: &usize| Deck::new(*rows, ((total as f64 * weight(*rows) / weights).round() as usize).max(1));
        let random = Random::new(seed, "order");
        Self {
            groups: rows.iter().map(deck).collect(),
            batch_size: settings.batch_size,
            accumulation: settings.accumulation,
            random,
        }
    }

    pub(super) fn steps_per_epoch(&self) -> usize {
        self.groups.iter().map(|group| group.batches).sum::<usize>().div_ceil(self.accumulation)
    }

    /// The next epoch's steps, as the batches that each adds up; a batch belongs to one group, groups alternate at random.
    pub(super) fn epoch(&mut self) -> Vec<Vec<Batch>> {
        let mut turns: Vec<usize> =
            self.groups.iter().enumerate().flat_map(|(group, deck)| std::iter::repeat_n(group, deck.batches)).collect();
        self.random.shuffle(&mut turns);
        let batches: Vec<Batch> = turns.into_iter().map(|group| Batch { group, rows: self.draw(group) }).collect();
        batches.chunks(self.accumulation).map(<[Batch]>::to_vec).collect()
    }

    fn draw(&mut self, group: usize) -> Vec<usize> {
        self.groups[group].draw(self.batch_size, &mut self.random)
    }
}

impl Deck {
    /// A deck of `rows` rows that has `batches` batches in an epoch.
    pub(super) fn new(rows: usize, batches: usize) -> Self {
        Self { batches, order: (0..rows).collect(), next: rows }
    }

    /// The next rows, at most so many; fewer where all have been drawn and are shuffled anew for the next draw.
    pub(super) fn draw(&mut self, most: usize, random: &mut Random) -> Vec<usize> {
        if self.next >= self.order.len() {
            random.shuffle(&mut self.order);
            self.next = 0;
        }
        let end = (self.next + most).min(self.order.len());
        let rows = self.order[self.next..end].to_vec();
        self.next = end;
        rows
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn settings(task_temperature: f64) -> Hyperparameters {
        Hyperparameters { batch_size: 4, task_temperature, ..Hyperparameters::default() }
    }

    #[test]
    fn an_epoch_meets_every_row_once_in_batches_of_one_group() {
        let mut sampler = Sampler::new(&[10, 30], &settings(1.0), 1);
        let (first, second) = (sampler.epoch(), sampler.epoch());
        assert_eq!(sampler.steps_per_epoch(), 11);
        assert_ne!(first, second);
        for epoch in [first, second] {
            let mut seen: HashMap<usize, Vec<usize>> = HashMap::new();
            for batch in epoch.into_iter().flatten() {
                assert!(batch.rows.len() <= 4);
                seen.entry(batch.group).or_default().extend(batch.rows);
            }
            for (group, rows) in [(0, 10), (1, 30)] {
                let mut seen = seen[&group].clone();
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..rows));
            }
        }
    }

    #[test]
    fn a_step_adds_up_some_batches_and_the_last_one_what_is_left() {
        let mut sampler = Sampler::new(&[10, 30], &Hyperparameters { accumulation: 4, ..settings(1.0) }, 1);
        let steps: Vec<usize> = sampler.epoch().iter().map(Vec::len).collect();
        assert_eq!((steps, sampler.steps_per_epoch()), (vec![4, 4, 3], 3));
    }

    #[test]
    fn a_low_temperature_evens_the_groups_out() {
        let steps = |temperature| {
            let sampler = Sampler::new(&[40, 360], &settings(temperature), 1);
            (sampler.groups[0].batches, sampler.groups[1].batches)
        };
        assert_eq!(steps(1.0), (10, 90));
        assert_eq!(steps(0.5), (25, 75));
        assert_eq!(steps(0.0), (50, 50));
    }
}
