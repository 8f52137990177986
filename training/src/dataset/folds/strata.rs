//! What each fold should have its share of.

use std::collections::BTreeMap;

use crate::dataset::Target;

/// The most bins that numbers are parted into.
const BINS: usize = 10;

/// A stratum for each row: its label; its set of labels, or of its words' tags, those of fewer rows than folds together; or the bin
/// that its number's rank falls in.
pub(super) fn of(targets: &[Target], folds: usize) -> Vec<usize> {
    if targets.iter().any(|target| target.value().is_some()) {
        return bins(targets, folds);
    }
    if targets.iter().all(|target| target.label().is_some()) {
        return targets.iter().filter_map(Target::label).collect();
    }
    let mut rows: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    let sets: Vec<Vec<usize>> = targets.iter().map(set).collect();
    sets.iter().for_each(|set| *rows.entry(set.clone()).or_default() += 1);
    let common = rows.iter().filter(|(_, rows)| **rows >= folds).map(|(set, _)| set);
    let places: BTreeMap<&Vec<usize>, usize> = common.enumerate().map(|(place, set)| (set, place)).collect();
    sets.iter().map(|set| places.get(set).copied().unwrap_or(places.len())).collect()
}

fn set(target: &Target) -> Vec<usize> {
    let mut labels = target.labels().to_vec();
    labels.sort_unstable();
    labels.dedup();
    labels
}

fn bins(targets: &[Target], folds: usize) -> Vec<usize> {
    let value = |row: usize| targets[row].value().unwrap_or(0.0);
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.sort_by(|one, other| value(*one).total_cmp(&value(*other)));
    let bins = (targets.len() / folds.max(1)).clamp(1, BINS);
    let mut strata = vec![0; targets.len()];
    order.iter().enumerate().for_each(|(rank, row)| strata[*row] = rank * bins / targets.len());
    strata
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_parted_by_what_they_should_be_answered_with() {
        let label = |label| Target::Contested { label, agreement: 0.5 };
        assert_eq!(of(&[Target::Label(2), label(0), Target::Label(2)], 5), [2, 0, 2]);
        let sets = [&[0, 1][..], &[1], &[0, 1], &[], &[1], &[2]].map(|labels| Target::Labels(labels.into()));
        // Two rows each have {0, 1} and {1}; the others are alone.
        assert_eq!(of(&sets, 2), [0, 1, 0, 2, 1, 2]);
        let tags = [vec![0, 1, 0], vec![1, 0], vec![0]].map(Target::Tags);
        assert_eq!(of(&tags, 2), [0, 0, 1]);
        let numbers = [5.0, -1.0, 9.0, 2.0].map(Target::Value);
        assert_eq!(of(&numbers, 2), [1, 0, 1, 0]);
        assert_eq!(of(&[], 2), [0; 0]);
    }
}
