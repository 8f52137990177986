//! Average precision: the area under the precision-recall curve, without interpolation.

use super::ties;

/// The mean of the precision at each positive row, from the highest score down; equal scores are one step. From 0 to 1;
/// chance is the positives' share. `scores` and `positive` are one a row; none without a positive row.
///
/// Manning, Raghavan and Schütze, "Introduction to Information Retrieval" (2008), section 8.4. Interpolation is left out,
/// since it flatters: Davis and Goadrich, "The relationship between precision-recall and ROC curves" (ICML 2006).
pub fn average_precision(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let ties = ties::descending(scores, positive);
    let (positives, _) = ties::totals(&ties);
    if positives == 0.0 {
        return None;
    }
    let (mut found, mut taken, mut area) = (0.0, 0.0, 0.0);
    for tie in ties {
        found += tie.positives;
        taken += tie.positives + tie.negatives;
        area += tie.positives / positives * (found / taken);
    }
    Some(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scores: &[f64], positive: &[bool], expected: f64) {
        let found = average_precision(scores, positive).unwrap();
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected} for {scores:?} {positive:?}");
    }

    #[test]
    fn precisions_at_positive_rows_are_averaged() {
        // Positive rows stand first and third: precisions 1/1 and 2/3.
        check(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true], (1.0 + 2.0 / 3.0) / 2.0);
        check(&[0.9, 0.8, 0.1], &[true, true, false], 1.0);
        // The one positive row stands last of four.
        check(&[0.9, 0.8, 0.7, 0.1], &[false, false, false, true], 0.25);
    }

    #[test]
    fn equal_scores_give_the_positives_share() {
        check(&[0.5; 4], &[true, false, false, false], 0.25);
        check(&[0.5; 4], &[false, false, false, true], 0.25);
    }

    #[test]
    fn no_positive_row_has_no_precision() {
        assert_eq!(average_precision(&[0.5], &[false]), None);
        assert_eq!(average_precision(&[], &[]), None);
    }
}
