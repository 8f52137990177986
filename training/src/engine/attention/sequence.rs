//! Attention within one sequence: its queries over its own keys and values and, before them, those of a prefix.

use crate::engine::matrix::{Matrix, MatrixMut, Target, Threads, multiply};
use crate::engine::vector::{dot, softmax_rows, vectorised};
use crate::random::Dropout;

/// Query, key and value.
const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;

/// The measures of one sequence in the packed buffers.
#[derive(Clone, Copy)]
pub(super) struct Sequence {
    pub(super) length: usize,
    /// Keys and values that stand before its own.
    pub(super) lead: usize,
    pub(super) heads: usize,
    pub(super) head_size: usize,
    /// Whether tokens attend to none after them.
    pub(super) causal: bool,
    /// Where its probabilities begin, which is what dropout counts by.
    pub(super) first_probability: usize,
    pub(super) dropout: Dropout,
}

/// What a sequence attends to.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// Query, key and value of each of its tokens: `[length, 3 gathered]`.
    pub(super) own: &'a [f32],
    /// Key and value of each row before them: `[lead, 2 gathered]`.
    pub(super) prefix: &'a [f32],
}

/// Their gradients, to be written.
pub(super) struct RowsMut<'a> {
    pub(super) own: &'a mut [f32],
    pub(super) prefix: &'a mut [f32],
}

/// Whose keys and values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Own,
    Prefix,
}

impl Sequence {
    pub(super) fn probabilities(self) -> usize {
        self.heads * self.length * self.width()
    }

    /// How many keys there are.
    fn width(self) -> usize {
        self.lead + self.length
    }

    /// What all heads gather for a token.
    fn gathered(self) -> usize {
        self.heads * self.head_size
    }

    fn scale(self) -> f32 {
        1.0 / (self.head_size as f32).sqrt()
    }

    /// Whose keys and values there are; the first are always its own.
    fn sources(self) -> impl Iterator<Item = Source> {
        [Source::Own, Source::Prefix].into_iter().take(if self.lead > 0 { 2 } else { 1 })
    }

    /// The column of the first key among all keys, and how many there are.
    fn columns(self, source: Source) -> (usize, usize) {
        match source {
            Source::Own => (self.lead, self.length),
            Source::Prefix => (0, self.lead),
        }
    }

    /// Where a part of one head begins in its rows, how many rows there are and how long each is.
    fn place(self, source: Source, part: usize, head: usize) -> (usize, usize, usize) {
        let (skipped, stored) = if source == Source::Own { (0, 3) } else { (1, 2) };
        let first = (part - skipped) * self.gathered() + head * self.head_size;
        (first, self.columns(source).1, stored * self.gathered())
    }

    fn part(self, rows: Rows<'_>, source: Source, part: usize, head: usize) -> Matrix<'_> {
        let (first, count, stride) = self.place(source, part, head);
        let values = if source == Source::Own { rows.own } else { rows.prefix };
        Matrix::strided(&values[first..], count, self.head_size, stride)
    }

    fn part_mut<'a>(self, rows: &'a mut RowsMut<'_>, source: Source, part: usize, head: usize) -> MatrixMut<'a> {
        let (first, count, stride) = self.place(source, part, head);
        let values = if source == Source::Own { &mut *rows.own } else { &mut *rows.prefix };
        MatrixMut::strided(&mut values[first..], count, self.head_size, stride)
    }

    /// The columns of one head's scores that belong to these keys.
    fn scores(self, scores: &[f32], source: Source) -> Matrix<'_> {
        let (first, count) = self.columns(source);
        Matrix::strided(&scores[first..], self.length, count, self.width())
    }

    fn scores_mut(self, scores: &mut [f32], source: Source) -> MatrixMut<'_> {
        let (first, count) = self.columns(source);
        MatrixMut::strided(&mut scores[first..], self.length, count, self.width())
    }

    pub(super) fn attend(self, rows: Rows<'_>, probabilities: &mut [f32], context: &mut [f32]) {
        let size = self.length * self.width();
        let mut dropped = vec![0.0; if self.dropout.is_off() { 0 } else { size }];
        for (head, probabilities) in probabilities.chunks_exact_mut(size).enumerate() {
            let query = self.part(rows, Source::Own, QUERY, head);
            for source in self.sources() {
                let key = self.part(rows, source, KEY, head).transposed();
                let mut scores = self.scores_mut(probabilities, source);
                multiply(&mut scores, Target::Set, query, key, self.scale(), Threads::One);
            }
            if self.causal {
                self.hide_later(probabilities);
            }
            softmax_rows(probabilities, self.width());
            let weights = if self.dropout.is_off() {
                &*probabilities
            } else {
                drop_some(probabilities, &mut dropped, self.mask(head));
                &dropped
            };
            let target = &mut context[head * self.head_size..];
            let mut target = MatrixMut::strided(target, self.length, self.head_size, self.gathered());
            for source in self.sources() {
                let value = self.part(rows, source, VALUE, head);
                multiply(&mut target, source.mode(), self.scores(weights, source), value, 1.0, Threads::One);
            }
        }
    }

    /// Gives the keys of later tokens no probability, and so no gradient.
    fn hide_later(self, scores: &mut [f32]) {
        for (row, scores) in scores.chunks_exact_mut(self.width()).enumerate() {
            scores[self.lead + row + 1..].fill(f32::NEG_INFINITY);
        }
    }

    /// Sets the gradients of what [`attend`](Self::attend) read, given that of what it wrote.
    pub(super) fn attend_backward(
        self,
        rows: Rows<'_>,
        probabilities: &[f32],
        context: &[f32],
        mut gradient: RowsMut<'_>,
    ) {
        let size = self.length * self.width();
        let mut dropped = vec![0.0; size];
        let mut scores = vec![0.0; size];
        for (head, probabilities) in probabilities.chunks_exact(size).enumerate() {
            let context = &context[head * self.head_size..];
            let context = Matrix::strided(context, self.length, self.head_size, self.gathered());
            drop_some(probabilities, &mut dropped, self.mask(head));
            for source in self.sources() {
                let weights = self.scores(&dropped, source).transposed();
                let mut target = self.part_mut(&mut gradient, source, VALUE, head);
                multiply(&mut target, Target::Set, weights, context, 1.0, Threads::One);
                let value = self.part(rows, source, VALUE, head).transposed();
                let mut target = self.scores_mut(&mut scores, source);
                multiply(&mut target, Target::Set, context, value, 1.0, Threads::One);
            }
            softmax_backward(&mut scores, probabilities, self.width(), self.mask(head));

            let query = self.part(rows, Source::Own, QUERY, head);
            for source in self.sources() {
                let scores = self.scores(&scores, source);
                let key = self.part(rows, source, KEY, head);
                let mut target = self.part_mut(&mut gradient, Source::Own, QUERY, head);
                multiply(&mut target, source.mode(), scores, key, self.scale(), Threads::One);
                let mut target = self.part_mut(&mut gradient, source, KEY, head);
                multiply(&mut target, Target::Set, scores.transposed(), query, self.scale(), Threads::One);
            }
        }
    }

    /// The dropout mask of one head, and where in it the head's probabilities begin.
    fn mask(self, head: usize) -> (Dropout, u32) {
        (self.dropout, (self.first_probability + head * self.length * self.width()) as u32)
    }
}

impl Source {
    /// The first source's product replaces what is there, the next one's is added.
    fn mode(self) -> Target {
        if self == Self::Own { Target::Set } else { Target::Add }
    }
}

vectorised! {
    /// The probabilities with a share of them dropped.
    fn drop_some(probabilities: &[f32], dropped: &mut [f32], mask: (Dropout, u32)) {
        let (dropout, first) = mask;
        for place in 0..probabilities.len().min(dropped.len()) {
            dropped[place] = probabilities[place] * dropout.factor(first + place as u32);
        }
    }
}

vectorised! {
    /// Turns the gradient of dropped probabilities into that of the scores before softmax; rows have `width` values.
    fn softmax_backward(scores: &mut [f32], probabilities: &[f32], width: usize, mask: (Dropout, u32)) {
        let (dropout, first) = mask;
        for (place, score) in scores.iter_mut().enumerate() {
            *score *= dropout.factor(first + place as u32);
        }
        for (scores, probabilities) in scores.chunks_exact_mut(width).zip(probabilities.chunks_exact(width)) {
            let mean = dot(scores, probabilities);
            for (score, probability) in scores.iter_mut().zip(probabilities) {
                *score = probability * (*score - mean);
            }
        }
    }
}
