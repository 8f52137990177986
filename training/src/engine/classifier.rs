//! The trained model: a BERT encoder, its pooler, and one linear head for each task.

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
    pooler: Arc<Linear>,
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
        let head = |(index, labels): (usize, &usize)| {
            Arc::new(new_linear(&format!("classifier.{index}"), *labels, hidden, top, &mut random))
        };
        Ok(Self { encoder, heads: labels.iter().enumerate().map(head).collect(), pooler: Arc::new(pooler) })
    }

    /// The pooled states `[rows, hidden]`, from which each head answers.
    pub fn encode(&self, batch: &Arc<PackedBatch>, mode: Mode) -> candle_core::Result<Tensor> {
        let states = self.encoder.states(batch, Tokens::Firsts, mode)?;
        let pooled = mode.apply(&states, LinearLayer(self.pooler.clone()))?.tanh()?;
        let mask = mode.dropout(self.encoder.next_site());
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
        let mut all = self.encoder.parameters();
        for linear in std::iter::once(&self.pooler).chain(&self.heads) {
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

    /// Writes `model.safetensors` with the names of transformers' `BertForSequenceClassification`; the heads' rows follow each
    /// other in `classifier.weight` and `classifier.bias`.
    pub fn save(&self, path: &Path) -> Result<(), TrainingError> {
        write(&self.tensors(), path)
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = self.encoder.tensors("bert.");
        for parameter in [&self.pooler.weight, &self.pooler.bias] {
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
