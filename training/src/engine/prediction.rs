//! The masked language model's head: dense, GELU, layer norm, then a product with the word table, and the cross-entropy of
//! the words that were hidden. One operation, so that the scores over the vocabulary exist once.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::activation::{gelu_rows, gelu_rows_backward};
use super::buffer::{Buffer, Pool};
use super::embedding::Embedding;
use super::linear::Linear;
use super::matrix::{Matrix, MatrixMut, Target, Threads, multiply};
use super::operation::{Block, Kept, tensor, values, with_values};
use super::parameter::Parameter;
use super::residual::{Norm, Normalised, add_row_sums};
use super::vector::{add_to_rows, exp, sum, vectorised};
use crate::random::Dropout;

/// The weight that tells a checkpoint with this head: its bias.
pub(super) const HEAD: &str = "cls.predictions.bias";

/// The head's own parameters.
#[derive(Debug)]
pub(super) struct Prediction {
    /// `[hidden, hidden]`.
    pub(super) dense: Linear,
    pub(super) norm: Norm,
    /// `[vocabulary]`.
    pub(super) bias: Parameter,
}

/// One application: states of hidden words, `[words, hidden]`, to `[2]`: the mean cross-entropy in nats, and the share of words
/// whose likeliest guess is right (which has no gradient).
#[derive(Debug)]
pub(super) struct PredictionBlock {
    pub(super) parameters: Arc<Prediction>,
    pub(super) embedding: Arc<Embedding>,
    /// The words, by vocabulary id.
    pub(super) targets: Vec<u32>,
    pub(super) pool: Pool,
    pub(super) kept: Kept<Guesses>,
}

/// What the backward pass needs.
#[derive(Debug)]
pub(super) struct Guesses {
    /// GELU's derivative: `[words, hidden]`.
    slope: Buffer,
    normalised: Normalised,
    /// The layer norm's output: `[words, hidden]`.
    transformed: Buffer,
    /// The loss' gradient with respect to the scores: `[words, vocabulary]`.
    scores: Buffer,
}

impl Prediction {
    /// Its parameters, in an order that is always the same.
    pub(super) fn parameters(&self) -> Vec<&Parameter> {
        let Self { dense, norm, bias } = self;
        vec![&dense.weight, &dense.bias, &norm.scale, &norm.shift, bias]
    }
}

impl PredictionBlock {
    /// The scores of every word for the states of some, `[words, hidden]` to `[words, vocabulary]`.
    pub(super) fn scores(&self, states: &[f32]) -> Vec<Vec<f32>> {
        let bias = self.parameters.bias.value();
        let scores = self.forward(states).scores;
        let whole = |scores: &[f32]| scores.iter().zip(&*bias).map(|(score, bias)| score + bias).collect();
        scores.chunks_exact(bias.len()).map(whole).collect()
    }

    /// The way to the scores, which lack the bias yet.
    fn forward(&self, input: &[f32]) -> Guesses {
        let Prediction { dense, norm, bias } = &*self.parameters;
        let (hidden, vocabulary) = (norm.scale.len(), bias.len());
        let rows = input.len() / hidden;
        let mut kept = Guesses {
            slope: self.pool.take(rows * hidden),
            normalised: Normalised { unit: self.pool.take(rows * hidden), inverse: self.pool.take(rows) },
            transformed: self.pool.take(rows * hidden),
            scores: self.pool.take(rows * vocabulary),
        };
        let weight = dense.weight.value();
        let mut target = MatrixMut::new(&mut kept.slope, hidden);
        let weight = Matrix::new(&weight, hidden).transposed();
        multiply(&mut target, Target::Set, Matrix::new(input, hidden), weight, 1.0, Threads::All);
        gelu_rows(&mut kept.slope, &mut kept.normalised.unit, &dense.bias.value());
        norm.forward(&mut kept.normalised, Dropout::OFF, &mut kept.transformed);

        let words = self.embedding.words.value();
        let words = Matrix::new(&words, hidden).transposed();
        let mut target = MatrixMut::new(&mut kept.scores, vocabulary);
        multiply(&mut target, Target::Set, Matrix::new(&kept.transformed, hidden), words, 1.0, Threads::All);
        kept
    }
}

impl Block for PredictionBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        self.parameters.parameters()
    }
}

impl CustomOp1 for PredictionBlock {
    fn name(&self) -> &'static str {
        "prediction block"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(input, layout)?;
        let Prediction { norm, bias, .. } = &*self.parameters;
        let (hidden, rows, vocabulary) = (norm.scale.len(), self.targets.len(), bias.len());
        if input.len() != rows * hidden || rows == 0 {
            bail!("{}: {} states for {rows} words", self.name(), input.len() / hidden);
        }
        let mut kept = self.forward(input);
        let (bias, share) = (bias.value(), 1.0 / rows as f32);
        let judged: Vec<(f32, bool)> = kept
            .scores
            .par_chunks_mut(vocabulary)
            .zip(&self.targets)
            .map(|(scores, target)| {
                add_to_rows(scores, &bias);
                judge(scores, *target as usize, share)
            })
            .collect();
        let loss = judged.iter().map(|(loss, _)| f64::from(*loss)).sum::<f64>() / rows as f64;
        let hits = judged.iter().filter(|(_, hit)| *hit).count() as f64 / rows as f64;
        self.kept.put(kept);
        Ok((CpuStorage::F32(vec![loss as f32, hits as f32]), Shape::from(2)))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let Guesses { slope, normalised, transformed, mut scores } = self.kept.take(self.name())?;
        let Prediction { dense, norm, bias } = &*self.parameters;
        let (hidden, vocabulary) = (norm.scale.len(), bias.len());
        let factor = with_values(gradient, |gradient| gradient[0])?;
        if factor != 1.0 {
            scores.par_iter_mut().for_each(|value| *value *= factor);
        }
        add_row_sums(&scores, bias);
        let words = &self.embedding.words;
        let scores = Matrix::new(&scores, vocabulary);
        words.add_product(scores.transposed(), Matrix::new(&transformed, hidden));
        if let Some(met) = &mut words.gradient().met_rows {
            met.fill(true);
        }
        let mut outer = self.pool.take(transformed.len());
        let mut target = MatrixMut::new(&mut outer, hidden);
        multiply(&mut target, Target::Set, scores, Matrix::new(&words.value(), hidden), 1.0, Threads::All);
        let mut inner = self.pool.take(transformed.len());
        norm.backward(&outer, &normalised, Dropout::OFF, &mut inner);
        gelu_rows_backward(&mut inner, &slope, &mut dense.bias.gradient().values);

        let inner = Matrix::new(&inner, hidden);
        with_values(input, |input| dense.weight.add_product(inner.transposed(), Matrix::new(input, hidden)))?;
        let mut input_gradient = vec![0.0; input.elem_count()];
        let mut target = MatrixMut::new(&mut input_gradient, hidden);
        multiply(&mut target, Target::Set, inner, Matrix::new(&dense.weight.value(), hidden), 1.0, Threads::All);
        tensor(input_gradient, input.dims()).map(Some)
    }
}

vectorised! {
    /// A word's cross-entropy, and whether it has the highest score. The scores go out as the gradient of `share` times that.
    pub(super) fn judge(scores: &mut [f32], target: usize, share: f32) -> (f32, bool) {
        let mut highest = f32::NEG_INFINITY;
        for &score in scores.iter() {
            highest = if score > highest { score } else { highest };
        }
        let wanted = scores[target];
        for score in scores.iter_mut() {
            *score = exp(*score - highest);
        }
        let total = sum(scores);
        for score in scores.iter_mut() {
            *score *= share / total;
        }
        scores[target] -= share;
        (total.ln() + highest - wanted, wanted >= highest)
    }
}
