//! How pure a ranking is down to each of its right answers.

/// The mean of the precisions at the right answers' ranks, which rise from 1 (Buckley and Voorhees, "Evaluating evaluation measure
/// stability", 2000); 0 if there is none.
pub(super) fn average_precision(ranks: &[usize]) -> f64 {
    let precisions = ranks.iter().enumerate().map(|(before, rank)| (before + 1) as f64 / *rank as f64);
    precisions.sum::<f64>() / ranks.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_are_those_counted_by_hand() {
        assert!((average_precision(&[1, 4]) - 0.75).abs() < 1e-12);
        assert!((average_precision(&[2, 3, 6]) - (0.5 + 2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!((average_precision(&[1, 2]), average_precision(&[])), (1.0, 0.0));
    }
}
