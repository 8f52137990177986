//! The decoder's output: a product with the word table, and the cross-entropy of the words that come next. One operation, so
//! that the scores over the vocabulary exist once.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::embedding::TokenEmbedding;
use crate::engine::buffer::{Buffer, Pool};
use crate::engine::matrix::{Matrix, MatrixMut, Target, Threads, multiply};
use crate::engine::operation::{Block, Kept, tensor, values, with_values};
use crate::engine::parameter::Parameter;
use crate::engine::prediction::judge;

/// One application: states, `[tokens, hidden]`, to `[2]`: the mean cross-entropy in nats of the words after them, and the share
/// of those whose likeliest guess is right (which has no gradient).
#[derive(Debug)]
pub(super) struct OutputBlock {
    pub(super) embedding: Arc<TokenEmbedding>,
    /// The word after each token, by vocabulary id.
    pub(super) targets: Vec<u32>,
    pub(super) pool: Pool,
    /// The loss' gradient with respect to the scores: `[tokens, vocabulary]`.
    pub(super) kept: Kept<Buffer>,
}

/// The scores of every word after states: `[tokens, vocabulary]`.
pub(super) fn scores(embedding: &TokenEmbedding, states: &Tensor) -> Result<Tensor> {
    let (vocabulary, hidden) = (embedding.words.shape()[0], embedding.words.shape()[1]);
    let tokens = states.elem_count() / hidden;
    let mut scores = vec![0.0; tokens * vocabulary];
    with_values(states, |states| product(embedding, states, &mut scores))?;
    tensor(scores, &[tokens, vocabulary])
}

fn product(embedding: &TokenEmbedding, states: &[f32], scores: &mut [f32]) {
    let (vocabulary, hidden) = (embedding.words.shape()[0], embedding.words.shape()[1]);
    let words = embedding.words.value();
    let words = Matrix::new(&words, hidden).transposed();
    let mut target = MatrixMut::new(scores, vocabulary);
    multiply(&mut target, Target::Set, Matrix::new(states, hidden), words, 1.0, Threads::All);
}

impl Block for OutputBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.embedding.words]
    }
}

impl CustomOp1 for OutputBlock {
    fn name(&self) -> &'static str {
        "output block"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(input, layout)?;
        let (vocabulary, hidden) = (self.embedding.words.shape()[0], self.embedding.words.shape()[1]);
        let rows = self.targets.len();
        if input.len() != rows * hidden || rows == 0 {
            bail!("{}: {} states for {rows} words", self.name(), input.len() / hidden);
        }
        let mut scores = self.pool.take(rows * vocabulary);
        product(&self.embedding, input, &mut scores);
        let share = 1.0 / rows as f32;
        let judged: Vec<(f32, bool)> = scores
            .par_chunks_mut(vocabulary)
            .zip(&self.targets)
            .map(|(scores, target)| judge(scores, *target as usize, share))
            .collect();
        let loss = judged.iter().map(|(loss, _)| f64::from(*loss)).sum::<f64>() / rows as f64;
        let hits = judged.iter().filter(|(_, hit)| *hit).count() as f64 / rows as f64;
        self.kept.put(scores);
        Ok((CpuStorage::F32(vec![loss as f32, hits as f32]), Shape::from(2)))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let mut scores = self.kept.take(self.name())?;
        let words = &self.embedding.words;
        let (vocabulary, hidden) = (words.shape()[0], words.shape()[1]);
        let factor = with_values(gradient, |gradient| gradient[0])?;
        if factor != 1.0 {
            scores.par_iter_mut().for_each(|value| *value *= factor);
        }
        let scores = Matrix::new(&scores, vocabulary);
        with_values(input, |input| words.add_product(scores.transposed(), Matrix::new(input, hidden)))?;
        if let Some(met) = &mut words.gradient().met_rows {
            met.fill(true);
        }
        let mut input_gradient = vec![0.0; input.elem_count()];
        let mut target = MatrixMut::new(&mut input_gradient, hidden);
        multiply(&mut target, Target::Set, scores, Matrix::new(&words.value(), hidden), 1.0, Threads::All);
        tensor(input_gradient, input.dims()).map(Some)
    }
}
