//! A masked language model: the encoder with a head that guesses hidden words, and perhaps one that tells right pairs of texts
//! from wrong ones.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::checkpoint::{EncoderConfig, NamedTensor, Weights, write};
use super::encoder::{Encoder, Loader, Mode, Tokens, new_linear};
use super::linear::{Linear, LinearLayer};
use super::loss::{CrossEntropy, Loss as _};
use super::packing::PackedBatch;
use super::parameter::Parameter;
use super::prediction::{HEAD, Prediction};
use crate::error::TrainingError;
use crate::random::Random;

/// What a pair's head is called, as in transformers' `BertForPreTraining`.
const PAIRS: &str = "cls.seq_relationship";

/// An encoder that guesses words, with the layout of transformers' `BertForMaskedLM`.
#[derive(Debug)]
pub struct MaskedLanguageModel {
    encoder: Encoder,
    prediction: Arc<Prediction>,
    /// The base's pooler, which takes part where pairs are told and is handed on otherwise.
    pooler: Option<Arc<Linear>>,
    /// Tells right pairs, its first output, from wrong ones.
    pairs: Option<Arc<Linear>>,
}

/// How well words were guessed.
#[derive(Debug, Clone)]
pub struct Guess {
    /// The mean cross-entropy in nats: a scalar, for the backward pass.
    pub loss: Tensor,
    /// The share of words whose likeliest guess is right.
    pub hits: f64,
    /// Of the batch's pairs, where it has answers for them.
    pub pairs: Option<Told>,
}

/// How well right pairs were told from wrong ones.
#[derive(Debug, Clone)]
pub struct Told {
    /// The mean cross-entropy in nats: a scalar, for the backward pass.
    pub loss: Tensor,
    /// The share of pairs that were told right.
    pub hits: f64,
}

impl Guess {
    /// Both losses together.
    pub fn whole_loss(&self) -> candle_core::Result<Tensor> {
        match &self.pairs {
            Some(told) => &self.loss + &told.loss,
            None => Ok(self.loss.clone()),
        }
    }
}

impl Guess {
    /// Of an output block's `[2]`: loss, then hits.
    pub(super) fn of(judged: &Tensor) -> candle_core::Result<Self> {
        let hits = f64::from(judged.detach().narrow(0, 1, 1)?.squeeze(0)?.to_scalar::<f32>()?);
        Ok(Self { loss: judged.narrow(0, 0, 1)?.squeeze(0)?, hits, pairs: None })
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
            true => Some(Arc::new(loader.linear("pooler.dense", config.hidden_size, encoder.depth())?)),
            false => None,
        };
        Ok(Self { encoder, prediction: Arc::new(prediction), pooler, pairs: None })
    }

    /// Adds what tells right pairs from wrong ones: the checkpoint's pooler and head, or new ones.
    pub fn add_pairs(&mut self, config: &EncoderConfig, weights: &Weights, seed: u64) -> Result<(), TrainingError> {
        let (hidden, depth) = (config.hidden_size, self.encoder.depth());
        let mut random = Random::new(seed, "pairs");
        let pooler = || Arc::new(new_linear("pooler.dense", hidden, hidden, depth, &mut random));
        self.pooler = Some(self.pooler.take().unwrap_or_else(pooler));
        let head = match weights.has(&format!("{PAIRS}.weight")) {
            true => Loader::new(config, weights).linear(PAIRS, 2, depth)?,
            false => new_linear(PAIRS, 2, hidden, depth, &mut random),
        };
        self.pairs = Some(Arc::new(head));
        Ok(())
    }

    /// Guesses the words `targets`, which stood at `places` among the batch's tokens; there must be at least one. `answers` are
    /// 0 for each right pair and 1 for each wrong one; none for texts.
    pub fn guess(
        &self,
        batch: &Arc<PackedBatch>,
        places: &[u32],
        targets: Vec<u32>,
        answers: &[usize],
        mode: Mode,
    ) -> candle_core::Result<Guess> {
        let states = self.encoder.states(batch, Tokens::All, mode)?;
        let hidden = states.index_select(&Tensor::new(places, &Device::Cpu)?, 0)?;
        let block = self.encoder.prediction_block(self.prediction.clone(), targets);
        let mut guess = Guess::of(&mode.apply(&hidden, block)?)?;
        guess.pairs = match answers {
            [] => None,
            _ => Some(self.tell(&states.index_select(&Tensor::new(batch.read(), &Device::Cpu)?, 0)?, answers, mode)?),
        };
        Ok(guess)
    }

    /// Tells pairs apart by the states of their first tokens.
    fn tell(&self, states: &Tensor, answers: &[usize], mode: Mode) -> candle_core::Result<Told> {
        let (Some(pooler), Some(head)) = (&self.pooler, &self.pairs) else {
            candle_core::bail!("answers for pairs went to a model without a head for them")
        };
        let pooled = mode.apply(states, LinearLayer(pooler.clone()))?.tanh()?;
        let logits = mode.apply(&pooled, LinearLayer(head.clone()))?;
        let wanted: Vec<f32> = answers.iter().flat_map(|answer| [(1 - answer) as f32, *answer as f32]).collect();
        let loss = CrossEntropy.mean(&logits, &Tensor::from_vec(wanted, (answers.len(), 2), &Device::Cpu)?)?;
        let told = logits.detach().to_vec2::<f32>()?;
        let hits = told.iter().zip(answers).filter(|(logits, answer)| usize::from(logits[1] > logits[0]) == **answer);
        Ok(Told { loss, hits: hits.count() as f64 / answers.len() as f64 })
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
        let of_pairs = self.pairs.iter().flat_map(|head| self.pooler.iter().chain([head]));
        all.extend(of_pairs.flat_map(|linear| [&linear.weight, &linear.bias]));
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
        let head = self.pairs.iter().flat_map(|head| [&head.weight, &head.bias]);
        let own = self.prediction.parameters().into_iter().chain(head);
        tensors.extend(own.map(|parameter| NamedTensor::of(parameter, parameter.name().to_owned())));
        write(&tensors, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::samples::{batch, config, pairs, weights};

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
        model.guess(&batch(), &PLACES, vec![4, 0, 12], &[], mode).unwrap().loss
    }

    fn check_gradients(model: &MaskedLanguageModel, loss: impl Fn() -> Tensor) {
        loss().affine(2.0, 0.0).unwrap().backward().unwrap();
        for parameter in model.parameters() {
            let gradient = parameter.gradient().values.clone();
            let norm = gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            assert!(norm > 1e-3, "{}: gradient of norm {norm}", parameter.name());
            let centre = parameter.value().clone();
            let at = |distance: f64| {
                for ((value, centre), slope) in parameter.value_mut().iter_mut().zip(&centre).zip(&gradient) {
                    *value = centre + (distance / norm) as f32 * slope;
                }
                2.0 * f64::from(loss().to_scalar::<f32>().unwrap())
            };
            let central = |distance: f64| (at(distance) - at(-distance)) / (2.0 * distance);
            let slope = (4.0 * central(0.01) - central(0.02)) / 3.0;
            parameter.value_mut().copy_from_slice(&centre);
            assert!((slope - norm).abs() < 1e-3 + 0.01 * norm, "{}: {norm}, not {slope}", parameter.name());
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let (mut model, mode) = (model(), Mode::Training { seed: 1, step: 2, dropout: 0.1 });
        check_gradients(&model, || loss(&model, mode));
        model.parameters().iter().for_each(|parameter| parameter.gradient().values.fill(0.0));
        model.add_pairs(&config(), &weights(&config()), 3).unwrap();
        let told = |mode| model.guess(&pairs(), &PLACES, vec![4, 0, 12], &[0, 1, 1, 0], mode).unwrap();
        check_gradients(&model, || told(mode).whole_loss().unwrap());
        // A head that knows nothing costs the logarithm of two, and one that leans to wrong is right on the wrong ones.
        let head = model.pairs.as_ref().unwrap();
        head.weight.value_mut().fill(0.0);
        assert!((told(mode).pairs.unwrap().loss.to_scalar::<f32>().unwrap() - 2f32.ln()).abs() < 1e-6);
        head.bias.value_mut().copy_from_slice(&[0.0, 3f32.ln()]);
        let told = told(Mode::Evaluation).pairs.unwrap();
        let expected = 4f32.ln() - 0.5 * 3f32.ln();
        assert!((told.loss.to_scalar::<f32>().unwrap() - expected).abs() < 1e-6 && told.hits == 0.5);
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
        let guess = model.guess(&batch(), &PLACES, vec![4, 0, 12], &[], Mode::Evaluation).unwrap();
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
