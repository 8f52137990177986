//! The probabilities that a model gives one text.

use std::sync::Arc;

use crate::heads::Head;

/// For each head the softmax probabilities of its labels. Cloning copies a pointer.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    heads: Arc<[Box<[f32]>]>,
}

impl Scores {
    /// Scores of these probabilities, one slice a head.
    pub fn new(heads: impl IntoIterator<Item = Box<[f32]>>) -> Self {
        Self { heads: heads.into_iter().collect() }
    }

    /// The softmax of each head's share of a row of logits.
    pub fn from_logits(logits: &[f32], heads: &[Head]) -> Self {
        let mut rest = logits;
        Self::new(heads.iter().map(|head| {
            let (own, others) = rest.split_at(head.labels.len().min(rest.len()));
            rest = others;
            softmax(own)
        }))
    }

    /// The probabilities, head by head.
    pub fn heads(&self) -> &[Box<[f32]>] {
        &self.heads
    }

    /// The probabilities of one head; empty where the model has no such head.
    pub fn head(&self, index: usize) -> &[f32] {
        self.heads.get(index).map_or(&[], |probabilities| probabilities)
    }

    /// The most probable label of a head and its probability; the first one among equals.
    pub fn best(&self, head: usize) -> Option<(usize, f32)> {
        self.head(head).iter().copied().enumerate().fold(None, |best, (index, probability)| match best {
            Some((_, highest)) if highest >= probability => best,
            _ => Some((index, probability)),
        })
    }
}

fn softmax(logits: &[f32]) -> Box<[f32]> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut probabilities: Box<[f32]> = logits.iter().map(|logit| (logit - highest).exp()).collect();
    let sum: f32 = probabilities.iter().sum();
    for probability in &mut probabilities {
        *probability /= sum;
    }
    probabilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_is_taken_head_by_head() {
        let heads = [Head::new("sentiment", ["negative", "positive"]), Head::new("topic", ["a", "b", "c"])];
        let scores = Scores::from_logits(&[0.0, f32::ln(3.0), 1000.0, 1000.0, -1000.0], &heads);
        let expected: [&[f32]; 2] = [&[0.25, 0.75], &[0.5, 0.5, 0.0]];
        for (head, expected) in expected.iter().enumerate() {
            for (own, expected) in scores.head(head).iter().zip(*expected) {
                assert!((own - expected).abs() < 1e-6, "{scores:?}");
            }
        }
        assert_eq!(scores.best(0), Some((1, scores.head(0)[1])));
        assert_eq!(scores.best(1).map(|best| best.0), Some(0));
        assert_eq!(scores.best(2), None);
    }
}
