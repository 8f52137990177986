//! Near-duplicates within the data.

use serde::{Deserialize, Serialize};

use super::SHOWN;
use super::duplicates::{Distinct, Text};
use super::place::TextAt;
use crate::dataset::forest::Forest;
use crate::dataset::pairing::{Pair, SIMILARITY, sketches, within};

/// Texts that are almost the same. Exact duplicates are one text here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearDuplicates {
    /// The least Jaccard similarity of a pair's word shingles, from 0 to 1.
    pub similarity: f64,
    /// Pairs of texts.
    pub pairs: usize,
    /// Pairs without a label in common.
    pub other_label_pairs: usize,
    /// Groups of texts that pairs hold together.
    pub clusters: usize,
    /// Texts in those groups.
    pub clustered_texts: usize,
    /// Texts of the largest group.
    pub largest_cluster: usize,
    /// Whether every pair was looked at; a template with hundreds of copies is counted in part.
    pub complete: bool,
    /// At most [`SHOWN`] pairs: those without a label in common first, then the most similar.
    pub shown: Vec<NearPair>,
}

/// Two texts that are almost the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearPair {
    /// The one that stands first.
    pub first: TextAt,
    /// The other.
    pub second: TextAt,
    /// The Jaccard similarity of their word shingles.
    pub similarity: f64,
}

impl NearDuplicates {
    pub(super) fn find(distinct: &Distinct<'_>) -> Self {
        let texts = &distinct.texts;
        let sketches = sketches(texts.iter().map(|text| text.first.text.as_str()));
        let mut forest = Forest::of(texts.len());
        let (mut pairs, mut other_label_pairs, mut best) = (0, 0, Best::default());
        let complete = within(&sketches, |pair| {
            let agree = texts[pair.left].agrees_with(&texts[pair.right]);
            pairs += 1;
            other_label_pairs += usize::from(!agree);
            forest.join(pair.left, pair.right);
            best.offer(pair, agree);
        });
        let sizes: Vec<usize> = forest.sets().into_iter().map(|set| set.len()).collect();
        Self {
            similarity: SIMILARITY,
            pairs,
            other_label_pairs,
            clusters: sizes.len(),
            clustered_texts: sizes.iter().sum(),
            largest_cluster: sizes.into_iter().max().unwrap_or(0),
            complete,
            shown: best.shown(texts),
        }
    }
}

/// The pairs that are worth showing, of any number that is offered.
#[derive(Default)]
struct Best(Vec<(bool, Pair)>);

impl Best {
    fn offer(&mut self, pair: Pair, agree: bool) {
        self.0.push((agree, pair));
        if self.0.len() >= 100 * SHOWN {
            self.keep();
        }
    }

    fn keep(&mut self) {
        self.0.sort_by(|(agree, a), (other, b)| {
            let similarity = b.similarity.total_cmp(&a.similarity);
            agree.cmp(other).then(similarity).then((a.left, a.right).cmp(&(b.left, b.right)))
        });
        self.0.truncate(SHOWN);
    }

    fn shown(mut self, texts: &[Text<'_>]) -> Vec<NearPair> {
        self.keep();
        let at = |index: usize| TextAt::of(texts[index].first);
        let pair = |(_, pair): (bool, Pair)| NearPair {
            first: at(pair.left),
            second: at(pair.right),
            similarity: pair.similarity,
        };
        self.0.into_iter().map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disagreeing_pairs_are_kept_before_similar_ones() {
        let mut best = Best::default();
        let pair = |right: usize, similarity: f64| Pair { left: 0, right, similarity };
        (1..=5000).for_each(|right| best.offer(pair(right, 0.9), true));
        best.offer(pair(6000, 0.95), true);
        best.offer(pair(7000, 0.8), false);
        best.keep();
        let kept: Vec<usize> = best.0.iter().map(|(_, pair)| pair.right).collect();
        assert_eq!(kept, [7000, 6000, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
