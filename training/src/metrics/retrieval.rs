//! How well queries find their right answers among candidates.

mod average_precision;
mod cumulative_gain;
mod recall;
mod reciprocal_rank;

use std::fmt;

use serde::{Deserialize, Serialize};

use average_precision::average_precision;
use cumulative_gain::normalised_gain;
use recall::recall;
use reciprocal_rank::reciprocal_rank;

/// The quality of rankings, each figure a mean over queries, 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RetrievalReport {
    /// Queries measured.
    pub queries: usize,
    /// Candidates that each query had, right ones included.
    pub candidates: usize,
    /// The reciprocal of the first right answer's rank (MRR).
    pub reciprocal_rank: f64,
    /// The share of right answers that stand first.
    pub recall_at_1: f64,
    /// The share of right answers among the first 5.
    pub recall_at_5: f64,
    /// The share of right answers among the first 10.
    pub recall_at_10: f64,
    /// The discounted gain of the first 10, as a share of the best order's (NDCG@10).
    pub gain_at_10: f64,
    /// The mean precision at the right answers' ranks (MAP).
    pub average_precision: f64,
}

impl RetrievalReport {
    /// Measures queries by the [`ranks`] of their right answers; those without any are left out.
    pub(crate) fn of(rankings: &[Vec<usize>], candidates: usize) -> Self {
        let rankings: Vec<&[usize]> = rankings.iter().map(Vec::as_slice).filter(|ranks| !ranks.is_empty()).collect();
        let mean = |figure: &dyn Fn(&[usize]) -> f64| {
            rankings.iter().map(|ranks| figure(ranks)).sum::<f64>() / rankings.len().max(1) as f64
        };
        Self {
            queries: rankings.len(),
            candidates,
            reciprocal_rank: mean(&reciprocal_rank),
            recall_at_1: mean(&|ranks| recall(ranks, 1)),
            recall_at_5: mean(&|ranks| recall(ranks, 5)),
            recall_at_10: mean(&|ranks| recall(ranks, 10)),
            gain_at_10: mean(&|ranks| normalised_gain(ranks, 10)),
            average_precision: mean(&average_precision),
        }
    }
}

impl fmt::Display for RetrievalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reciprocal_rank, recall_at_1, recall_at_5, recall_at_10, gain_at_10, average_precision, .. } = self;
        write!(
            f,
            "MRR {reciprocal_rank:.3}, recall@1 {recall_at_1:.3}, @5 {recall_at_5:.3}, @10 {recall_at_10:.3}, \
             NDCG@10 {gain_at_10:.3}, MAP {average_precision:.3}"
        )
    }
}

/// The ranks of the right candidates, from 1 and in rising order. Of candidates with equal scores the wrong ones stand first: an
/// encoder gains nothing by finding everything alike, and the order of the candidates decides nothing. A score that is not a
/// number counts as the lowest.
pub(crate) fn ranks(scores: &[f32], is_right: impl Fn(usize) -> bool) -> Vec<usize> {
    let score = |candidate: usize| if scores[candidate].is_nan() { f32::NEG_INFINITY } else { scores[candidate] };
    let mut order: Vec<(f32, bool)> = (0..scores.len()).map(|place| (score(place), is_right(place))).collect();
    order.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    order.iter().enumerate().filter(|(_, (_, right))| *right).map(|(place, _)| place + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_counted_by_hand() {
        let of = |scores: &[f32], right: &[usize]| ranks(scores, |place| right.contains(&place));
        assert_eq!(of(&[0.1, 0.9, 0.5, 0.7], &[2, 1]), [1, 3]);
        assert_eq!(of(&[0.1, 0.9], &[]), [0; 0]);
        // Ties go to the wrong ones, wherever they stand.
        assert_eq!(of(&[0.5, 0.5, 0.5, 0.1], &[0]), [3]);
        assert_eq!(of(&[0.5, 0.5, 0.5, 0.1], &[2, 1]), [2, 3]);
        assert_eq!(of(&[f32::NAN, -1.0], &[0]), [2]);
    }

    #[test]
    fn figures_are_means_over_queries_that_have_an_answer() {
        // First at once; second and twelfth.
        let report = RetrievalReport::of(&[vec![1], vec![2, 12], Vec::new()], 20);
        assert_eq!((report.queries, report.candidates), (2, 20));
        assert_eq!((report.reciprocal_rank, report.recall_at_1), (0.75, 0.5));
        assert_eq!((report.recall_at_5, report.recall_at_10), (0.75, 0.75));
        assert!((report.average_precision - (1.0 + (0.5 + 2.0 / 12.0) / 2.0) / 2.0).abs() < 1e-12);
        assert!(report.to_string().starts_with("MRR 0.750, recall@1 0.500"), "{report}");
        assert_eq!(RetrievalReport::of(&[], 0), RetrievalReport::default());
    }
}
