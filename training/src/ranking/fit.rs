//! The loop over epochs and steps.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use foundation::progress::{Progress, Unit};
use inference::{TextTokenizer, Tokens};

use super::pairs::Pairs;
use super::{RankingEpoch, RankingRun};
use crate::engine::{
    Classifier, EncoderConfig, Mode, MultipleNegatives, Optimizer, PackedBatch, Pooling, Schedule, ScheduleKind,
    Weights,
};
use crate::error::TrainingError;
use crate::random::Random;
use crate::run::Hyperparameters;

/// An encoder that learns to find answers by queries.
pub(super) struct Learner<'a> {
    run: &'a RankingRun,
    pub(super) pairs: &'a Pairs,
    pub(super) config: EncoderConfig,
    /// Without heads: its pooled states are what it answers.
    pub(super) model: Classifier,
    pub(super) queries: Vec<Tokens>,
    pub(super) answers: Vec<Tokens>,
}

/// How the fitting went.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) epochs: Vec<RankingEpoch>,
    pub(super) best_epoch: usize,
    /// Pairs that steps were taken with, and the time that these took.
    pub(super) pairs: usize,
    pub(super) seconds: f64,
}

impl<'a> Learner<'a> {
    pub(super) fn new(run: &'a RankingRun, base: &Path, pairs: &'a Pairs) -> Result<Self, TrainingError> {
        let mut config = EncoderConfig::load(base)?;
        config.pooling = Some(Pooling::Mean);
        let path = base.join("tokenizer.json");
        let longest = run.settings.max_tokens.min(config.max_position_embeddings);
        let tokenizer = TextTokenizer::open_cutting_at(&path, longest)?;
        if tokenizer.vocabulary_size() > config.vocab_size {
            let message = "knows more tokens than config.json's vocab_size".to_owned();
            return Err(TrainingError::BaseEncoder { path, message });
        }
        let tokens = |texts: &[String]| -> Result<Vec<Tokens>, TrainingError> {
            texts.iter().map(|text| Ok(tokenizer.encode(text)?)).collect()
        };
        let (queries, answers) = (tokens(&pairs.queries)?, tokens(&pairs.answers)?);
        let model = Classifier::new(&config, &Weights::load(base)?, &[], run.seed)?;
        Ok(Self { run, pairs, config, model, queries, answers })
    }

    /// Runs every epoch and leaves the weights of the best one in the model.
    pub(super) fn fit(&self) -> Result<History, TrainingError> {
        let RankingRun { seed, settings, .. } = self.run;
        let mut order = self.pairs.train.clone();
        // A pair that is left over alone has nothing to be told from.
        let steps = (order.len() + settings.batch_size - 2) / settings.batch_size;
        let total = steps * settings.epochs;
        let warmup = (total as f64 * settings.warmup).round() as usize;
        let schedule = Schedule { kind: ScheduleKind::Linear, warmup, total };
        let plain = Hyperparameters { weight_average: 0.0, ..Hyperparameters::default() };
        let mut optimizer = Optimizer::new(&self.model.parameters(), &plain);
        let mut random = Random::new(*seed, "order");
        let progress =
            Progress::start("training the encoder", Some((order.len() * settings.epochs) as u64), Unit::Items("pairs"));
        let (mut history, mut best, mut step) = (History::default(), (f64::NEG_INFINITY, Vec::new()), 0);
        for epoch in 1..=settings.epochs {
            random.shuffle(&mut order);
            let (started, mut losses) = (Instant::now(), 0.0);
            for (index, batch) in order.chunks(settings.batch_size).take(steps).enumerate() {
                let mode = Mode::Training { seed: *seed, step: step as u64, dropout: settings.dropout as f32 };
                let loss = self.loss(batch, mode)?;
                loss.backward()?;
                let loss = f64::from(loss.to_scalar::<f32>()?);
                let rate = settings.learning_rate * schedule.factor(step);
                let norm = optimizer.step(&self.model.parameters(), rate);
                step += 1;
                if !(loss + norm).is_finite() {
                    return Err(TrainingError::Diverged { step, epoch, checkpoint: None });
                }
                losses += loss;
                history.pairs += batch.len();
                progress.note(format!("epoch {epoch}, loss {:.3}", losses / (index + 1) as f64));
                progress.advance(batch.len() as u64);
            }
            history.seconds += started.elapsed().as_secs_f64();
            let [validation] = self.measure([&self.pairs.validation])?;
            let epoch = RankingEpoch { epoch, loss: losses / steps as f64, validation };
            tracing::info!("{epoch}");
            if validation.reciprocal_rank > best.0 {
                best = (validation.reciprocal_rank, self.model.snapshot());
                history.best_epoch = epoch.epoch;
            }
            history.epochs.push(epoch);
        }
        progress.finish();
        self.model.restore(best.1);
        Ok(history)
    }

    fn loss(&self, batch: &[(usize, usize)], mode: Mode) -> Result<Tensor, TrainingError> {
        let queries = batch.iter().map(|(query, _)| &self.queries[*query]);
        let vectors = self.vectors(queries.chain(batch.iter().map(|(_, answer)| &self.answers[*answer])), mode)?;
        let loss = MultipleNegatives { temperature: self.run.settings.temperature };
        let right = |row: usize, column: usize| self.pairs.is_right(batch[row].0, batch[column].1);
        let (queries, answers) = (vectors.narrow(0, 0, batch.len())?, vectors.narrow(0, batch.len(), batch.len())?);
        Ok(loss.mean(&queries, &answers, right)?)
    }

    /// The means of texts' token vectors, `[texts, hidden]`.
    pub(super) fn vectors<'t>(
        &self,
        texts: impl Iterator<Item = &'t Tokens>,
        mode: Mode,
    ) -> Result<Tensor, TrainingError> {
        Ok(self.model.encode(&Arc::new(PackedBatch::new(texts.map(Tokens::ids))), mode)?)
    }
}
