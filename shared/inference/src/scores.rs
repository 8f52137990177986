//! What a model answers to one text.

use std::sync::Arc;

use crate::heads::{Head, TaskKind};

/// For each head the probabilities of its labels, or its number. Cloning copies a pointer.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    heads: Arc<[Box<[f32]>]>,
}

impl Scores {
    /// Scores of these answers, one slice a head.
    pub fn new(heads: impl IntoIterator<Item = Box<[f32]>>) -> Self {
        Self { heads: heads.into_iter().collect() }
    }

    /// Each head's share of a row of logits, as its kind reads it.
    pub fn from_logits(logits: &[f32], heads: &[Head]) -> Self {
        let mut rest = logits;
        Self::new(heads.iter().map(|head| {
            let (own, others) = rest.split_at(head.labels.len().min(rest.len()));
            rest = others;
            match head.kind {
                TaskKind::SingleLabel | TaskKind::Tokens => softmax(own),
                TaskKind::MultiLabel => own.iter().map(|logit| sigmoid(*logit)).collect(),
                TaskKind::Regression => own.into(),
            }
        }))
    }

    /// The answers, head by head.
    pub fn heads(&self) -> &[Box<[f32]>] {
        &self.heads
    }

    /// The probabilities of one head, or its number; empty where the model has no such head.
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

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_head_reads_its_logits_in_its_own_way() {
        let heads = [
            Head::new("tags", ["a", "b", "c"]).of_kind(TaskKind::MultiLabel),
            Head::new("price", ["price"]).of_kind(TaskKind::Regression),
            Head::new("tone", ["down", "up"]),
        ];
        let scores = Scores::from_logits(&[f32::ln(3.0), -200.0, 200.0, -1234.5, 7.0, 7.0], &heads);
        assert!((scores.head(0)[0] - 0.75).abs() < 1e-6);
        assert_eq!(
            (&scores.head(0)[1..], scores.head(1), scores.head(2)),
            (&[0.0, 1.0][..], &[-1234.5][..], &[0.5; 2][..])
        );
    }

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
