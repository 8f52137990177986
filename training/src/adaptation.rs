//! An encoder adapted to a domain: masked language modelling on its texts, which need no labels (Gururangan and others,
//! "Don't Stop Pretraining", 2020). What it leaves is a base encoder for training runs.

mod files;
mod masking;

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use foundation::configuration::ConfigurationError;
use foundation::parts::Part;
use foundation::progress::{Progress, Unit};
use inference::TextTokenizer;
use serde::{Deserialize, Serialize};

use crate::dataset::{key, plain};
use crate::engine::{
    EncoderConfig, Guess, MaskedLanguageModel, Mode, Optimizer, PackedBatch, Schedule, ScheduleKind, Weights,
};
use crate::error::TrainingError;
use crate::random::Random;
use crate::run::Hyperparameters;
use crate::source::DataSource;
use masking::{Masked, Masker};

/// The least distinct texts that anything is learned from.
const MINIMUM_TEXTS: usize = 100;

/// One text in so many is held out, at most [`MOST_HELD_OUT`].
pub(crate) const HELD_OUT: usize = 50;
pub(crate) const MOST_HELD_OUT: usize = 2_000;

/// What to adapt, and to what.
#[derive(Debug, Clone, PartialEq)]
pub struct Adaptation {
    /// The directory of the base encoder; the one that `pulsewire setup` fetched where it is not set.
    pub base: Option<PathBuf>,
    /// The files of texts.
    pub corpus: Vec<DataSource>,
    /// Decides what is held out, the order of texts, hidden words, new weights and dropout.
    pub seed: u64,
    /// How the weights are fitted.
    pub settings: AdaptationSettings,
}

/// How an encoder is adapted. The defaults suit a MiniLM-sized encoder and some ten thousand short texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptationSettings {
    /// Passes over the texts, with other words hidden in each.
    pub epochs: usize,
    /// Texts in a step.
    pub batch_size: usize,
    /// AdamW's highest rate.
    pub learning_rate: f64,
    /// The share of steps over which the rate rises from zero; after it, the rate falls to zero in a straight line.
    pub warmup: f64,
    /// The share of tokens that is hidden.
    pub hidden: f64,
    /// The share of values that dropout sets to zero.
    pub dropout: f64,
    /// The most tokens of a text; the rest is cut.
    pub max_tokens: usize,
}

impl Default for AdaptationSettings {
    fn default() -> Self {
        Self {
            epochs: 3,
            batch_size: 64,
            learning_rate: 2e-4,
            warmup: 0.1,
            hidden: 0.15,
            dropout: 0.1,
            max_tokens: 128,
        }
    }
}

/// How an adaptation went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaptationReport {
    /// The version of this layout: 1.
    pub version: u32,
    /// What the base encoder is called.
    pub base: String,
    /// The seed.
    pub seed: u64,
    /// The settings.
    pub settings: AdaptationSettings,
    /// Distinct texts learned from.
    pub texts: usize,
    /// Distinct texts held out.
    pub held_out: usize,
    /// SHA-256 over the distinct texts in their order.
    pub data_digest: String,
    /// Held-out texts before the first step, then after each epoch.
    pub measured: Vec<Guessing>,
    /// Texts learned from a second of training steps.
    pub texts_per_second: f64,
    /// The whole run.
    pub seconds: f64,
}

/// How well hidden words of the held-out texts are guessed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Guessing {
    /// Epochs before it.
    pub epoch: usize,
    /// The mean cross-entropy of a hidden token in nats; its exponential is the perplexity.
    pub loss: f64,
    /// The share of hidden tokens whose likeliest guess is right.
    pub accuracy: f64,
}

/// Adapts an encoder and writes it into the directory `out`, which is made if it is not there: `config.json`,
/// `model.safetensors` (transformers' `BertForMaskedLM`), the tokenizer's files and `adaptation.json`.
pub fn adapt(adaptation: &Adaptation, out: &Path) -> Result<AdaptationReport, TrainingError> {
    let started = Instant::now();
    adaptation.settings.validate()?;
    let base = match &adaptation.base {
        Some(base) => base.clone(),
        None => Part::BaseEncoder.locate()?,
    };
    let texts = distinct_texts(&adaptation.corpus)?;
    let data_digest = foundation::digest::sha256(texts.join("\n").as_bytes());
    let mut adapter = Adapter::new(adaptation, &base, &texts)?;
    let (measured, seconds) = adapter.fit()?;
    let report = AdaptationReport {
        version: 1,
        base: crate::directory::base_name(&base),
        seed: adaptation.seed,
        settings: adaptation.settings.clone(),
        texts: adapter.texts.len(),
        held_out: adapter.held_out.len(),
        data_digest,
        measured,
        texts_per_second: (adapter.texts.len() * adaptation.settings.epochs) as f64 / seconds.max(1e-9),
        seconds: started.elapsed().as_secs_f64(),
    };
    files::write(out, &base, &adapter.model, &report)?;
    Ok(report)
}

struct Adapter<'a> {
    settings: &'a AdaptationSettings,
    seed: u64,
    masker: Masker,
    model: MaskedLanguageModel,
    texts: Vec<Box<[u32]>>,
    /// With the same words hidden each time that they are measured.
    held_out: Vec<Masked>,
}

impl<'a> Adapter<'a> {
    fn new(adaptation: &'a Adaptation, base: &Path, texts: &[String]) -> Result<Self, TrainingError> {
        let Adaptation { seed, settings, .. } = adaptation;
        let config = EncoderConfig::load(base)?;
        let path = base.join("tokenizer.json");
        let longest = settings.max_tokens.min(config.max_position_embeddings);
        let tokenizer = TextTokenizer::open(&path, Some(longest))?;
        let refused = |message: &str| TrainingError::BaseEncoder { path: path.clone(), message: message.to_owned() };
        if tokenizer.vocabulary_size() > config.vocab_size {
            return Err(refused("knows more tokens than config.json's vocab_size"));
        }
        let masker = Masker::new(&tokenizer, settings.hidden)
            .ok_or_else(|| refused("has no [MASK] token, which masked language modelling needs"))?;
        let mut tokens = texts
            .iter()
            .map(|text| Ok(tokenizer.encode(text)?.ids().into()))
            .collect::<Result<Vec<Box<[u32]>>, TrainingError>>()?;
        Random::new(*seed, "held out").shuffle(&mut tokens);
        let learned = tokens.len() - (tokens.len() / HELD_OUT).clamp(1, MOST_HELD_OUT);
        let mut random = Random::new(*seed, "held-out words");
        let held_out = tokens.split_off(learned).iter().map(|text| masker.hide(text, &mut random)).collect();
        let model = MaskedLanguageModel::new(&config, &Weights::load(base)?, *seed)?;
        Ok(Self { settings, seed: *seed, masker, model, texts: tokens, held_out })
    }

    /// Runs every epoch; returns the held-out measurements, and the seconds that steps took.
    fn fit(&mut self) -> Result<(Vec<Guessing>, f64), TrainingError> {
        let settings = self.settings;
        let steps_per_epoch = self.texts.len().div_ceil(settings.batch_size);
        let total = steps_per_epoch * settings.epochs;
        let schedule =
            Schedule { kind: ScheduleKind::Linear, warmup: (total as f64 * settings.warmup).round() as usize, total };
        let mut optimizer = Optimizer::new(
            &self.model.parameters(),
            &Hyperparameters { weight_average: 0.0, ..Hyperparameters::default() },
        );
        let (mut order, mut words) = (Random::new(self.seed, "order"), Random::new(self.seed, "words"));
        let mut measured = vec![self.measure(0)?];
        let title = "adapting the encoder";
        let progress = Progress::start(title, Some((self.texts.len() * settings.epochs) as u64), Unit::Items("texts"));
        let (mut step, mut seconds) = (0, 0.0);
        for epoch in 1..=settings.epochs {
            let (started, mut losses) = (Instant::now(), 0.0);
            order.shuffle(&mut self.texts);
            for (index, batch) in self.texts.chunks(settings.batch_size).enumerate() {
                let masked: Vec<Masked> = batch.iter().map(|text| self.masker.hide(text, &mut words)).collect();
                let mode = Mode::Training { seed: self.seed, step: step as u64, dropout: settings.dropout as f32 };
                if let Some(guess) = self.guess(&masked, mode)? {
                    let loss = f64::from(guess.loss.to_scalar::<f32>()?);
                    guess.loss.backward()?;
                    let rate = settings.learning_rate * schedule.factor(step);
                    let norm = optimizer.step(&self.model.parameters(), rate);
                    if !(loss + norm).is_finite() {
                        return Err(TrainingError::Diverged { step: step + 1, epoch, checkpoint: None });
                    }
                    losses += loss;
                }
                step += 1;
                progress.note(format!("epoch {epoch}, loss {:.3}", losses / (index + 1) as f64));
                progress.advance(batch.len() as u64);
            }
            seconds += started.elapsed().as_secs_f64();
            measured.push(self.measure(epoch)?);
        }
        progress.finish();
        Ok((measured, seconds))
    }

    fn measure(&self, epoch: usize) -> Result<Guessing, TrainingError> {
        let (mut loss, mut hits, mut count) = (0.0, 0.0, 0.0);
        for block in self.held_out.chunks(self.settings.batch_size) {
            let words = block.iter().map(|masked| masked.targets.len()).sum::<usize>() as f64;
            if let Some(guess) = self.guess(block, Mode::Evaluation)? {
                loss += words * f64::from(guess.loss.to_scalar::<f32>()?);
                hits += words * guess.hits;
                count += words;
            }
        }
        let guessing = Guessing { epoch, loss: loss / f64::max(count, 1.0), accuracy: hits / f64::max(count, 1.0) };
        tracing::info!("after {epoch} epochs: {guessing}");
        Ok(guessing)
    }

    /// None if no word is hidden.
    fn guess(&self, masked: &[Masked], mode: Mode) -> Result<Option<Guess>, TrainingError> {
        let (mut places, mut first) = (Vec::new(), 0);
        for text in masked {
            places.extend(text.places.iter().map(|place| first + place));
            first += text.tokens.len() as u32;
        }
        if places.is_empty() {
            return Ok(None);
        }
        let targets = masked.iter().flat_map(|text| text.targets.iter().copied()).collect();
        let batch = Arc::new(PackedBatch::new(masked.iter().map(|text| text.tokens.as_slice())));
        Ok(Some(self.model.guess(&batch, &places, targets, mode)?))
    }
}

/// The corpus' texts in their order, tidied, each once.
pub(crate) fn distinct_texts(corpus: &[DataSource]) -> Result<Vec<String>, TrainingError> {
    let (mut texts, mut met) = (Vec::new(), HashSet::new());
    for source in corpus {
        let read = source.read_texts()?.into_iter().map(|text| plain(&text));
        texts.extend(read.filter(|text| !text.is_empty() && met.insert(key(text))));
    }
    if texts.len() < MINIMUM_TEXTS {
        let files: Vec<_> = corpus.iter().map(DataSource::name).collect();
        return Err(TrainingError::TooFewTexts { texts: texts.len(), minimum: MINIMUM_TEXTS, files: files.join(", ") });
    }
    Ok(texts)
}

impl AdaptationSettings {
    fn validate(&self) -> Result<(), ConfigurationError> {
        let checks = [
            ("epochs", self.epochs >= 1, "must be at least 1"),
            ("batch_size", (1..=4096).contains(&self.batch_size), "must be 1 to 4096"),
            ("learning_rate", self.learning_rate > 0.0 && self.learning_rate < 1.0, "must be above 0 and below 1"),
            ("warmup", (0.0..1.0).contains(&self.warmup), "must be 0 to below 1"),
            ("hidden", self.hidden > 0.0 && self.hidden <= 0.5, "must be above 0 and at most 0.5"),
            ("dropout", (0.0..0.9).contains(&self.dropout), "must be 0 to below 0.9"),
            ("max_tokens", (8..=8192).contains(&self.max_tokens), "must be 8 to 8192"),
        ];
        match checks.into_iter().find(|(_, holds, _)| !holds) {
            Some((key, _, message)) => Err(ConfigurationError::invalid(key, message)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Guessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loss, accuracy, .. } = self;
        write!(f, "perplexity {:.1}, {:.1} % of hidden tokens guessed", loss.exp(), 100.0 * accuracy)
    }
}

impl fmt::Display for AdaptationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, texts, held_out, texts_per_second, seconds, .. } = self;
        writeln!(f, "{base}: {texts} texts, {texts_per_second:.0}/s, {seconds:.0} s; on {held_out} held-out texts")?;
        for guessing in &self.measured {
            writeln!(f, "  after {} epochs: {guessing}", guessing.epoch)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
