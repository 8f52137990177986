//! A masked language model: the encoder with a head that guesses hidden words.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::checkpoint::{EncoderConfig, NamedTensor, Weights, write};
use super::encoder::{Encoder, Loader, Mode, Tokens};
use super::linear::Linear;
use super::packing::PackedBatch;
use super::parameter::Parameter;
use super::prediction::{HEAD, Prediction};
use crate::error::TrainingError;

/// An encoder that guesses words, with the layout of transformers' `BertForMaskedLM`.
#[derive(Debug)]
pub struct MaskedLanguageModel {
    encoder: Encoder,
    prediction: Arc<Prediction>,
    /// The base's pooler, which takes no part and is handed on.
    pooler: Option<Linear>,
}

/// How well words were guessed.
#[derive(Debug, Clone)]
pub struct Guess {
    /// The mean cross-entropy in nats: a scalar, for the backward pass.
    pub loss: Tensor,
    /// The share of words whose likeliest guess is right.
    pub hits: f64,
}

impl Guess {
    /// Of an output block's `[2]`: loss, then hits.
    pub(super) fn of(judged: &Tensor) -> candle_core::Result<Self> {
        let hits = f64::from(judged.detach().narrow(0, 1, 1)?.squeeze(0)?.to_scalar::<f32>()?);
        Ok(Self { loss: judged.narrow(0, 0, 1)?.squeeze(0)?, hits })
    }
}

impl MaskedLanguageModel {
    /// Whether a checkpoint has a head that guesses words.
    pub fn is_in(weights: &Weights) -> bool {
        weights.has(HEAD)
    }

    /// The encoder of a checkpoint with its head; a checkpoint without one gets a new one.
    pub fn new(config: &EncoderConfig, weights: &Weights, seed: u64) -> Result<Self, TrainingError> {
        let encoder = Encoder::new(config, weights)?;
        let loader = Loader::new(config, weights);
        let prediction = loader.prediction(config, encoder.depth(), seed)?;
        let pooler = match weights.has("pooler.dense.weight") {
            true => Some(loader.linear("pooler.dense", config.hidden_size, encoder.depth())?),
            false => None,
        };
        Ok(Self { encoder, prediction: Arc::new(prediction), pooler })
    }

    /// Guesses the words `targets`, which stood at `places` among the batch's tokens; there must be at least one.
    pub fn guess(
        &self,
        batch: &Arc<PackedBatch>,
        places: &[u32],
        targets: Vec<u32>,
        mode: Mode,
    ) -> candle_core::Result<Guess> {
        let states = self.encoder.states(batch, Tokens::All, mode)?;
        let hidden = states.index_select(&Tensor::new(places, &Device::Cpu)?, 0)?;
        let block = self.encoder.prediction_block(self.prediction.clone(), targets);
        Guess::of(&mode.apply(&hidden, block)?)
    }

    /// The scores (logits) of every word of the vocabulary at `places` among the batch's tokens: `[places, vocabulary]`.
    pub fn scores(&self, batch: &Arc<PackedBatch>, places: &[u32]) -> candle_core::Result<Vec<Vec<f32>>> {
        let states = self.encoder.states(batch, Tokens::All, Mode::Evaluation)?;
        let hidden = states.index_select(&Tensor::new(places, &Device::Cpu)?, 0)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(self.encoder.prediction_block(self.prediction.clone(), Vec::new()).scores(&hidden))
    }

    /// Every parameter that is trained, in an order that is always the same.
    pub fn parameters(&self) -> Vec<&Parameter> {
        let mut all = self.encoder.parameters();
        all.extend(self.prediction.parameters());
        all
    }

    /// Writes `model.safetensors`. The decoder's matrix is the word table and is not written twice.
    pub fn save(&self, path: &Path) -> Result<(), TrainingError> {
        let mut tensors = self.encoder.tensors("bert.");
        if let Some(linear) = &self.pooler {
            for parameter in [&linear.weight, &linear.bias] {
                tensors.push(NamedTensor::of(parameter, format!("bert.{}", parameter.name())));
            }
        }
        let own = self.parameters().into_iter().skip(self.encoder.parameters().len());
        tensors.extend(own.map(|parameter| NamedTensor::of(parameter, parameter.name().to_owned())));
        write(&tensors, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::samples::{batch, config, weights};
    use crate::random::Random;

    const PLACES: [u32; 3] = [1, 5, 20];

    fn model() -> MaskedLanguageModel {
        let config = config();
        let model = MaskedLanguageModel::new(&config, &weights(&config), 3).unwrap();
        // New weights are so small that gradients would drown in rounding.
        let mut random = Random::new(5, "head");
        for parameter in model.parameters().into_iter().filter(|parameter| parameter.name().starts_with("cls.")) {
            parameter.value_mut().iter_mut().for_each(|value| *value += 0.3 * random.normal() as f32);
        }
        model
    }

    fn loss(model: &MaskedLanguageModel, mode: Mode) -> Tensor {
        model.guess(&batch(), &PLACES, vec![4, 0, 12], mode).unwrap().loss
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let (model, mode) = (model(), Mode::Training { seed: 1, step: 2, dropout: 0.1 });
        loss(&model, mode).affine(2.0, 0.0).unwrap().backward().unwrap();
        for parameter in model.parameters() {
            let gradient = parameter.gradient().values.clone();
            let norm = gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            assert!(norm > 1e-3, "{}: gradient of norm {norm}", parameter.name());
            let centre = parameter.value().clone();
            let at = |distance: f64| {
                for ((value, centre), slope) in parameter.value_mut().iter_mut().zip(&centre).zip(&gradient) {
                    *value = centre + (distance / norm) as f32 * slope;
                }
                2.0 * f64::from(loss(&model, mode).to_scalar::<f32>().unwrap())
            };
            let central = |distance: f64| (at(distance) - at(-distance)) / (2.0 * distance);
            let slope = (4.0 * central(0.01) - central(0.02)) / 3.0;
            parameter.value_mut().copy_from_slice(&centre);
            assert!((slope - norm).abs() < 1e-3 + 0.01 * norm, "{}: {norm}, not {slope}", parameter.name());
        }
    }

    #[test]
    fn even_scores_cost_the_vocabularys_logarithm() {
        let model = model();
        model.prediction.norm.scale.value_mut().fill(0.0);
        model.prediction.norm.shift.value_mut().fill(0.0);
        model.prediction.bias.value_mut().fill(0.0);
        let even = loss(&model, Mode::Evaluation).to_scalar::<f32>().unwrap();
        assert!((even - 13f32.ln()).abs() < 1e-5, "{even}");
        model.prediction.bias.value_mut()[12] = 1.0;
        let guess = model.guess(&batch(), &PLACES, vec![4, 0, 12], Mode::Evaluation).unwrap();
        assert!((guess.hits - 1.0 / 3.0).abs() < 1e-6, "{}", guess.hits);
    }

    #[test]
    fn a_saved_model_is_loaded_whole_and_its_encoder_alone() {
        let (directory, model) = (tempfile::tempdir().unwrap(), model());
        model.save(&directory.path().join("model.safetensors")).unwrap();
        let weights = Weights::load(directory.path()).unwrap();
        let again = MaskedLanguageModel::new(&config(), &weights, 8).unwrap();
        let value = |model| loss(model, Mode::Evaluation).to_scalar::<f32>().unwrap();
        assert_eq!(value(&again), value(&model));
        assert!(weights.has("pooler.dense.weight") && weights.has("cls.predictions.bias"));
        crate::engine::Classifier::new(&config(), &weights, &[2], 1).unwrap();
    }
}
