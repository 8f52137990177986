//! The trained model: a BERT encoder, its pooler where heads answer for texts, and one linear head for each task.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::adapter::AdapterKind;
use super::checkpoint::{EncoderConfig, NamedTensor, Weights, write};
use super::encoder::{Encoder, Loader, Mode, Tokens, new_linear};
use super::freeze::Freeze;
use super::linear::{Linear, LinearLayer};
use super::packing::PackedBatch;
use super::parameter::{Parameter, Role};
use super::pooling::{MeanBlock, Pooling};
use crate::error::TrainingError;
use crate::random::Random;

/// An encoder with heads.
#[derive(Debug)]
pub struct Classifier {
    encoder: Encoder,
    pooling: Pooling,
    /// None where the pooling has none of its own.
    pooler: Option<Arc<Linear>>,
    heads: Vec<Arc<Linear>>,
    /// Learned beside the heads, and not part of the model that is saved.
    projection: Option<Arc<Linear>>,
}

/// How much of a model learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ParameterCounts {
    /// Values that learn.
    pub learning: usize,
    /// Values that there are.
    pub all: usize,
}

impl Classifier {
    /// An encoder of a checkpoint with new heads of these numbers of labels. A checkpoint without a pooler gets a new one, where
    /// the pooling asks for it.
    pub fn new(config: &EncoderConfig, weights: &Weights, labels: &[usize], seed: u64) -> Result<Self, TrainingError> {
        let mut random = Random::new(seed, "weights");
        let encoder = Encoder::new(config, weights)?;
        let (hidden, top) = (config.hidden_size, encoder.depth());
        let pooling = config.pooling.unwrap_or_default();
        let pooler = match pooling {
            Pooling::Cls | Pooling::Mean => None,
            Pooling::Pooler if weights.has("pooler.dense.weight") => {
                Some(Loader::new(config, weights).linear("pooler.dense", hidden, top)?)
            }
            Pooling::Pooler => Some(new_linear("pooler.dense", hidden, hidden, top, &mut random)),
        };
        let heads = new_heads(labels, hidden, top, &mut random);
        Ok(Self { encoder, pooling, pooler: pooler.map(Arc::new), heads, projection: None })
    }

    /// The same for heads that answer for words: they read the encoder's states as they are, without a pooler (Devlin and
    /// others, "BERT", 2019, section 5.3).
    pub fn for_words(
        config: &EncoderConfig,
        weights: &Weights,
        labels: &[usize],
        seed: u64,
    ) -> Result<Self, TrainingError> {
        let encoder = Encoder::new(config, weights)?;
        let heads = new_heads(labels, config.hidden_size, encoder.depth(), &mut Random::new(seed, "weights"));
        Ok(Self { encoder, pooling: Pooling::Cls, pooler: None, heads, projection: None })
    }

    /// Adds a layer that maps the states that heads read to `width` values: the states of other models, which it learns to tell.
    pub(crate) fn add_projection(&mut self, width: usize, seed: u64) {
        let inputs = self.heads.first().map_or(0, |head| head.weight.shape()[1]);
        let mut random = Random::new(seed, "projection");
        self.projection = Some(Arc::new(new_linear("projection", width, inputs, self.encoder.depth(), &mut random)));
    }

    /// What that layer makes of pooled states, `[rows, width]`; none without it.
    pub(crate) fn project(&self, pooled: &Tensor) -> Option<candle_core::Result<Tensor>> {
        Some(pooled.apply_op1(LinearLayer(self.projection.clone()?)))
    }

    /// Gives a label of a head these weights.
    pub(crate) fn set_label(&self, head: usize, label: usize, weights: &[f32], bias: f32) {
        let Linear { weight, bias: biases } = &*self.heads[head];
        weight.value_mut()[label * weights.len()..][..weights.len()].copy_from_slice(weights);
        biases.value_mut()[label] = bias;
    }

    /// The states `[places, hidden]` from which each head answers: one for each text, or for each word.
    pub fn encode(&self, batch: &Arc<PackedBatch>, mode: Mode) -> candle_core::Result<Tensor> {
        let mut states = match self.pooling {
            Pooling::Pooler | Pooling::Cls => self.encoder.states(batch, Tokens::Read, mode)?,
            Pooling::Mean => {
                let states = self.encoder.states(batch, Tokens::All, mode)?;
                mode.apply(&states, MeanBlock { batch: batch.clone() })?
            }
        };
        if let Some(pooler) = &self.pooler {
            states = mode.apply(&states, LinearLayer(pooler.clone()))?.tanh()?;
        }
        let mask = mode.dropout(self.encoder.next_site());
        if mask.is_off() {
            return Ok(states);
        }
        let factors = (0..states.elem_count()).map(|place| mask.factor(place as u32)).collect::<Vec<f32>>();
        states.mul(&Tensor::from_vec(factors, states.dims(), &Device::Cpu)?)
    }

    /// One head's logits `[places, labels]`.
    pub fn logits(&self, states: &Tensor, head: usize) -> candle_core::Result<Tensor> {
        let Some(head) = self.heads.get(head) else { candle_core::bail!("there is no head {head}") };
        states.apply_op1(LinearLayer(head.clone()))
    }

    /// The width of token states.
    pub(super) fn hidden(&self) -> usize {
        self.encoder.hidden()
    }

    /// A row of the word table, `[hidden]`; none for an id beyond it.
    pub(crate) fn word_vector(&self, id: u32) -> Option<Vec<f32>> {
        self.encoder.word_vector(id)
    }

    /// Every parameter, in an order that is always the same.
    pub fn parameters(&self) -> Vec<&Parameter> {
        let mut all = self.encoder.parameters();
        for linear in self.pooler.iter().chain(&self.heads).chain(&self.projection) {
            all.extend([&linear.weight, &linear.bias]);
        }
        all
    }

    /// One head's parameters.
    pub fn head_parameters(&self, head: usize) -> Vec<&Parameter> {
        self.heads.get(head).map_or(Vec::new(), |head| vec![&head.weight, &head.bias])
    }

    /// Freezes parameters, and lets all others learn.
    pub fn freeze(&self, freeze: Freeze) {
        for parameter in self.parameters() {
            parameter.set_learning(!freeze.holds(parameter, self.encoder.depth()));
        }
    }

    /// Freezes the encoder and adds a part to it that learns, beside the pooler and the heads.
    pub fn adapt(&mut self, kind: &AdapterKind, seed: u64) {
        self.encoder.adapt(kind, seed);
    }

    /// To be called when a step's gradients are added up, before the optimiser takes it.
    pub fn before_step(&self) {
        self.encoder.adapter().before_step();
    }

    /// To be called when the optimiser has taken the step of this number, from 0, of `total`.
    pub fn after_step(&self, step: usize, total: usize) {
        self.encoder.adapter().after_step(step, total);
    }

    pub(super) fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    #[cfg(test)]
    pub(super) fn adapter(&self) -> &dyn super::adapter::Adapter {
        self.encoder.adapter()
    }

    /// How many values learn, and how many there are.
    pub fn counts(&self) -> ParameterCounts {
        let count = |parameters: &mut dyn Iterator<Item = &Parameter>| parameters.map(Parameter::len).sum();
        let weights = || self.parameters().into_iter().filter(|parameter| parameter.role() != Role::Record);
        ParameterCounts {
            learning: count(&mut weights().filter(|parameter| parameter.learns())),
            all: count(&mut weights()),
        }
    }

    /// Makes a head answer `factor` times what it answered, plus `offset`.
    pub fn rescale(&self, head: usize, factor: f32, offset: f32) -> candle_core::Result<()> {
        let Some(head) = self.heads.get(head) else { candle_core::bail!("there is no head {head}") };
        head.weight.value_mut().iter_mut().for_each(|weight| *weight *= factor);
        head.bias.value_mut().iter_mut().for_each(|bias| *bias = *bias * factor + offset);
        Ok(())
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

    /// Writes `model.safetensors` with the names of transformers' `BertForSequenceClassification`, or
    /// `BertForTokenClassification` for words; the heads' rows follow each other in `classifier.weight` and `classifier.bias`.
    pub fn save(&self, path: &Path) -> Result<(), TrainingError> {
        write(&self.tensors(), path)
    }

    /// Writes `model.safetensors` of the encoder alone, with the names of transformers' `BertModel`.
    pub(crate) fn save_encoder(&self, path: &Path) -> Result<(), TrainingError> {
        write(&self.encoder.tensors(""), path)
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = self.encoder.tensors("bert.");
        for parameter in self.pooler.iter().flat_map(|pooler| [&pooler.weight, &pooler.bias]) {
            tensors.push(NamedTensor::of(parameter, format!("bert.{}", parameter.name())));
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

fn new_heads(labels: &[usize], hidden: usize, depth: usize, random: &mut Random) -> Vec<Arc<Linear>> {
    let head = |(index, labels): (usize, &usize)| {
        Arc::new(new_linear(&format!("classifier.{index}"), *labels, hidden, depth, random))
    };
    labels.iter().enumerate().map(head).collect()
}
