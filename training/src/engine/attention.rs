//! The attention block: query, key and value as one product, attention within each sequence, output product, residual and
//! layer norm.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::buffer::{Buffer, Pool};
use super::matrix::{Matrix, MatrixMut, Target, Threads, multiply};
use super::operation::{Block, Kept, tensor, values, with_values};
use super::packing::{PackedBatch, pieces};
use super::parameter::Parameter;
use super::residual::{Normalised, ROWS, Residual, add_row_sums};
use super::vector::{add_to_rows, dot, softmax_rows, vectorised};
use crate::random::Dropout;

/// The block's parameters.
#[derive(Debug)]
pub(super) struct Attention {
    /// Query, key and value stacked: `[3 hidden, hidden]`.
    pub(super) inner: Parameter,
    /// Their biases.
    pub(super) inner_bias: Parameter,
    /// `[hidden, hidden]`.
    pub(super) outer: Parameter,
    /// Output bias and layer norm.
    pub(super) residual: Residual,
    /// How many heads share the hidden size.
    pub(super) heads: usize,
}

/// One application of the block.
#[derive(Debug)]
pub(super) struct AttentionBlock {
    pub(super) parameters: Arc<Attention>,
    pub(super) batch: Arc<PackedBatch>,
    /// Over attention probabilities.
    pub(super) inner_dropout: Dropout,
    /// Over the output, before the residual sum.
    pub(super) outer_dropout: Dropout,
    pub(super) pool: Pool,
    pub(super) kept: Kept<Activations>,
}

/// What the backward pass needs.
#[derive(Debug)]
pub(super) struct Activations {
    /// Query, key and value of each token: `[tokens, 3 hidden]`.
    inner: Buffer,
    /// Attention probabilities before dropout: for each sequence, for each head, `[length, length]`.
    probabilities: Buffer,
    /// What attention gathered: `[tokens, hidden]`.
    context: Buffer,
    normalised: Normalised,
}

/// The measures of one sequence in the packed buffers.
#[derive(Clone, Copy)]
struct Sequence {
    length: usize,
    heads: usize,
    head_size: usize,
    /// Where its probabilities begin, which is what dropout counts by.
    first_probability: usize,
    dropout: Dropout,
}

impl Attention {
    /// Its parameters, in an order that is always the same.
    pub(super) fn parameters(&self) -> Vec<&Parameter> {
        let mut all = vec![&self.inner, &self.inner_bias, &self.outer];
        all.extend(self.residual.parameters());
        all
    }
}

impl Block for AttentionBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        self.parameters.parameters()
    }
}

impl AttentionBlock {
    fn sequences(&self, hidden: usize) -> Vec<Sequence> {
        let heads = self.parameters.heads;
        let mut first_probability = 0;
        let measure = |length: usize| {
            let sequence =
                Sequence { length, heads, head_size: hidden / heads, first_probability, dropout: self.inner_dropout };
            first_probability += sequence.probabilities();
            sequence
        };
        self.batch.spans().map(|span| span.len()).map(measure).collect()
    }
}

impl CustomOp1 for AttentionBlock {
    fn name(&self) -> &'static str {
        "attention block"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(input, layout)?;
        let Attention { inner, inner_bias, outer, residual, .. } = &*self.parameters;
        let hidden = outer.shape()[0];
        let tokens = input.len() / hidden;
        let sequences = self.sequences(hidden);
        let mut kept = Activations {
            inner: self.pool.take(tokens * 3 * hidden),
            probabilities: self.pool.take(sequences.iter().map(|sequence| sequence.probabilities()).sum()),
            context: self.pool.take(tokens * hidden),
            normalised: Normalised { unit: self.pool.take(tokens * hidden), inverse: self.pool.take(tokens) },
        };

        let weight = inner.value();
        let weight = Matrix::new(&weight, hidden).transposed();
        let mut target = MatrixMut::new(&mut kept.inner, 3 * hidden);
        multiply(&mut target, Target::Set, Matrix::new(input, hidden), weight, 1.0, Threads::All);
        let bias = inner_bias.value();
        kept.inner.par_chunks_mut(ROWS * 3 * hidden).for_each(|rows| add_to_rows(rows, &bias));

        let lengths = || sequences.iter().map(|sequence| sequence.length);
        let contexts = pieces(&mut kept.context, lengths().map(|length| length * hidden));
        let probabilities = pieces(&mut kept.probabilities, sequences.iter().map(|sequence| sequence.probabilities()));
        let work = sequences.par_iter().zip(self.batch.spans().collect::<Vec<_>>()).zip(contexts).zip(probabilities);
        work.for_each(|(((sequence, span), context), probabilities)| {
            sequence.attend(&kept.inner[span.start * 3 * hidden..span.end * 3 * hidden], probabilities, context);
        });

        let weight = outer.value();
        let weight = Matrix::new(&weight, hidden).transposed();
        let mut target = MatrixMut::new(&mut kept.normalised.unit, hidden);
        multiply(&mut target, Target::Set, Matrix::new(&kept.context, hidden), weight, 1.0, Threads::All);
        let mut output = vec![0.0; tokens * hidden];
        residual.forward(input, &mut kept.normalised, self.outer_dropout, &mut output);
        self.kept.put(kept);
        Ok((CpuStorage::F32(output), Shape::from((tokens, hidden))))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.kept.take(self.name())?;
        let Attention { inner, inner_bias, outer, residual, .. } = &*self.parameters;
        let hidden = outer.shape()[0];
        let mut input_gradient = vec![0.0; kept.context.len()];
        let mut branch = self.pool.take(kept.context.len());
        with_values(gradient, |gradient| {
            residual.backward(gradient, &kept.normalised, self.outer_dropout, &mut input_gradient, &mut branch);
        })?;

        let branch = Matrix::new(&branch, hidden);
        let context = Matrix::new(&kept.context, hidden);
        outer.add_product(branch.transposed(), context);
        let mut context_gradient = self.pool.take(kept.context.len());
        let mut target = MatrixMut::new(&mut context_gradient, hidden);
        multiply(&mut target, Target::Set, branch, Matrix::new(&outer.value(), hidden), 1.0, Threads::All);

        let sequences = self.sequences(hidden);
        let mut inner_gradient = self.pool.take(kept.inner.len());
        let gradients = pieces(&mut inner_gradient, sequences.iter().map(|sequence| sequence.length * 3 * hidden));
        let work = sequences.par_iter().zip(self.batch.spans().collect::<Vec<_>>()).zip(gradients);
        work.for_each(|((sequence, span), gradient)| {
            let probabilities = &kept.probabilities[sequence.first_probability..][..sequence.probabilities()];
            let inner = &kept.inner[span.start * 3 * hidden..span.end * 3 * hidden];
            let context = &context_gradient[span.start * hidden..span.end * hidden];
            sequence.attend_backward(inner, probabilities, context, gradient);
        });

        add_row_sums(&inner_gradient, inner_bias);
        let inner_gradient = Matrix::new(&inner_gradient, 3 * hidden);
        with_values(input, |input| inner.add_product(inner_gradient.transposed(), Matrix::new(input, hidden)))?;
        let mut target = MatrixMut::new(&mut input_gradient, hidden);
        multiply(&mut target, Target::Add, inner_gradient, Matrix::new(&inner.value(), hidden), 1.0, Threads::All);
        tensor(input_gradient, input.dims()).map(Some)
    }
}

impl Sequence {
    fn probabilities(self) -> usize {
        self.heads * self.length * self.length
    }

    fn hidden(self) -> usize {
        self.heads * self.head_size
    }

    fn scale(self) -> f32 {
        1.0 / (self.head_size as f32).sqrt()
    }

    /// The query (0), key (1) or value (2) of one head, inside this sequence's rows.
    fn part(self, inner: &[f32], which: usize, head: usize) -> Matrix<'_> {
        let first = which * self.hidden() + head * self.head_size;
        Matrix::strided(&inner[first..], self.length, self.head_size, 3 * self.hidden())
    }

    fn part_mut(self, inner: &mut [f32], which: usize, head: usize) -> MatrixMut<'_> {
        let first = which * self.hidden() + head * self.head_size;
        MatrixMut::strided(&mut inner[first..], self.length, self.head_size, 3 * self.hidden())
    }

    fn attend(self, inner: &[f32], probabilities: &mut [f32], context: &mut [f32]) {
        let square = self.length * self.length;
        let mut dropped = vec![0.0; if self.dropout.is_off() { 0 } else { square }];
        for (head, probabilities) in probabilities.chunks_exact_mut(square).enumerate() {
            let (query, key) = (self.part(inner, 0, head), self.part(inner, 1, head));
            let mut scores = MatrixMut::new(probabilities, self.length);
            multiply(&mut scores, Target::Set, query, key.transposed(), self.scale(), Threads::One);
            softmax_rows(probabilities, self.length);
            let weights = if self.dropout.is_off() {
                &*probabilities
            } else {
                drop_some(probabilities, &mut dropped, self.mask(head));
                &dropped
            };
            let target = &mut context[head * self.head_size..];
            let mut target = MatrixMut::strided(target, self.length, self.head_size, self.hidden());
            let value = self.part(inner, 2, head);
            multiply(&mut target, Target::Set, Matrix::new(weights, self.length), value, 1.0, Threads::One);
        }
    }

    fn attend_backward(self, inner: &[f32], probabilities: &[f32], context: &[f32], gradient: &mut [f32]) {
        let square = self.length * self.length;
        let mut dropped = vec![0.0; square];
        let mut scores = vec![0.0; square];
        for (head, probabilities) in probabilities.chunks_exact(square).enumerate() {
            let context = &context[head * self.head_size..];
            let context = Matrix::strided(context, self.length, self.head_size, self.hidden());
            drop_some(probabilities, &mut dropped, self.mask(head));
            let weights = Matrix::new(&dropped, self.length);
            multiply(
                &mut self.part_mut(gradient, 2, head),
                Target::Set,
                weights.transposed(),
                context,
                1.0,
                Threads::One,
            );

            let value = self.part(inner, 2, head);
            let mut target = MatrixMut::new(&mut scores, self.length);
            multiply(&mut target, Target::Set, context, value.transposed(), 1.0, Threads::One);
            softmax_backward(&mut scores, probabilities, self.length, self.mask(head));

            let scores = Matrix::new(&scores, self.length);
            let (query, key) = (self.part(inner, 0, head), self.part(inner, 1, head));
            multiply(&mut self.part_mut(gradient, 0, head), Target::Set, scores, key, self.scale(), Threads::One);
            let mut target = self.part_mut(gradient, 1, head);
            multiply(&mut target, Target::Set, scores.transposed(), query, self.scale(), Threads::One);
        }
    }

    /// The dropout mask of one head, and where in it the head's probabilities begin.
    fn mask(self, head: usize) -> (Dropout, u32) {
        (self.dropout, (self.first_probability + head * self.length * self.length) as u32)
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
    /// Turns the gradient of dropped probabilities into that of the scores before softmax.
    fn softmax_backward(scores: &mut [f32], probabilities: &[f32], length: usize, mask: (Dropout, u32)) {
        let (dropout, first) = mask;
        for (place, score) in scores.iter_mut().enumerate() {
            *score *= dropout.factor(first + place as u32);
        }
        for (scores, probabilities) in scores.chunks_exact_mut(length).zip(probabilities.chunks_exact(length)) {
            let mean = dot(scores, probabilities);
            for (score, probability) in scores.iter_mut().zip(probabilities) {
                *score = probability * (*score - mean);
            }
        }
    }
}
