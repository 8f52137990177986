//! Pairs: each row of a batch gets a partner of the same label.

use super::groups::Group;
use super::sampler::Batch;
use crate::random::Random;

/// Draws partners.
#[derive(Debug)]
pub(super) struct Partners {
    /// Each row's label.
    labels: Vec<usize>,
    /// Each label's rows.
    rows: Vec<Vec<usize>>,
    random: Random,
}

impl Partners {
    /// Of one group, whose rows have one label each.
    pub(super) fn new(group: &Group, seed: u64) -> Self {
        let labels = group.labels();
        let mut rows = vec![Vec::new(); labels.iter().max().map_or(0, |last| last + 1)];
        labels.iter().enumerate().for_each(|(row, label)| rows[*label].push(row));
        Self { labels, rows, random: Random::new(seed, "partners") }
    }

    /// Adds a partner for each row of an epoch's batches, after these. The only row of its label is its own partner: its two runs
    /// differ by dropout (Gao and others, "SimCSE", 2021).
    pub(super) fn join(&mut self, mut steps: Vec<Vec<Batch>>) -> Vec<Vec<Batch>> {
        for batch in steps.iter_mut().flatten() {
            let partners: Vec<usize> = batch
                .rows
                .iter()
                .map(|row| Self::partner(&self.rows[self.labels[*row]], *row, &mut self.random))
                .collect();
            batch.rows.extend(partners);
        }
        steps
    }

    fn partner(all: &[usize], row: usize, random: &mut Random) -> usize {
        if all.len() < 2 {
            return row;
        }
        // The last stands in for the row itself.
        match all[random.below(all.len() - 1)] {
            other if other == row => all[all.len() - 1],
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Target;
    use crate::trainer::groups::Row;
    use crate::trainer::lessons::Taught;
    use crate::trainer::reading::Reading;

    #[test]
    fn every_other_row_of_a_label_is_a_partner_as_often() {
        let row = |label| Row {
            reading: Reading { tokens: inference::Tokens::new([1]), places: Box::new([Some(0)]) },
            text: None,
            targets: vec![Target::Label(label)],
            taught: Taught::default(),
        };
        let group = Group { tasks: vec![0], share: None, rows: [0, 1, 0, 2, 0, 1, 0].map(row).into() };
        let mut partners = Partners::new(&group, 1);
        let steps = partners.join((0..3000).map(|_| vec![Batch { group: 0, rows: vec![2, 6, 1, 3] }]).collect());
        let mut counts = [[0usize; 7]; 4];
        for batch in steps.iter().flatten() {
            assert_eq!((batch.rows.len(), &batch.rows[..4]), (8, &[2, 6, 1, 3][..]));
            (0..4).for_each(|place| counts[place][batch.rows[4 + place]] += 1);
        }
        for (counts, others) in counts.iter().zip([&[0, 4, 6][..], &[0, 2, 4], &[5], &[3]]) {
            let expected = 3000 / others.len();
            assert!(others.iter().all(|row| counts[*row].abs_diff(expected) < 130), "{counts:?}");
            assert_eq!(others.iter().map(|row| counts[*row]).sum::<usize>(), 3000, "{counts:?}");
        }
    }
}
