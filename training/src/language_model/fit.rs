//! Fits a decoder to texts.
//!
//! Each text stands between two ends of text, so that the model learns how texts begin and when they are over. Texts are packed
//! with their lengths: none sees another, and none is padded.

use std::sync::Arc;
use std::time::Instant;

use foundation::progress::{Progress, Unit};

use super::tokenizer::TextCodec;
use super::{Foresight, LanguageModelRun};
use crate::adaptation::{HELD_OUT, MOST_HELD_OUT};
use crate::engine::{Decoder, DecoderConfig, Guess, Mode, Optimizer, PackedBatch, Schedule, Weights, fresh_weights};
use crate::error::TrainingError;
use crate::random::Random;
use crate::run::Hyperparameters;

/// A stretch of a text: tokens, each but the last with the token after it to be guessed.
pub(super) type Stretch = Box<[u32]>;

/// A run under way.
pub(super) struct Learner<'a> {
    run: &'a LanguageModelRun,
    pub(super) config: DecoderConfig,
    pub(super) codec: TextCodec,
    pub(super) model: Decoder,
    pub(super) texts: usize,
    pub(super) held_out_texts: usize,
    learned: Vec<Stretch>,
    held_out: Vec<Stretch>,
}

/// How it went.
pub(super) struct Fitted {
    pub(super) measured: Vec<Foresight>,
    pub(super) best_epoch: usize,
    pub(super) tokens_per_second: f64,
}

impl<'a> Learner<'a> {
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

    /// Runs the epochs until they bring nothing more, and leaves the model with the weights of the best.
    pub(super) fn fit(&mut self) -> Result<Fitted, TrainingError> {
        let settings = &self.run.settings;
        let total = self.learned.len().div_ceil(settings.batch_size) * settings.epochs;
        let warmup = (total as f64 * settings.warmup).round() as usize;
        let schedule = Schedule { kind: settings.schedule, warmup, total };
        let mut optimizer = Optimizer::new(
            &self.model.parameters(),
            &Hyperparameters { weight_average: 0.0, ..Hyperparameters::default() },
        );
        let mut order = Random::new(self.run.seed, "order");
        let tokens = self.tokens();
        let mut measured = vec![self.measure(0, None)?];
        let mut best = (0, self.weights());
        let progress = Progress::start(
            "training the language model",
            Some((tokens * settings.epochs) as u64),
            Unit::Items("tokens"),
        );
        let (mut step, mut seconds) = (0, 0.0);
        for epoch in 1..=settings.epochs {
            let (started, mut losses, mut done) = (Instant::now(), 0.0, 0);
            order.shuffle(&mut self.learned);
            for batch in self.learned.chunks(settings.batch_size) {
                let mode = Mode::Training { seed: self.run.seed, step: step as u64, dropout: settings.dropout as f32 };
                let guess = self.guess(batch, mode)?;
                let loss = f64::from(guess.loss.to_scalar::<f32>()?);
                guess.loss.backward()?;
                let norm = optimizer.step(&self.model.parameters(), settings.learning_rate * schedule.factor(step));
                if !(loss + norm).is_finite() {
                    return Err(TrainingError::Diverged { step: step + 1, epoch, checkpoint: None });
                }
                step += 1;
                losses += loss * guesses(batch) as f64;
                done += guesses(batch);
                progress.note(format!("epoch {epoch}, loss {:.3}", losses / done as f64));
                progress.advance(guesses(batch) as u64);
            }
            seconds += started.elapsed().as_secs_f64();
            let foresight = self.measure(epoch, Some(losses / tokens as f64))?;
            measured.push(foresight);
            if foresight.loss < measured[best.0].loss {
                best = (epoch, self.weights());
            } else if epoch - best.0 >= settings.patience {
                break;
            }
        }
        progress.finish();
        let (best_epoch, weights) = best;
        for (parameter, weights) in self.model.parameters().into_iter().zip(weights) {
            *parameter.value_mut() = weights;
        }
        let tokens_per_second = (tokens * (measured.len() - 1)) as f64 / f64::max(seconds, 1e-9);
        Ok(Fitted { measured, best_epoch, tokens_per_second })
    }

    fn weights(&self) -> Vec<Vec<f32>> {
        self.model.parameters().iter().map(|parameter| parameter.value().clone()).collect()
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
        let foresight = Foresight { epoch, training_loss, loss, perplexity: loss.exp(), accuracy };
        tracing::info!("after {epoch} epochs: {foresight}");
        Ok(foresight)
    }

    fn guess(&self, batch: &[Stretch], mode: Mode) -> Result<Guess, TrainingError> {
        let targets = batch.iter().flat_map(|stretch| stretch[1..].iter().copied()).collect();
        let packed = PackedBatch::new(batch.iter().map(|stretch| &stretch[..stretch.len() - 1]));
        Ok(self.model.guess(&Arc::new(packed), targets, mode)?)
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
