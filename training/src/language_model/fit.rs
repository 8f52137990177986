//! Fits a decoder to texts.
//!
//! Each text stands between two ends of text, so that the model learns how texts begin and when they are over. Texts are packed
//! with their lengths: none sees another, and none is padded.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use super::tokenizer::TextCodec;
use super::{BASE_RATE, Foresight, LanguageModelRun, NEW_RATE};
use crate::adaptation::{HELD_OUT, MOST_HELD_OUT};
use crate::engine::{Decoder, DecoderConfig, Guess, Mode, PackedBatch, Parameter, Weights, fresh_weights};
use crate::error::TrainingError;
use crate::random::Random;
use crate::unlabelled::{Learner, Plan};

/// A stretch of a text: tokens, each but the last with the token after it to be guessed.
pub(super) type Stretch = Box<[u32]>;

/// A run under way.
pub(super) struct TextLearner<'a> {
    run: &'a LanguageModelRun,
    pub(super) config: DecoderConfig,
    pub(super) codec: TextCodec,
    pub(super) model: Decoder,
    pub(super) texts: usize,
    pub(super) held_out_texts: usize,
    learned: Vec<Stretch>,
    held_out: Vec<Stretch>,
}

impl<'a> TextLearner<'a> {
    pub(super) fn new(run: &'a LanguageModelRun, mut texts: Vec<String>) -> Result<Self, TrainingError> {
        let (settings, seed) = (&run.settings, run.seed);
        Random::new(seed, "held out").shuffle(&mut texts);
        let held_out = texts.split_off(texts.len() - (texts.len() / HELD_OUT).clamp(1, MOST_HELD_OUT));
        let (config, codec, weights) = match &run.base {
            Some(base) => {
                let (config, codec) = (DecoderConfig::load(base)?, TextCodec::open(&base.join("tokenizer.json"))?);
                if codec.vocabulary() > config.vocab_size {
                    let message = "knows more tokens than config.json's vocab_size".to_owned();
                    return Err(TrainingError::BaseEncoder { path: base.join("tokenizer.json"), message });
                }
                (config, codec, Weights::load(base)?)
            }
            None => {
                let codec = TextCodec::learn(&texts, settings.vocabulary)?;
                let (layers, width, heads) = (settings.layers, settings.width, settings.heads);
                let config = DecoderConfig::fresh(codec.vocabulary(), settings.context, layers, width, heads);
                let weights = fresh_weights(&config, seed)?;
                (config, codec, weights)
            }
        };
        let model = Decoder::new(&config, &weights)?;
        let context = settings.context.min(config.n_positions);
        let stretched = |texts: &[String]| -> Result<Vec<Stretch>, TrainingError> {
            let tokens = texts.iter().map(|text| codec.encode(text)).collect::<Result<Vec<_>, _>>()?;
            Ok(tokens.iter().flat_map(|tokens| stretches(codec.end(), tokens, context)).collect())
        };
        let (learned, unseen) = (stretched(&texts)?, stretched(&held_out)?);
        Ok(Self {
            run,
            config,
            model,
            texts: texts.len(),
            held_out_texts: held_out.len(),
            learned,
            held_out: unseen,
            codec,
        })
    }

    /// Tokens guessed in one epoch.
    pub(super) fn tokens(&self) -> usize {
        guesses(&self.learned)
    }

    /// The highest rate.
    pub(super) fn rate(&self) -> f64 {
        let rate = if self.run.base.is_some() { BASE_RATE } else { NEW_RATE };
        self.run.settings.learning_rate.unwrap_or(rate)
    }

    pub(super) fn plan(&self) -> Plan {
        let settings = &self.run.settings;
        Plan {
            title: "training the language model",
            unit: "tokens",
            seed: self.run.seed,
            epochs: settings.epochs,
            batch_size: settings.batch_size,
            learning_rate: self.rate(),
            schedule: settings.schedule,
            warmup: settings.warmup,
            dropout: settings.dropout,
            patience: Some(settings.patience),
        }
    }

    fn guess(&self, batch: &[Stretch], mode: Mode) -> Result<Guess, TrainingError> {
        let targets = batch.iter().flat_map(|stretch| stretch[1..].iter().copied()).collect();
        let packed = PackedBatch::new(batch.iter().map(|stretch| &stretch[..stretch.len() - 1]));
        Ok(self.model.guess(&Arc::new(packed), targets, mode)?)
    }
}

impl Learner for TextLearner<'_> {
    type Measured = Foresight;

    fn parameters(&self) -> Vec<&Parameter> {
        self.model.parameters()
    }

    fn pieces(&self) -> usize {
        self.learned.len()
    }

    fn amount(&self, pieces: Range<usize>) -> usize {
        guesses(&self.learned[pieces])
    }

    fn shuffle(&mut self, order: &mut Random) {
        order.shuffle(&mut self.learned);
    }

    fn loss(&mut self, pieces: Range<usize>, mode: Mode) -> Result<Option<Tensor>, TrainingError> {
        Ok(Some(self.guess(&self.learned[pieces], mode)?.loss))
    }

    fn measure(&self, epoch: usize, training_loss: Option<f64>) -> Result<Foresight, TrainingError> {
        let (mut loss, mut hits) = (0.0, 0.0);
        for batch in self.held_out.chunks(self.run.settings.batch_size) {
            let (guess, tokens) = (self.guess(batch, Mode::Evaluation)?, guesses(batch) as f64);
            loss += tokens * f64::from(guess.loss.to_scalar::<f32>()?);
            hits += tokens * guess.hits;
        }
        let tokens = guesses(&self.held_out) as f64;
        let (loss, accuracy) = (loss / tokens, hits / tokens);
        Ok(Foresight { epoch, training_loss, loss, perplexity: loss.exp(), accuracy })
    }
}

/// A text between its ends, in stretches of at most `context` guesses. Each token but the first is guessed once.
fn stretches(end: u32, text: &[u32], context: usize) -> Vec<Stretch> {
    let whole = [&[end], text, &[end]].concat();
    (0..whole.len() - 1)
        .step_by(context)
        .map(|start| whole[start..whole.len().min(start + context + 1)].into())
        .collect()
}

fn guesses(stretches: &[Stretch]) -> usize {
    stretches.iter().map(|stretch| stretch.len() - 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_guessed_once_and_the_end_too() {
        let plain = |text: &[u32], context| stretches(0, text, context).into_iter().map(Vec::from).collect::<Vec<_>>();
        assert_eq!(plain(&[5, 6, 7], 8), [[0, 5, 6, 7, 0]]);
        assert_eq!(plain(&[5, 6, 7], 4), [[0, 5, 6, 7, 0]]);
        assert_eq!(plain(&[5, 6, 7], 3), [vec![0, 5, 6, 7], vec![7, 0]]);
        assert_eq!(plain(&[], 3), [[0, 0]]);
        assert_eq!(guesses(&stretches(0, &[5, 6, 7, 8, 9], 2)), 6);
    }
}
