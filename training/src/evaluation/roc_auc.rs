//! The area under the receiver operating characteristic.

use super::ties;

/// The chance that a random positive row scores above a random negative one, a tie counting half: the area under the ROC
/// curve, from 0 to 1; 0.5 is chance. `scores` and `positive` are one a row; none without a row of either kind.
///
/// Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
/// Radiology 143 (1982).
pub fn roc_auc(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let ties = ties::descending(scores, positive);
    let (positives, negatives) = ties::totals(&ties);
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut above, mut won) = (0.0, 0.0);
    for tie in ties {
        won += tie.negatives * (above + tie.positives / 2.0);
        above += tie.positives;
    }
    Some(won / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scores: &[f64], positive: &[bool], expected: Option<f64>) {
        assert_eq!(roc_auc(scores, positive), expected, "{scores:?} {positive:?}");
    }

    #[test]
    fn pairs_in_order_are_counted() {
        // Of the four pairs only (0.35, 0.4) is in the wrong order.
        check(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true], Some(0.75));
        check(&[0.1, 0.2, 0.8, 0.9], &[false, false, true, true], Some(1.0));
        check(&[0.9, 0.8, 0.2, 0.1], &[false, false, true, true], Some(0.0));
    }

    #[test]
    fn ties_count_half() {
        check(&[0.5; 5], &[true, false, false, true, false], Some(0.5));
        // The positive at 0.3 ties with one negative and is above the other.
        check(&[0.3, 0.3, 0.1], &[true, false, false], Some(0.75));
    }

    #[test]
    fn one_kind_alone_has_no_area() {
        check(&[0.3, 0.4], &[true, true], None);
        check(&[0.3, 0.4], &[false, false], None);
        check(&[], &[], None);
    }
}
