//! The trained model: a BERT encoder, its pooler where heads answer for texts, and one linear head for each task.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::checkpoint::{EncoderConfig, NamedTensor, Weights, write};
use super::encoder::{Encoder, Loader, Mode, Tokens, new_linear};
use super::freeze::Freeze;
use super::linear::{Linear, LinearLayer};
use super::packing::PackedBatch;
use super::parameter::Parameter;
use crate::error::TrainingError;
use crate::random::Random;

/// An encoder with heads.
#[derive(Debug)]
pub struct Classifier {
    encoder: Encoder,
    /// None where heads answer for words.
    pooler: Option<Arc<Linear>>,
    heads: Vec<Arc<Linear>>,
}

impl Classifier {
    /// An encoder of a checkpoint with new heads of these numbers of labels. A checkpoint without a pooler gets a new one.
    pub fn new(config: &EncoderConfig, weights: &Weights, labels: &[usize], seed: u64) -> Result<Self, TrainingError> {
        let mut random = Random::new(seed, "weights");
        let encoder = Encoder::new(config, weights)?;
        let (hidden, top) = (config.hidden_size, encoder.depth());
        let pooler = match weights.has("pooler.dense.weight") {
            true => Loader::new(config, weights).linear("pooler.dense", hidden, top)?,
            false => new_linear("pooler.dense", hidden, hidden, top, &mut random),
        };
        let heads = new_heads(labels, hidden, top, &mut random);
        Ok(Self { encoder, heads, pooler: Some(Arc::new(pooler)) })
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
        Ok(Self { encoder, heads, pooler: None })
    }

    /// The states `[places, hidden]` from which each head answers: one for each text, or for each word.
    pub fn encode(&self, batch: &Arc<PackedBatch>, mode: Mode) -> candle_core::Result<Tensor> {
        let mut states = self.encoder.states(batch, Tokens::Read, mode)?;
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

    /// Every parameter, in an order that is always the same.
    pub fn parameters(&self) -> Vec<&Parameter> {
        let mut all = self.encoder.parameters();
        for linear in self.pooler.iter().chain(&self.heads) {
            all.extend([&linear.weight, &linear.bias]);
        }
        all
    }

    /// Freezes parameters, and lets all others learn.
    pub fn freeze(&self, freeze: Freeze) {
        for parameter in self.parameters() {
            parameter.set_learning(!freeze.holds(parameter, self.encoder.depth()));
        }
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
