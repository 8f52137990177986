//! What a reader gains who goes down a ranking and tires on the way.

/// The normalised discounted cumulative gain of the first `depth` (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of
/// IR techniques", 2002): a right answer at rank r gains 1 / log2(1 + r), and the sum is divided by that of the best order. All right
/// answers are worth the same. `ranks` are those of all of them.
pub(super) fn normalised_gain(ranks: &[usize], depth: usize) -> f64 {
    let gain = |rank: usize| 1.0 / (1.0 + rank as f64).log2();
    let best: f64 = (1..=ranks.len().min(depth)).map(gain).sum();
    let found: f64 = ranks.iter().copied().filter(|rank| *rank <= depth).map(gain).sum();
    if best > 0.0 { found / best } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_are_those_counted_by_hand() {
        // At ranks 1, 3 and 7 the gains are 1, 1/2 and 1/3; the best two are 1 and 1/log2(3).
        let second = 1.0 / 3f64.log2();
        assert!((normalised_gain(&[3], 10) - 0.5).abs() < 1e-12);
        assert!((normalised_gain(&[3, 7], 10) - (0.5 + 1.0 / 3.0) / (1.0 + second)).abs() < 1e-12);
        assert!((normalised_gain(&[3, 7], 5) - 0.5 / (1.0 + second)).abs() < 1e-12);
        assert_eq!(normalised_gain(&[1, 2, 3], 10), 1.0);
        // More right answers than places: those that fit are all there can be.
        assert_eq!(normalised_gain(&[1, 2, 3], 2), 1.0);
        assert_eq!((normalised_gain(&[11], 10), normalised_gain(&[], 10)), (0.0, 0.0));
    }
}
