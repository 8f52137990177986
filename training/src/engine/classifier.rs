//! The trained model: a BERT encoder, its pooler, and one linear head for each task.

mod loader;

use std::path::Path;
use std::sync::Arc;

use candle_core::{CustomOp1, Device, Tensor, Var};

use super::attention::{Attention, AttentionBlock};
use super::buffer::Pool;
use super::checkpoint::{EncoderConfig, NamedTensor, Weights, write};
use super::embedding::{Embedding, EmbeddingBlock};
use super::feed_forward::{FeedForward, FeedForwardBlock};
use super::linear::{Linear, LinearLayer};
use super::operation::Kept;
use super::packing::PackedBatch;
use super::parameter::Parameter;
use crate::error::TrainingError;
use crate::random::{Dropout, Random};
use loader::{Loader, PARTS, new_linear};

/// The spread of new weights, as BERT was made with.
const INITIAL_DEVIATION: f64 = 0.02;

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// Answers: no dropout, nothing kept.
    Evaluation,
    /// A training step: dropout masks are decided by seed and step.
    Training {
        /// The run's seed.
        seed: u64,
        /// The step.
        step: u64,
        /// The share of values dropped.
        dropout: f32,
    },
}

/// An encoder with heads.
#[derive(Debug)]
pub struct Classifier {
    embedding: Arc<Embedding>,
    layers: Vec<(Arc<Attention>, Arc<FeedForward>)>,
    pooler: Arc<Linear>,
    heads: Vec<Arc<Linear>>,
    /// Marks the embedding block's output as trained.
    anchor: Var,
    pool: Pool,
}

impl Classifier {
    /// An encoder of a checkpoint with new heads of these numbers of labels. A checkpoint without a pooler gets a new one.
    pub fn new(config: &EncoderConfig, weights: &Weights, labels: &[usize], seed: u64) -> Result<Self, TrainingError> {
        let mut random = Random::new(seed, "weights");
        let loader = Loader { weights, hidden: config.hidden_size, epsilon: config.layer_norm_eps as f32 };
        let layers = (0..config.num_hidden_layers)
            .map(|layer| {
                Ok((Arc::new(loader.attention(config, layer)?), Arc::new(loader.feed_forward(config, layer)?)))
            })
            .collect::<Result<_, TrainingError>>()?;
        let top = config.num_hidden_layers + 1;
        let pooler = match weights.has("pooler.dense.weight") {
            true => loader.linear("pooler.dense", config.hidden_size, top)?,
            false => new_linear("pooler.dense", config.hidden_size, config.hidden_size, top, &mut random),
        };
        let head = |(index, labels): (usize, &usize)| {
            Arc::new(new_linear(&format!("classifier.{index}"), *labels, config.hidden_size, top, &mut random))
        };
        Ok(Self {
            embedding: Arc::new(loader.embedding(config)?),
            layers,
            heads: labels.iter().enumerate().map(head).collect(),
            pooler: Arc::new(pooler),
            anchor: Var::zeros(1, candle_core::DType::F32, &Device::Cpu)?,
            pool: Pool::default(),
        })
    }

    /// The pooled states `[rows, hidden]`, from which each head answers.
    pub fn encode(&self, batch: &Arc<PackedBatch>, mode: Mode) -> candle_core::Result<Tensor> {
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
        let mut states = mode.apply(self.anchor.as_tensor(), block)?;
        let firsts = Tensor::new(batch.firsts(), &Device::Cpu)?;
        for (layer, (attention, feed_forward)) in self.layers.iter().enumerate() {
            let block = AttentionBlock {
                parameters: attention.clone(),
                batch: batch.clone(),
                inner_dropout: dropout(),
                outer_dropout: dropout(),
                pool: self.pool.clone(),
                kept: Kept::empty(),
            };
            states = mode.apply(&states, block)?;
            if layer + 1 == self.layers.len() {
                // The pooler reads the first token only: the last feed-forward block need not work on the others.
                states = states.index_select(&firsts, 0)?;
            }
            let block = FeedForwardBlock {
                parameters: feed_forward.clone(),
                dropout: dropout(),
                pool: self.pool.clone(),
                kept: Kept::empty(),
            };
            states = mode.apply(&states, block)?;
        }
        let pooled = mode.apply(&states, LinearLayer(self.pooler.clone()))?.tanh()?;
        let mask = dropout();
        if mask.is_off() {
            return Ok(pooled);
        }
        let factors = (0..pooled.elem_count()).map(|place| mask.factor(place as u32)).collect::<Vec<f32>>();
        pooled.mul(&Tensor::from_vec(factors, pooled.dims(), &Device::Cpu)?)
    }

    /// One head's logits `[rows, labels]`.
    pub fn logits(&self, pooled: &Tensor, head: usize) -> candle_core::Result<Tensor> {
        let Some(head) = self.heads.get(head) else { candle_core::bail!("there is no head {head}") };
        pooled.apply_op1(LinearLayer(head.clone()))
    }

    /// Every parameter, in an order that is always the same.
    pub fn parameters(&self) -> Vec<&Parameter> {
        let Embedding { words, positions, types, norm } = &*self.embedding;
        let mut all = vec![words, positions, types, &norm.scale, &norm.shift];
        for (attention, feed_forward) in &self.layers {
            all.extend([&attention.inner, &attention.inner_bias, &attention.outer]);
            all.extend(attention.residual.parameters());
            all.extend([&feed_forward.inner, &feed_forward.inner_bias, &feed_forward.outer]);
            all.extend(feed_forward.residual.parameters());
        }
        for linear in std::iter::once(&self.pooler).chain(&self.heads) {
            all.extend([&linear.weight, &linear.bias]);
        }
        all
    }

    /// A copy of all weights.
    pub fn snapshot(&self) -> Vec<Vec<f32>> {
        self.parameters().iter().map(|parameter| parameter.value().clone()).collect()
    }

    /// Puts a copy's weights back.
    pub fn restore(&self, snapshot: Vec<Vec<f32>>) {
        for (parameter, values) in self.parameters().into_iter().zip(snapshot) {
            *parameter.value_mut() = values;
        }
    }

    /// Writes `model.safetensors` with the names of transformers' `BertForSequenceClassification`; the heads' rows follow each
    /// other in `classifier.weight` and `classifier.bias`.
    pub fn save(&self, path: &Path) -> Result<(), TrainingError> {
        write(&self.tensors(), path)
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = Vec::new();
        let named = |parameter: &Parameter, name: &str| NamedTensor {
            name: name.to_owned(),
            shape: parameter.shape().to_vec(),
            values: parameter.value().clone(),
        };
        let count = self.parameters().len() - 2 * self.heads.len();
        for parameter in self.parameters().into_iter().take(count) {
            let name = format!("bert.{}", parameter.name());
            // Query, key and value were stacked by Loader::attention.
            let Some((layer, kind)) = name.split_once("self.*.") else {
                tensors.push(named(parameter, &name));
                continue;
            };
            let values = parameter.value();
            let third = values.len() / 3;
            let mut shape = parameter.shape().to_vec();
            shape[0] /= 3;
            for (index, part) in PARTS.into_iter().enumerate() {
                let values = values[index * third..(index + 1) * third].to_vec();
                tensors.push(NamedTensor { name: format!("{layer}self.{part}.{kind}"), shape: shape.clone(), values });
            }
        }
        let joined = |name: &str, part: fn(&Linear) -> &Parameter| {
            let values: Vec<f32> = self.heads.iter().flat_map(|head| part(head).value().clone()).collect();
            let mut shape = self.heads.first().map_or(Vec::new(), |head| part(head).shape().to_vec());
            if let Some(rows) = shape.first_mut() {
                *rows = self.heads.iter().map(|head| part(head).shape()[0]).sum();
            }
            NamedTensor { name: name.to_owned(), shape, values }
        };
        tensors.push(joined("classifier.weight", |head| &head.weight));
        tensors.push(joined("classifier.bias", |head| &head.bias));
        tensors
    }
}

impl Mode {
    fn dropout(self, site: u64) -> Dropout {
        match self {
            Self::Evaluation => Dropout::OFF,
            Self::Training { seed, step, dropout } => Dropout::new(dropout, seed, step, site),
        }
    }

    fn apply<C: CustomOp1 + Send + Sync + 'static>(self, input: &Tensor, block: C) -> candle_core::Result<Tensor> {
        match self {
            Self::Evaluation => input.apply_op1_no_bwd(&block),
            Self::Training { .. } => input.apply_op1(block),
        }
    }
}
