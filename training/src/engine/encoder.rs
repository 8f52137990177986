//! The encoder: embedding block, then attention and feed-forward blocks, over packed sequences.

mod loader;

use std::sync::Arc;

use candle_core::{Device, Tensor, Var};

use super::adapter::{Adapter, AdapterKind, Followed, Host, PromptBlock, Unadapted};
use super::attention::{Attention, AttentionBlock};
use super::buffer::Pool;
use super::checkpoint::{EncoderConfig, NamedTensor, Weights};
use super::embedding::{Embedding, EmbeddingBlock};
use super::feed_forward::{FeedForward, FeedForwardBlock};
use super::operation::{Block, Kept};
use super::packing::PackedBatch;
use super::parameter::Parameter;
use super::prediction::{Prediction, PredictionBlock};
use crate::error::TrainingError;
use crate::random::{Dropout, Random};
use loader::PARTS;
pub(super) use loader::{INITIAL_DEVIATION, Loader, new_linear};

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// Answers: no dropout, nothing kept.
    Evaluation,
    /// A training step: dropout masks are decided by seed and step.
    Training {
        /// The run's seed.
        seed: u64,
        /// The step; of a step that adds up several batches, the batch.
        step: u64,
        /// The share of values dropped.
        dropout: f32,
    },
}

/// Which tokens' states are wanted at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// All of them: `[tokens, hidden]`.
    All,
    /// Those that heads read, [`PackedBatch::read`]: `[places, hidden]`. The last feed-forward block leaves out the others.
    Read,
}

/// A BERT encoder without a head.
#[derive(Debug)]
pub struct Encoder {
    embedding: Arc<Embedding>,
    layers: Vec<(Arc<Attention>, Arc<FeedForward>)>,
    adapter: Box<dyn Adapter>,
    /// What the embedding block is applied to where word vectors stay in place.
    anchor: Tensor,
    pool: Pool,
}

impl Encoder {
    /// The encoder of a checkpoint.
    pub fn new(config: &EncoderConfig, weights: &Weights) -> Result<Self, TrainingError> {
        let loader = Loader::new(config, weights);
        let layers = (0..config.num_hidden_layers)
            .map(|layer| {
                Ok((Arc::new(loader.attention(config, layer)?), Arc::new(loader.feed_forward(config, layer)?)))
            })
            .collect::<Result<_, TrainingError>>()?;
        Ok(Self {
            embedding: Arc::new(loader.embedding(config)?),
            layers,
            adapter: Box::new(Unadapted),
            anchor: Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu)?,
            pool: Pool::default(),
        })
    }

    /// Freezes all there is and adds a part that learns.
    pub(super) fn adapt(&mut self, kind: &AdapterKind, seed: u64) {
        self.base_parameters().iter().for_each(|parameter| parameter.set_learning(false));
        let mut random = Random::new(seed, "adapter");
        let hidden = self.hidden();
        self.adapter = kind.build(&mut Host { layers: &self.layers, hidden, random: &mut random });
    }

    /// The width of token states.
    pub(super) fn hidden(&self) -> usize {
        self.embedding.norm.scale.len()
    }

    /// A row of the word table, `[hidden]`; none for an id beyond it.
    pub(super) fn word_vector(&self, id: u32) -> Option<Vec<f32>> {
        self.embedding.words.value().chunks_exact(self.hidden()).nth(id as usize).map(<[f32]>::to_vec)
    }

    /// Its layers, from the lowest.
    pub(super) fn layers(&self) -> &[(Arc<Attention>, Arc<FeedForward>)] {
        &self.layers
    }

    /// What was added.
    pub(super) fn adapter(&self) -> &dyn Adapter {
        &*self.adapter
    }

    /// The last layer's states of the tokens that are wanted.
    pub fn states(&self, batch: &Arc<PackedBatch>, tokens: Tokens, mode: Mode) -> candle_core::Result<Tensor> {
        self.base_parameters().iter().for_each(|parameter| parameter.compose());
        let mut site = 0;
        let mut dropout = || {
            site += 1;
            mode.dropout(site)
        };
        let block = EmbeddingBlock {
            parameters: self.embedding.clone(),
            batch: batch.clone(),
            dropout: dropout(),
            pool: self.pool.clone(),
            kept: Kept::empty(),
        };
        let offsets = batch.offsets().map_or(&self.anchor, Var::as_tensor);
        let mut states = mode.apply(offsets, block)?;
        let mut batch = batch.clone();
        if let Some(prompt) = self.adapter.prompt() {
            batch = Arc::new(batch.behind(prompt.shape()[0]));
            states = mode.apply(&states, PromptBlock { prompt: prompt.clone(), batch: batch.clone() })?;
        }
        for (layer, (attention, feed_forward)) in self.layers.iter().enumerate() {
            let block = AttentionBlock {
                parameters: attention.clone(),
                batch: batch.clone(),
                prefix: self.adapter.prefix(layer),
                inner_dropout: dropout(),
                outer_dropout: dropout(),
                pool: self.pool.clone(),
                kept: Kept::empty(),
            };
            states = mode.apply(&states, block)?;
            if tokens == Tokens::Read && layer + 1 == self.layers.len() {
                states = states.index_select(&Tensor::new(batch.read(), &Device::Cpu)?, 0)?;
            }
            states = self.adapter.follow(layer, Followed::Attention, states, mode)?;
            let block = FeedForwardBlock {
                parameters: feed_forward.clone(),
                dropout: dropout(),
                pool: self.pool.clone(),
                kept: Kept::empty(),
            };
            states = mode.apply(&states, block)?;
            states = self.adapter.follow(layer, Followed::FeedForward, states, mode)?;
        }
        if tokens == Tokens::All && self.adapter.prompt().is_some() {
            states = states.index_select(&Tensor::new(batch.places(), &Device::Cpu)?, 0)?;
        }
        Ok(states)
    }

    /// A masked language model's head over this encoder's word table.
    pub(super) fn prediction_block(&self, parameters: Arc<Prediction>, targets: Vec<u32>) -> PredictionBlock {
        let (embedding, pool) = (self.embedding.clone(), self.pool.clone());
        PredictionBlock { parameters, embedding, targets, pool, kept: Kept::empty() }
    }

    /// Every parameter, in an order that is always the same.
    pub fn parameters(&self) -> Vec<&Parameter> {
        let mut all = self.base_parameters();
        all.extend(self.adapter.parameters());
        all
    }

    /// Those that the checkpoint had.
    fn base_parameters(&self) -> Vec<&Parameter> {
        let mut all = self.embedding.parameters();
        for (attention, feed_forward) in &self.layers {
            all.extend(attention.parameters());
            all.extend(feed_forward.parameters());
        }
        all
    }

    /// The dropout site after the encoder's own.
    pub(super) fn next_site(&self) -> u64 {
        2 + 3 * self.layers.len() as u64
    }

    /// The depth of what stands on the encoder: embeddings have 0, the first layer 1.
    pub(super) fn depth(&self) -> usize {
        self.layers.len() + 1
    }

    /// Its weights under Hugging Face's names, each with `prefix` before it, and what was added and could not be merged.
    pub(super) fn tensors(&self, prefix: &str) -> Vec<NamedTensor> {
        let added = self.adapter.parameters().into_iter().filter(|_| !self.adapter.is_merged());
        let mut tensors: Vec<_> =
            added.map(|parameter| NamedTensor::of(parameter, format!("{prefix}{}", parameter.name()))).collect();
        for parameter in self.base_parameters() {
            parameter.compose();
            let name = format!("{prefix}{}", parameter.name());
            // Query, key and value were stacked by Loader::attention.
            let Some((layer, kind)) = name.split_once("self.*.") else {
                tensors.push(NamedTensor::of(parameter, name));
                continue;
            };
            let values = parameter.value();
            let third = values.len() / PARTS.len();
            let mut shape = parameter.shape().to_vec();
            shape[0] /= PARTS.len();
            for (index, part) in PARTS.into_iter().enumerate() {
                let values = values[index * third..(index + 1) * third].to_vec();
                tensors.push(NamedTensor { name: format!("{layer}self.{part}.{kind}"), shape: shape.clone(), values });
            }
        }
        tensors
    }
}

impl Mode {
    pub(super) fn dropout(self, site: u64) -> Dropout {
        match self {
            Self::Evaluation => Dropout::OFF,
            Self::Training { seed, step, dropout } => Dropout::new(dropout, seed, step, site),
        }
    }

    /// Applies a block. The backward pass goes through it if something learns in it or below it.
    pub(super) fn apply<B: Block>(self, input: &Tensor, block: B) -> candle_core::Result<Tensor> {
        let learns = || block.parameters().iter().any(|parameter| parameter.takes_gradient());
        match self {
            Self::Training { .. } if input.track_op() => input.apply_op1(block),
            Self::Training { .. } if learns() => Var::from_tensor(input)?.apply_op1(block),
            _ => input.apply_op1_no_bwd(&block),
        }
    }
}
