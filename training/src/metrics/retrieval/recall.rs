//! How many of the right answers stand near the top.

/// The share of the right answers, which have these ranks, among the first `depth`.
pub(super) fn recall(ranks: &[usize], depth: usize) -> f64 {
    ranks.iter().filter(|rank| **rank <= depth).count() as f64 / ranks.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_counted_by_hand() {
        assert_eq!([1, 3, 10].map(|depth| recall(&[1, 3, 5, 11], depth)), [0.25, 0.5, 0.75]);
        assert_eq!(recall(&[], 10), 0.0);
    }
}
