//! The attention block: query, key and value as one product, attention within each sequence, output product, residual and
//! layer norm.

mod sequence;

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::buffer::{Buffer, Pool};
use super::matrix::{Matrix, MatrixMut, Target, Threads, multiply};
use super::operation::{Block, Kept, tensor, values, with_values};
use super::packing::{PackedBatch, pieces};
use super::parameter::Parameter;
use super::residual::{Normalised, ROWS, Residual, add_row_sums};
use super::vector::{add, add_to_rows};
use crate::random::Dropout;
use sequence::{Rows, RowsMut, Sequence};

/// The block's parameters.
#[derive(Debug)]
pub(super) struct Attention {
    /// Query, key and value stacked: `[3 width, hidden]`, with the width of all heads; it is the hidden size until heads are
    /// pruned.
    pub(super) inner: Parameter,
    /// Their biases.
    pub(super) inner_bias: Parameter,
    /// `[hidden, width]`.
    pub(super) outer: Parameter,
    /// Output bias and layer norm.
    pub(super) residual: Residual,
    /// How many heads share the width.
    pub(super) heads: usize,
    /// Whether a token attends to itself and those before it alone.
    pub(super) causal: bool,
}

/// One application of the block.
#[derive(Debug)]
pub(super) struct AttentionBlock {
    pub(super) parameters: Arc<Attention>,
    pub(super) batch: Arc<PackedBatch>,
    /// Keys and values that stand before those of every sequence: `[length, 2 width]`.
    pub(super) prefix: Option<Arc<Parameter>>,
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
    /// Query, key and value of each token: `[tokens, 3 width]`.
    inner: Buffer,
    /// Attention probabilities before dropout: for each sequence, for each head, `[length, prefix + length]`.
    probabilities: Buffer,
    /// What attention gathered: `[tokens, width]`.
    context: Buffer,
    normalised: Normalised,
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
        self.parameters.parameters().into_iter().chain(self.prefix.as_deref()).collect()
    }
}

impl AttentionBlock {
    fn sequences(&self, width: usize) -> Vec<Sequence> {
        let Attention { heads, causal, .. } = *self.parameters;
        let lead = self.prefix.as_ref().map_or(0, |prefix| prefix.shape()[0]);
        let mut first_probability = 0;
        let measure = |length: usize| {
            let (head_size, dropout) = (width / heads, self.inner_dropout);
            let sequence = Sequence { length, lead, heads, head_size, causal, first_probability, dropout };
            first_probability += sequence.probabilities();
            sequence
        };
        self.batch.spans().map(|span| span.len()).map(measure).collect()
    }

    /// Key and value of each of the batch's tokens, `[tokens, 2 width]`, as the forward pass left them: the prefix of tokens
    /// to come. It can be asked once, and not before a backward pass.
    pub(super) fn keys_and_values(&self) -> Result<Vec<f32>> {
        let width = self.parameters.outer.shape()[1];
        let rows = self.kept.take(self.name())?.inner;
        Ok(rows.chunks_exact(3 * width).flat_map(|row| row[width..].iter().copied()).collect())
    }

    fn prefix_values(&self) -> Vec<f32> {
        self.prefix.as_ref().map_or(Vec::new(), |prefix| prefix.value().clone())
    }
}

impl CustomOp1 for AttentionBlock {
    fn name(&self) -> &'static str {
        "attention block"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(input, layout)?;
        let Attention { inner, inner_bias, outer, residual, .. } = &*self.parameters;
        let (hidden, width) = (outer.shape()[0], outer.shape()[1]);
        let tokens = input.len() / hidden;
        let sequences = self.sequences(width);
        let mut kept = Activations {
            inner: self.pool.take(tokens * 3 * width),
            probabilities: self.pool.take(sequences.iter().map(|sequence| sequence.probabilities()).sum()),
            context: self.pool.take(tokens * width),
            normalised: Normalised { unit: self.pool.take(tokens * hidden), inverse: self.pool.take(tokens) },
        };

        let weight = inner.value();
        let weight = Matrix::new(&weight, hidden).transposed();
        let mut target = MatrixMut::new(&mut kept.inner, 3 * width);
        multiply(&mut target, Target::Set, Matrix::new(input, hidden), weight, 1.0, Threads::All);
        let bias = inner_bias.value();
        kept.inner.par_chunks_mut(ROWS * 3 * width).for_each(|rows| add_to_rows(rows, &bias));

        let lengths = || sequences.iter().map(|sequence| sequence.length);
        let contexts = pieces(&mut kept.context, lengths().map(|length| length * width));
        let probabilities = pieces(&mut kept.probabilities, sequences.iter().map(|sequence| sequence.probabilities()));
        let work = sequences.par_iter().zip(self.batch.spans().collect::<Vec<_>>()).zip(contexts).zip(probabilities);
        let prefix = self.prefix_values();
        work.for_each(|(((sequence, span), context), probabilities)| {
            let own = &kept.inner[span.start * 3 * width..span.end * 3 * width];
            sequence.attend(Rows { own, prefix: &prefix }, probabilities, context);
        });

        let weight = outer.value();
        let weight = Matrix::new(&weight, width).transposed();
        let mut target = MatrixMut::new(&mut kept.normalised.unit, hidden);
        multiply(&mut target, Target::Set, Matrix::new(&kept.context, width), weight, 1.0, Threads::All);
        let mut output = vec![0.0; tokens * hidden];
        residual.forward(input, &mut kept.normalised, self.outer_dropout, &mut output);
        self.kept.put(kept);
        Ok((CpuStorage::F32(output), Shape::from((tokens, hidden))))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.kept.take(self.name())?;
        let Attention { inner, inner_bias, outer, residual, .. } = &*self.parameters;
        let (hidden, width) = (outer.shape()[0], outer.shape()[1]);
        let size = input.elem_count();
        let mut input_gradient = vec![0.0; size];
        let mut branch = self.pool.take(size);
        with_values(gradient, |gradient| {
            residual.backward(gradient, &kept.normalised, self.outer_dropout, &mut input_gradient, &mut branch);
        })?;

        let branch = Matrix::new(&branch, hidden);
        let context = Matrix::new(&kept.context, width);
        outer.add_product(branch.transposed(), context);
        let mut context_gradient = self.pool.take(kept.context.len());
        let mut target = MatrixMut::new(&mut context_gradient, width);
        multiply(&mut target, Target::Set, branch, Matrix::new(&outer.value(), width), 1.0, Threads::All);

        let sequences = self.sequences(width);
        let mut inner_gradient = self.pool.take(kept.inner.len());
        let gradients = pieces(&mut inner_gradient, sequences.iter().map(|sequence| sequence.length * 3 * width));
        let prefix = self.prefix_values();
        let mut prefix_gradient = vec![0.0; sequences.len() * prefix.len()];
        let prefixes = pieces(&mut prefix_gradient, sequences.iter().map(|_| prefix.len()));
        let work = sequences.par_iter().zip(self.batch.spans().collect::<Vec<_>>()).zip(gradients).zip(prefixes);
        work.for_each(|(((sequence, span), own_gradient), prefix_gradient)| {
            let probabilities = &kept.probabilities[sequence.first_probability..][..sequence.probabilities()];
            let own = &kept.inner[span.start * 3 * width..span.end * 3 * width];
            let context = &context_gradient[span.start * width..span.end * width];
            let gradient = RowsMut { own: own_gradient, prefix: prefix_gradient };
            sequence.attend_backward(Rows { own, prefix: &prefix }, probabilities, context, gradient);
        });
        if let Some(parameter) = self.prefix.as_ref().filter(|parameter| parameter.learns()) {
            let mut gradient = parameter.gradient();
            prefix_gradient.chunks_exact(prefix.len()).for_each(|part| add(&mut gradient.values, part));
        }

        add_row_sums(&inner_gradient, inner_bias);
        let inner_gradient = Matrix::new(&inner_gradient, 3 * width);
        with_values(input, |input| inner.add_product(inner_gradient.transposed(), Matrix::new(input, hidden)))?;
        let mut target = MatrixMut::new(&mut input_gradient, hidden);
        multiply(&mut target, Target::Add, inner_gradient, Matrix::new(&inner.value(), hidden), 1.0, Threads::All);
        tensor(input_gradient, input.dims()).map(Some)
    }
}
