//! The straight path from padding to a text, through the model.

use std::iter::repeat_n;
use std::ops::Range;

use super::integration::Point;
use crate::engine::{Answer, Classifier, PackedBatch};
use crate::error::TrainingError;

/// Tokens that go through the model at once.
pub(super) const TOKENS_AT_ONCE: usize = 2048;

/// The path of one text's word vectors.
pub(super) struct Path<'a> {
    classifier: &'a Classifier,
    tokens: &'a [u32],
    /// The places of each word's tokens.
    words: Vec<Range<usize>>,
    /// From each token's vector to where the path begins, `[tokens, hidden]`; special tokens stay where they are.
    offsets: Vec<f32>,
    answer: Answer,
}

impl<'a> Path<'a> {
    pub(super) fn new(
        classifier: &'a Classifier,
        tokens: &'a [u32],
        words: Vec<Range<usize>>,
        padding: &[f32],
        answer: Answer,
    ) -> Self {
        let mut offsets = vec![0.0; tokens.len() * padding.len()];
        for place in words.iter().flat_map(Range::clone) {
            let own = classifier.word_vector(tokens[place]).unwrap_or_default();
            let offsets = &mut offsets[place * padding.len()..(place + 1) * padding.len()];
            for (offset, (padding, own)) in offsets.iter_mut().zip(padding.iter().zip(own)) {
                *offset = padding - own;
            }
        }
        Self { classifier, tokens, words, offsets, answer }
    }

    /// What is answered at places from 0, where all words are padding, to 1, and how fast each word changes it there.
    pub(super) fn points(&self, places: &[f64]) -> Result<Vec<Point>, TrainingError> {
        let at_once = (TOKENS_AT_ONCE / self.tokens.len()).max(1);
        let mut points = Vec::with_capacity(places.len());
        for places in places.chunks(at_once) {
            let batch = PackedBatch::new(repeat_n(self.tokens, places.len()));
            let offsets = places.iter().flat_map(|place| {
                let share = 1.0 - *place as f32;
                self.offsets.iter().map(move |offset| share * offset)
            });
            let found = self.classifier.sensitivity(&batch, offsets.collect(), self.answer)?;
            let rows = found.answers.iter().zip(found.slopes.chunks_exact(self.offsets.len()));
            points.extend(rows.map(|(answer, slopes)| self.point(*answer, slopes)));
        }
        Ok(points)
    }

    fn point(&self, answer: f32, slopes: &[f32]) -> Point {
        let width = self.offsets.len() / self.tokens.len();
        let slope = |word: &Range<usize>| -> f64 {
            let values = word.start * width..word.end * width;
            let products = self.offsets[values.clone()].iter().zip(&slopes[values]);
            -products.map(|(offset, slope)| f64::from(*offset) * f64::from(*slope)).sum::<f64>()
        };
        Point { answer: f64::from(answer), slopes: self.words.iter().map(slope).collect() }
    }
}
