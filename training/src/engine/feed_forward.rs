//! The feed-forward block: widen, GELU, narrow, residual and layer norm.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::activation::{GeluRows, gelu_rows_backward};
use super::buffer::{Buffer, Pool};
use super::matrix::{Matrix, MatrixMut, Target, Threads, multiply};
use super::operation::{Block, Kept, tensor, values, with_values};
use super::parameter::Parameter;
use super::residual::{Normalised, ROWS, Residual, add_partial};
use crate::random::Dropout;

/// The block's parameters.
#[derive(Debug)]
pub(super) struct FeedForward {
    /// `[intermediate, hidden]`.
    pub(super) inner: Parameter,
    /// `[intermediate]`.
    pub(super) inner_bias: Parameter,
    /// `[hidden, intermediate]`.
    pub(super) outer: Parameter,
    /// The activation.
    pub(super) gelu: GeluRows,
    /// Output bias and layer norm.
    pub(super) residual: Residual,
}

/// One application of the block.
#[derive(Debug)]
pub(super) struct FeedForwardBlock {
    pub(super) parameters: Arc<FeedForward>,
    pub(super) dropout: Dropout,
    pub(super) pool: Pool,
    pub(super) kept: Kept<Activations>,
}

/// What the backward pass needs.
#[derive(Debug)]
pub(super) struct Activations {
    /// GELU's output: `[tokens, intermediate]`.
    active: Buffer,
    /// GELU's derivative: `[tokens, intermediate]`.
    slope: Buffer,
    normalised: Normalised,
}

impl FeedForward {
    /// Its parameters, in an order that is always the same.
    pub(super) fn parameters(&self) -> Vec<&Parameter> {
        let mut all = vec![&self.inner, &self.inner_bias, &self.outer];
        all.extend(self.residual.parameters());
        all
    }
}

impl Block for FeedForwardBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        self.parameters.parameters()
    }
}

impl CustomOp1 for FeedForwardBlock {
    fn name(&self) -> &'static str {
        "feed-forward block"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(input, layout)?;
        let FeedForward { inner, inner_bias, outer, gelu, residual } = &*self.parameters;
        let (hidden, wide) = (outer.shape()[0], outer.shape()[1]);
        let tokens = input.len() / hidden;
        let mut kept = Activations {
            active: self.pool.take(tokens * wide),
            slope: self.pool.take(tokens * wide),
            normalised: Normalised { unit: self.pool.take(tokens * hidden), inverse: self.pool.take(tokens) },
        };

        let weight = inner.value();
        let weight = Matrix::new(&weight, hidden).transposed();
        let mut target = MatrixMut::new(&mut kept.slope, wide);
        multiply(&mut target, Target::Set, Matrix::new(input, hidden), weight, 1.0, Threads::All);
        let bias = inner_bias.value();
        let work = kept.slope.par_chunks_mut(ROWS * wide).zip(kept.active.par_chunks_mut(ROWS * wide));
        work.for_each(|(slope, active)| gelu(slope, active, &bias));

        let weight = outer.value();
        let weight = Matrix::new(&weight, wide).transposed();
        let mut target = MatrixMut::new(&mut kept.normalised.unit, hidden);
        multiply(&mut target, Target::Set, Matrix::new(&kept.active, wide), weight, 1.0, Threads::All);
        let mut output = vec![0.0; tokens * hidden];
        residual.forward(input, &mut kept.normalised, self.dropout, &mut output);
        self.kept.put(kept);
        Ok((CpuStorage::F32(output), Shape::from((tokens, hidden))))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.kept.take(self.name())?;
        let FeedForward { inner, inner_bias, outer, residual, .. } = &*self.parameters;
        let (hidden, wide) = (outer.shape()[0], outer.shape()[1]);
        let mut input_gradient = vec![0.0; kept.normalised.unit.len()];
        let mut branch = self.pool.take(kept.normalised.unit.len());
        with_values(gradient, |gradient| {
            residual.backward(gradient, &kept.normalised, self.dropout, &mut input_gradient, &mut branch);
        })?;

        let branch = Matrix::new(&branch, hidden);
        outer.add_product(branch.transposed(), Matrix::new(&kept.active, wide));
        let mut inner_gradient = self.pool.take(kept.active.len());
        let mut target = MatrixMut::new(&mut inner_gradient, wide);
        multiply(&mut target, Target::Set, branch, Matrix::new(&outer.value(), wide), 1.0, Threads::All);
        let tasks = inner_gradient.par_chunks_mut(ROWS * wide).zip(kept.slope.par_chunks(ROWS * wide));
        let partial: Vec<Vec<f32>> = tasks
            .map(|(gradient, slope)| {
                let mut sums = vec![0.0; wide];
                gelu_rows_backward(gradient, slope, &mut sums);
                sums
            })
            .collect();
        add_partial(&partial, [inner_bias]);

        let inner_gradient = Matrix::new(&inner_gradient, wide);
        with_values(input, |input| inner.add_product(inner_gradient.transposed(), Matrix::new(input, hidden)))?;
        let mut target = MatrixMut::new(&mut input_gradient, hidden);
        multiply(&mut target, Target::Add, inner_gradient, Matrix::new(&inner.value(), hidden), 1.0, Threads::All);
        tensor(input_gradient, input.dims()).map(Some)
    }
}
