//! A decoder shaped as GPT-2 (Radford and others, "Language Models are Unsupervised Multitask Learners", 2019): learned
//! positions, layer norms before the blocks, causal attention, and the word table again as the output.
//!
//! The attention and feed-forward blocks are the encoder's, without the layer norm at their end; the sums around them are
//! candle's.

mod config;
mod embedding;
mod loader;
mod memory;
mod norm;
mod output;

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::attention::{Attention, AttentionBlock};
use super::buffer::Pool;
use super::checkpoint::{NamedTensor, Weights, write};
use super::encoder::Mode;
use super::feed_forward::{FeedForward, FeedForwardBlock};
use super::masked::Guess;
use super::operation::Kept;
use super::packing::PackedBatch;
use super::parameter::{Parameter, Role};
use super::residual::Norm;
use crate::error::TrainingError;
pub use config::DecoderConfig;
use embedding::{TokenBlock, TokenEmbedding};
pub use loader::fresh_weights;
use loader::{Loader, transposed};
pub use memory::Memory;
use norm::NormBlock;
use output::{OutputBlock, scores};

/// A causal language model, with the layout of transformers' `GPT2LMHeadModel`.
#[derive(Debug)]
pub struct Decoder {
    embedding: Arc<TokenEmbedding>,
    layers: Vec<Layer>,
    /// Before the output.
    norm: Arc<Norm>,
    /// What the embedding block is applied to.
    anchor: Tensor,
    pool: Pool,
}

/// Two blocks, each with the layer norm before it.
#[derive(Debug)]
struct Layer {
    attention_norm: Arc<Norm>,
    attention: Arc<Attention>,
    feed_forward_norm: Arc<Norm>,
    feed_forward: Arc<FeedForward>,
}

impl Decoder {
    /// The decoder of a checkpoint.
    pub fn new(config: &DecoderConfig, weights: &Weights) -> Result<Self, TrainingError> {
        let loader = Loader { config, weights };
        Ok(Self {
            embedding: Arc::new(loader.embedding()?),
            layers: (0..config.n_layer).map(|layer| loader.layer(layer)).collect::<Result<_, _>>()?,
            norm: Arc::new(loader.norm("ln_f", config.n_layer + 1)?),
            anchor: Tensor::zeros(1, DType::F32, &Device::Cpu)?,
            pool: Pool::default(),
        })
    }

    /// Guesses, at each token of the batch, the word `targets` gives for the place after it.
    pub fn guess(&self, batch: &Arc<PackedBatch>, targets: Vec<u32>, mode: Mode) -> candle_core::Result<Guess> {
        let states = self.states(batch, mode, None)?;
        let embedding = self.embedding.clone();
        let block = OutputBlock { embedding, targets, pool: self.pool.clone(), kept: Kept::empty() };
        Guess::of(&mode.apply(&states, block)?)
    }

    /// The scores of every word to stand after each token: `[tokens, vocabulary]`.
    pub fn logits(&self, batch: &Arc<PackedBatch>) -> candle_core::Result<Tensor> {
        scores(&self.embedding, &self.states(batch, Mode::Evaluation, None)?)
    }

    /// The scores of every word to stand after the last of these tokens, which follow those that `memory` has met and are met
    /// then. There must be at least one, and not more in all than there are positions.
    pub fn next(&self, tokens: &[u32], memory: &mut Memory) -> candle_core::Result<Vec<f32>> {
        let batch = Arc::new(PackedBatch::new([tokens]));
        let states = self.states(&batch, Mode::Evaluation, Some(memory))?;
        scores(&self.embedding, &states.narrow(0, tokens.len() - 1, 1)?)?.squeeze(0)?.to_vec1()
    }

    /// The states after the last layer norm, `[tokens, hidden]`. A memory is of one sequence, in evaluation.
    fn states(
        &self,
        batch: &Arc<PackedBatch>,
        mode: Mode,
        mut memory: Option<&mut Memory>,
    ) -> candle_core::Result<Tensor> {
        let mut site = 0;
        let mut dropout = || {
            site += 1;
            mode.dropout(site)
        };
        let normalised = |norm: &Arc<Norm>, states: &Tensor| {
            mode.apply(states, NormBlock { norm: norm.clone(), pool: self.pool.clone(), kept: Kept::empty() })
        };
        let block = TokenBlock {
            parameters: self.embedding.clone(),
            batch: batch.clone(),
            first: memory.as_ref().map_or(0, |memory| memory.tokens()),
            dropout: dropout(),
        };
        let mut states = mode.apply(&self.anchor, block)?;
        for (index, layer) in self.layers.iter().enumerate() {
            let block = AttentionBlock {
                parameters: layer.attention.clone(),
                batch: batch.clone(),
                prefix: memory.as_ref().and_then(|memory| memory.prefix(index)),
                inner_dropout: dropout(),
                outer_dropout: dropout(),
                pool: self.pool.clone(),
                kept: Kept::empty(),
            };
            let input = normalised(&layer.attention_norm, &states)?;
            let branch = match &mut memory {
                Some(memory) => {
                    let branch = input.apply_op1_no_bwd(&block)?;
                    memory.keep(index, &block.keys_and_values()?);
                    branch
                }
                None => mode.apply(&input, block)?,
            };
            states = (states + branch)?;
            let block = FeedForwardBlock {
                parameters: layer.feed_forward.clone(),
                dropout: dropout(),
                pool: self.pool.clone(),
                kept: Kept::empty(),
            };
            states = (&states + mode.apply(&normalised(&layer.feed_forward_norm, &states)?, block)?)?;
        }
        if let Some(memory) = memory {
            memory.advance(batch.tokens().len());
        }
        normalised(&self.norm, &states)
    }

    /// Every parameter, in an order that is always the same.
    pub fn parameters(&self) -> Vec<&Parameter> {
        let mut all = vec![&self.embedding.words, &self.embedding.positions];
        for layer in &self.layers {
            all.extend([&layer.attention_norm.scale, &layer.attention_norm.shift]);
            all.extend(layer.attention.parameters());
            all.extend([&layer.feed_forward_norm.scale, &layer.feed_forward_norm.shift]);
            all.extend(layer.feed_forward.parameters());
        }
        all.extend([&self.norm.scale, &self.norm.shift]);
        all
    }

    /// Writes `model.safetensors`. The output's matrix is the word table and is not written twice.
    pub fn save(&self, path: &Path) -> Result<(), TrainingError> {
        let tensor = |parameter: &&Parameter| {
            let mut tensor = NamedTensor::of(parameter, format!("transformer.{}", parameter.name()));
            if parameter.role() == Role::Weight {
                tensor.values = transposed(&tensor.values, tensor.shape[0]);
                tensor.shape.reverse();
            }
            tensor
        };
        write(&self.parameters().iter().map(tensor).collect::<Vec<_>>(), path)
    }
}

#[cfg(test)]
pub(crate) mod tests;
