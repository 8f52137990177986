//! Rows ordered by a score, equal scores together: what ranking figures walk over.

/// Rows with the same score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tie {
    pub(super) positives: f64,
    pub(super) negatives: f64,
}

/// The rows from the highest score down. `scores` and `positive` are one a row.
pub(super) fn descending(scores: &[f64], positive: &[bool]) -> Vec<Tie> {
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(positive.iter().copied()).collect();
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    let tie = |rows: &[(f64, bool)]| {
        let positives = rows.iter().filter(|(_, positive)| *positive).count();
        Tie { positives: positives as f64, negatives: (rows.len() - positives) as f64 }
    };
    rows.chunk_by(|one, other| one.0 == other.0).map(tie).collect()
}

/// How many rows are positive and how many are not.
pub(super) fn totals(ties: &[Tie]) -> (f64, f64) {
    ties.iter().fold((0.0, 0.0), |(positives, negatives), tie| (positives + tie.positives, negatives + tie.negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_stand_together() {
        let ties = descending(&[0.1, 0.9, 0.1, 0.5], &[true, true, false, false]);
        let expected = [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
        assert_eq!(ties, expected.map(|(positives, negatives)| Tie { positives, negatives }));
        assert_eq!(totals(&ties), (2.0, 2.0));
    }
}
