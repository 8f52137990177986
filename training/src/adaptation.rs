//! An encoder adapted to a domain: masked language modelling on its texts, which need no labels (Gururangan and others,
//! "Don't Stop Pretraining", 2020) and, where asked for, how texts follow each other. What it leaves is a base encoder for
//! training runs.

mod corpus;
mod files;
mod lesson;
mod masking;
mod pairs;
mod report;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use foundation::configuration::ConfigurationError;
use foundation::parts::Part;
use inference::TextTokenizer;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::checkpoint::{Checkpoints, Keeper};
use crate::directory::model_digest;
use crate::engine::{EncoderConfig, Guess, MaskedLanguageModel, Mode, PackedBatch, Parameter, ScheduleKind, Weights};
use crate::error::TrainingError;
use crate::random::Random;
use crate::run::{TextRun, TextSettings};
use crate::unlabelled::{self, Learner, Plan};
pub(crate) use corpus::distinct_texts;
use lesson::{Lesson, Reader};
use masking::Masker;
pub use pairs::PairTask;
pub use report::{AdaptationReport, Guessing};

/// The least distinct texts that anything is learned from.
const MINIMUM_TEXTS: usize = 100;

/// One text in so many is held out, at most [`MOST_HELD_OUT`].
pub(crate) const HELD_OUT: usize = 50;
pub(crate) const MOST_HELD_OUT: usize = 2_000;

/// What to adapt, and to what.
pub type Adaptation = TextRun<AdaptationSettings>;

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
    /// The most tokens of a text, or of a pair; the rest is cut.
    pub max_tokens: usize,
    /// What is learned of pairs of texts that follow each other; none for texts by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairTask>,
    /// The column, key or JSON Pointer that has another value in each document: no text of a pair follows one of another document.
    /// A file is one document where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
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
            pairs: None,
            document: None,
        }
    }
}

/// Adapts an encoder and writes it into the directory `out`, which is made if it is not there: `config.json`,
/// `model.safetensors` (transformers' `BertForMaskedLM`), the tokenizer's files and `adaptation.json`.
pub fn adapt(adaptation: &Adaptation, out: &Path) -> Result<AdaptationReport, TrainingError> {
    adapt_keeping(adaptation, out, None)
}

/// The same with a checkpoint now and then, from which the run goes on if it was interrupted: on one machine it ends with the
/// same weights and the same report, times aside, as if it had not been. The last checkpoint is left to the caller.
///
/// # Errors
///
/// Those of [`adapt`], and a checkpoint that is damaged or belongs to another run.
pub fn adapt_resumably(
    adaptation: &Adaptation,
    out: &Path,
    checkpoints: &Checkpoints,
) -> Result<AdaptationReport, TrainingError> {
    adapt_keeping(adaptation, out, Some(checkpoints))
}

fn adapt_keeping(
    adaptation: &Adaptation,
    out: &Path,
    checkpoints: Option<&Checkpoints>,
) -> Result<AdaptationReport, TrainingError> {
    let started = Instant::now();
    adaptation.settings.validate()?;
    let base = match &adaptation.base {
        Some(base) => base.clone(),
        None => Part::BaseEncoder.locate()?,
    };
    let texts = corpus::read(adaptation)?;
    let data_digest = foundation::digest::sha256(texts.join("\n").as_bytes());
    let keeper = match checkpoints {
        Some(checkpoints) => {
            let identity = json!({
                "pulsewire's version": env!("CARGO_PKG_VERSION"),
                "what is learned": "hidden words",
                "seed": adaptation.seed,
                "settings": adaptation.settings,
                "the texts": data_digest,
                "the base encoder": model_digest(&base)?,
            });
            Some(Keeper::new(checkpoints, identity.to_string(), started))
        }
        None => None,
    };
    let mut adapter = Adapter::new(adaptation, &base, texts)?;
    let plan = adapter.plan();
    let fitted = unlabelled::fit(&mut adapter, &plan, keeper)?;
    let report = AdaptationReport {
        version: 1,
        base: crate::directory::base_name(&base),
        seed: adaptation.seed,
        settings: adaptation.settings.clone(),
        texts: adapter.texts.len(),
        held_out: adapter.held_out.len(),
        data_digest,
        texts_per_second: fitted.rate(),
        measured: fitted.measured,
        seconds: fitted.earlier_seconds + started.elapsed().as_secs_f64(),
    };
    files::write(out, &base, &adapter.model, &report)?;
    Ok(report)
}

struct Adapter<'a> {
    settings: &'a AdaptationSettings,
    seed: u64,
    reader: Reader,
    model: MaskedLanguageModel,
    texts: Vec<String>,
    /// With the same words hidden, and the same pairs wrong, each time that they are measured.
    held_out: Vec<Lesson>,
    /// Draw hidden words, then pairs.
    random: [Random; 2],
}

impl<'a> Adapter<'a> {
    fn new(adaptation: &'a Adaptation, base: &Path, mut texts: Vec<String>) -> Result<Self, TrainingError> {
        let Adaptation { seed, settings, .. } = adaptation;
        let config = EncoderConfig::load(base)?;
        let path = base.join("tokenizer.json");
        let longest = settings.max_tokens.min(config.max_position_embeddings);
        let tokenizer = TextTokenizer::open_cutting_at(&path, longest)?.of_pairs(settings.pairs.is_some());
        let refused = |message: &str| TrainingError::BaseEncoder { path: path.clone(), message: message.to_owned() };
        if tokenizer.vocabulary_size() > config.vocab_size {
            return Err(refused("knows more tokens than config.json's vocab_size"));
        }
        let masker = Masker::new(&tokenizer, settings.hidden)
            .ok_or_else(|| refused("has no [MASK] token, which masked language modelling needs"))?;
        if settings.pairs.is_some() && config.type_vocab_size < 2 {
            return Err(refused(
                "goes with a type_vocab_size below 2 in config.json, and pairs have tokens of two types",
            ));
        }
        let reader = Reader { tokenizer, masker, pairs: settings.pairs };
        Random::new(*seed, "held out").shuffle(&mut texts);
        // Of pairs two, so that one can be made wrong with the other.
        let least = 1 + usize::from(settings.pairs.is_some());
        let learned = texts.len() - (texts.len() / HELD_OUT).clamp(least, MOST_HELD_OUT);
        let mut random = [Random::new(*seed, "held-out words"), Random::new(*seed, "held-out pairs")];
        let held_out = texts.split_off(learned);
        let held_out =
            (0..held_out.len()).map(|at| reader.lesson(&held_out, at, &mut random)).collect::<Result<_, _>>()?;
        let weights = Weights::load(base)?;
        let mut model = MaskedLanguageModel::new(&config, &weights, *seed)?;
        if settings.pairs.is_some() {
            model.add_pairs(&config, &weights, *seed)?;
        }
        let random = [Random::new(*seed, "words"), Random::new(*seed, "pairs")];
        Ok(Self { settings, seed: *seed, reader, model, texts, held_out, random })
    }

    fn plan(&self) -> Plan {
        let settings = self.settings;
        Plan {
            title: "adapting the encoder",
            unit: "texts",
            seed: self.seed,
            epochs: settings.epochs,
            batch_size: settings.batch_size,
            learning_rate: settings.learning_rate,
            schedule: ScheduleKind::Linear,
            warmup: settings.warmup,
            dropout: settings.dropout,
            patience: None,
        }
    }

    /// None if no word is hidden.
    fn guess(&self, lessons: &[Lesson], mode: Mode) -> Result<Option<Guess>, TrainingError> {
        let (mut places, mut first) = (Vec::new(), 0);
        for Lesson { masked, .. } in lessons {
            places.extend(masked.places.iter().map(|place| first + place));
            first += masked.tokens.len() as u32;
        }
        if places.is_empty() {
            return Ok(None);
        }
        let targets = lessons.iter().flat_map(|lesson| lesson.masked.targets.iter().copied()).collect();
        let answers: Vec<usize> = lessons.iter().filter_map(|lesson| lesson.answer).collect();
        let batch = Arc::new(PackedBatch::read_at(lessons.iter().map(Lesson::sequence)));
        Ok(Some(self.model.guess(&batch, &places, targets, &answers, mode)?))
    }
}

impl Learner for Adapter<'_> {
    type Measured = Guessing;

    fn parameters(&self) -> Vec<&Parameter> {
        self.model.parameters()
    }

    fn pieces(&self) -> usize {
        self.texts.len()
    }

    fn amount(&self, pieces: Range<usize>) -> usize {
        pieces.len()
    }

    fn shuffle(&mut self, order: &mut Random) {
        order.shuffle(&mut self.texts);
    }

    fn streams(&mut self) -> &mut [Random] {
        &mut self.random
    }

    fn loss(&mut self, pieces: Range<usize>, mode: Mode) -> Result<Option<Tensor>, TrainingError> {
        let lessons = pieces.map(|at| self.reader.lesson(&self.texts, at, &mut self.random));
        let lessons = lessons.collect::<Result<Vec<_>, _>>()?;
        let guess = self.guess(&lessons, mode)?;
        Ok(guess.map(|guess| guess.whole_loss()).transpose()?)
    }

    fn measure(&self, epoch: usize, _: Option<f64>) -> Result<Guessing, TrainingError> {
        let (mut loss, mut hits, mut count) = (0.0, 0.0, 0.0);
        let (mut pair_loss, mut pair_hits, mut pairs) = (0.0, 0.0, 0.0);
        for block in self.held_out.chunks(self.settings.batch_size) {
            let words = block.iter().map(|lesson| lesson.masked.targets.len()).sum::<usize>() as f64;
            if let Some(guess) = self.guess(block, Mode::Evaluation)? {
                loss += words * f64::from(guess.loss.to_scalar::<f32>()?);
                hits += words * guess.hits;
                count += words;
                if let Some(told) = guess.pairs {
                    let rows = block.len() as f64;
                    pair_loss += rows * f64::from(told.loss.to_scalar::<f32>()?);
                    pair_hits += rows * told.hits;
                    pairs += rows;
                }
            }
        }
        let of_pairs = |sum: f64| (pairs > 0.0).then_some(sum / pairs);
        Ok(Guessing {
            epoch,
            loss: loss / f64::max(count, 1.0),
            accuracy: hits / f64::max(count, 1.0),
            pair_loss: of_pairs(pair_loss),
            pair_accuracy: of_pairs(pair_hits),
        })
    }
}

impl TextSettings for AdaptationSettings {
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

#[cfg(test)]
pub(crate) mod tests;
