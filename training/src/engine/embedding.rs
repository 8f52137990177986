//! The embedding block: word, position and token type summed, layer norm, dropout.
//!
//! Where a batch moves its word vectors, the block's tensor argument is what they are moved by, and gets a gradient.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::buffer::Pool;
use super::operation::{Block, Kept, tensor, values, with_values};
use super::packing::PackedBatch;
use super::parameter::Parameter;
use super::residual::{Norm, Normalised, ROWS};
use super::vector::add;
use crate::random::Dropout;

/// The block's parameters.
#[derive(Debug)]
pub(super) struct Embedding {
    pub(super) words: Parameter,
    pub(super) positions: Parameter,
    pub(super) types: Parameter,
    pub(super) norm: Norm,
}

/// One application of the block. Its tensor argument is the batch's offsets `[tokens, hidden]`; without them it carries no value.
#[derive(Debug)]
pub(super) struct EmbeddingBlock {
    pub(super) parameters: Arc<Embedding>,
    pub(super) batch: Arc<PackedBatch>,
    pub(super) dropout: Dropout,
    pub(super) pool: Pool,
    pub(super) kept: Kept<Normalised>,
}

impl Embedding {
    /// Its parameters, in an order that is always the same.
    pub(super) fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.words, &self.positions, &self.types, &self.norm.scale, &self.norm.shift]
    }
}

impl Block for EmbeddingBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        self.parameters.parameters()
    }
}

impl CustomOp1 for EmbeddingBlock {
    fn name(&self) -> &'static str {
        "embedding block"
    }

    fn cpu_fwd(&self, offsets: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Embedding { words, positions, types, norm } = &*self.parameters;
        let width = norm.scale.len();
        let (tokens, places, kinds) = (self.batch.tokens(), self.batch.positions(), self.batch.types());
        let mut kept = Normalised { unit: self.pool.take(tokens.len() * width), inverse: self.pool.take(tokens.len()) };
        let (words, positions, types) = (words.value(), positions.value(), types.value());
        let read = tokens.par_iter().zip(&places).zip(kinds);
        kept.unit.par_chunks_mut(width).zip(read).with_min_len(ROWS).for_each(|(row, ((token, place), kind))| {
            let at = *token as usize * width;
            row.copy_from_slice(&words[at..at + width]);
            add(row, &positions[place * width..(place + 1) * width]);
            let kind = usize::from(*kind) * width;
            add(row, &types[kind..kind + width]);
        });
        if self.batch.offsets().is_some() {
            let offsets = values(offsets, layout)?;
            if offsets.len() != kept.unit.len() {
                bail!("{} offsets for {} tokens of width {width}", offsets.len(), tokens.len());
            }
            add(&mut kept.unit, offsets);
        }
        let mut output = vec![0.0; tokens.len() * width];
        norm.forward(&mut kept, self.dropout, &mut output);
        self.kept.put(kept);
        Ok((CpuStorage::F32(output), Shape::from((tokens.len(), width))))
    }

    fn bwd(&self, offsets: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.kept.take(self.name())?;
        let Embedding { words, positions, types, norm } = &*self.parameters;
        let mut rows = self.pool.take(kept.unit.len());
        with_values(gradient, |gradient| norm.backward(gradient, &kept, self.dropout, &mut rows))?;
        let places = self.batch.positions();
        scatter(&rows, words, self.batch.tokens().iter().map(|token| *token as usize));
        scatter(&rows, positions, places.into_iter());
        scatter(&rows, types, self.batch.types().iter().map(|kind| usize::from(*kind)));
        if self.batch.offsets().is_none() {
            return Ok(None);
        }
        tensor(rows.to_vec(), offsets.dims()).map(Some)
    }
}

/// Adds each row to the table's row of that index, if the table learns.
pub(super) fn scatter(rows: &[f32], table: &Parameter, indices: impl Iterator<Item = usize>) {
    if !table.learns() {
        return;
    }
    let width = table.shape()[1];
    let mut gradient = table.gradient();
    let gradient = &mut *gradient;
    for (row, index) in rows.chunks_exact(width).zip(indices) {
        add(&mut gradient.values[index * width..(index + 1) * width], row);
        if let Some(met) = &mut gradient.met_rows {
            met[index] = true;
        }
    }
}
