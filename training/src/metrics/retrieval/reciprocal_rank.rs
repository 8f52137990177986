//! How far down the first right answer stands.

/// The reciprocal of the first right answer's rank (Voorhees, "The TREC-8 Question Answering Track Report", 1999); 0 if there is
/// none. `ranks` rise from 1.
pub(super) fn reciprocal_rank(ranks: &[usize]) -> f64 {
    ranks.first().map_or(0.0, |rank| 1.0 / *rank as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_right_answer_counts_alone() {
        assert_eq!([&[1, 2][..], &[4, 9], &[]].map(reciprocal_rank), [1.0, 0.25, 0.0]);
    }
}
