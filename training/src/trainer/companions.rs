//! Rows that go along with every step, beside those that an epoch goes through: unlabelled texts, old rows.

use super::groups::Group;
use super::sampler::{Batch, Deck};
use crate::random::Random;

/// Hands out the rows of groups that have a share of each step. A group goes through all its rows in random order before any
/// comes again.
#[derive(Debug)]
pub(super) struct Companions {
    decks: Vec<Companion>,
    batch_size: usize,
    random: Random,
}

#[derive(Debug)]
struct Companion {
    group: usize,
    deck: Deck,
    /// Its rows for each of a step's own.
    ratio: f64,
    /// Rows that earlier steps have left to be drawn, less than one.
    owed: f64,
}

impl Companions {
    /// Of `groups`, those with a share.
    pub(super) fn new(groups: &[Group], batch_size: usize, seed: u64) -> Self {
        let shares = || groups.iter().enumerate().filter_map(|(at, group)| Some((at, group, group.share?)));
        let own = 1.0 - shares().map(|(_, _, share)| share).sum::<f64>();
        let companion = |(at, group, share): (usize, &Group, f64)| Companion {
            group: at,
            deck: Deck::new(group.rows.len(), 0),
            ratio: share / own,
            owed: 0.0,
        };
        Self { decks: shares().map(companion).collect(), batch_size, random: Random::new(seed, "companions") }
    }

    /// Adds their batches to an epoch's steps.
    pub(super) fn join(&mut self, mut steps: Vec<Vec<Batch>>) -> Vec<Vec<Batch>> {
        for step in &mut steps {
            let rows: usize = step.iter().map(|batch| batch.rows.len()).sum();
            for Companion { group, deck, ratio, owed } in &mut self.decks {
                *owed += rows as f64 * *ratio;
                // A share such as a third of all must not fall short by rounding.
                let mut wanted = (*owed + 1e-9) as usize;
                *owed -= wanted as f64;
                while wanted > 0 {
                    let rows = deck.draw(wanted.min(self.batch_size), &mut self.random);
                    wanted -= rows.len();
                    step.push(Batch { group: *group, rows });
                }
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Target;
    use crate::trainer::groups::Row;
    use crate::trainer::lessons::Taught;
    use crate::trainer::reading::Reading;

    fn group(rows: usize, share: Option<f64>) -> Group {
        let row = || Row {
            reading: Reading { tokens: inference::Tokens::new([1]), places: Box::new([Some(0)]) },
            text: None,
            targets: vec![Target::Label(0)],
            taught: Taught::default(),
        };
        Group { tasks: vec![0], share, rows: (0..rows).map(|_| row()).collect() }
    }

    fn own(rows: usize) -> Vec<Batch> {
        vec![Batch { group: 0, rows: (0..rows).collect() }]
    }

    #[test]
    fn shares_are_those_asked_for_over_an_epoch_and_every_row_comes_in_turn() {
        // A fifth and three tenths: half the rows are left to the run's own.
        let groups = [group(500, None), group(40, Some(0.2)), group(1000, Some(0.3))];
        let mut companions = Companions::new(&groups, 8, 1);
        let steps = companions.join((0..50).map(|_| own(10)).collect());
        let of = |group: usize| -> Vec<usize> {
            let batches = steps.iter().flatten().filter(|batch| batch.group == group);
            batches.flat_map(|batch| batch.rows.clone()).collect()
        };
        assert_eq!((of(0).len(), of(1).len(), of(2).len()), (500, 200, 300));
        for round in of(1).chunks(40) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert!(round.into_iter().eq(0..40));
        }
        assert!(steps.iter().flatten().all(|batch| batch.group == 0 || batch.rows.len() <= 8));
    }

    #[test]
    fn small_shares_come_in_some_steps() {
        let mut companions = Companions::new(&[group(100, None), group(9, Some(0.05))], 8, 1);
        let steps = companions.join((0..38).map(|_| own(5)).collect());
        let rows: usize = steps.iter().flatten().filter(|batch| batch.group == 1).map(|batch| batch.rows.len()).sum();
        assert_eq!(rows, 10, "a twentieth of 200");
        assert!(steps.iter().any(|step| step.len() == 1));
    }

    #[test]
    fn without_companions_steps_stay() {
        let mut companions = Companions::new(&[group(10, None)], 8, 1);
        assert_eq!(companions.join(vec![own(4)]), [own(4)]);
    }
}
