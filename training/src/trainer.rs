//! One training run, from files to a staging directory.

mod adversary;
mod augmenting;
mod companions;
mod continuation;
mod curves;
mod fit;
mod groups;
mod head;
mod identity;
mod lessons;
mod mixup;
mod partners;
mod pass;
mod reading;
mod sampler;
mod scale;
mod scoring;
mod staging;
mod step;
mod trained;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use foundation::parts::Part;
use foundation::progress::{Progress, Unit};
use inference::{TextTokenizer, WORD_SHAPES};

use crate::checkpoint::{Checkpoints, Keeper};
use crate::dataset::{self, Example, Target, TaskData};
use crate::engine::{Classifier, Consolidation, EncoderConfig, Mode, Objective, PackedBatch, Pooling, Weights};
use crate::error::TrainingError;
use crate::metrics::HeadReport;
use crate::report::{REPORT_VERSION, TaskReport, TrainingReport};
use crate::run::{Hyperparameters, TaskKind, TrainingRun};
use augmenting::Augmenting;
use lessons::Lessons;
use reading::Reading;
use scale::Scale;

pub use adversary::{Adversarial, Fgm, FreeLb, Pgd};
pub use curves::{CurvePoint, Watcher};
pub(crate) use identity::identity;
pub(crate) use scoring::{train_and_score, train_and_validate};
pub(crate) use staging::write_tokenizer;
pub use trained::TrainedModel;

/// Rows that are measured together.
const EVALUATION_ROWS: usize = 64;

/// Trains what `run` asks for and writes the weights into the directory `staging`, which is made if it is not
/// there. Everything about the data is checked before the first step; a loss that is not a number stops the run.
pub fn train(run: &TrainingRun, staging: &Path) -> Result<TrainedModel, TrainingError> {
    train_keeping(run, staging, None, None)
}

/// The same with a checkpoint now and then, from which the run goes on if it was interrupted: on one machine it ends with the
/// same weights and the same report, times aside, as if it had not been. The last checkpoint is left to the caller. The watcher, if
/// there is one, hears every figure at once.
///
/// # Errors
///
/// Those of [`train`], and a checkpoint that is damaged or belongs to another run.
pub fn train_resumably(
    run: &TrainingRun,
    staging: &Path,
    checkpoints: &Checkpoints,
    watcher: Option<Watcher<'_>>,
) -> Result<TrainedModel, TrainingError> {
    train_keeping(run, staging, Some(checkpoints), watcher)
}

fn train_keeping(
    run: &TrainingRun,
    staging: &Path,
    checkpoints: Option<&Checkpoints>,
    watcher: Option<Watcher<'_>>,
) -> Result<TrainedModel, TrainingError> {
    run.validate()?;
    let started = Instant::now();
    let base = match &run.base {
        Some(base) => base.clone(),
        None => Part::BaseEncoder.locate()?,
    };
    let data = TaskData::load(&run.tasks, run.split_seed())?;
    let data_digest = dataset::digest(&data);
    let keeper = match checkpoints {
        Some(checkpoints) => Some(Keeper::new(checkpoints, identity(run, &base, &data_digest)?, started)),
        None => None,
    };
    let mut trainer = Trainer::new(run, &base, &data)?;
    let history = trainer.fit(keeper, watcher)?;
    let validation = history.validation.into_iter().enumerate();
    let tasks = validation.map(|(task, report)| trainer.task_report(task, report)).collect::<Result<Vec<_>, _>>()?;
    let report = TrainingReport {
        version: REPORT_VERSION,
        name: run.name.clone(),
        base: crate::directory::base_name(&base),
        seed: run.seed,
        hyperparameters: run.hyperparameters.clone(),
        parameters: trainer.model.counts(),
        text_cleaning: run.tasks.first().map_or_else(Default::default, |task| task.cleaning.of_texts()),
        text_pair: dataset::are_pairs(&data),
        data_digest,
        tasks,
        samples_per_second: history.rows as f64 / history.step_seconds.max(1e-9),
        epochs: history.epochs,
        best_epoch: history.best_epoch,
        seconds: history.earlier_seconds + started.elapsed().as_secs_f64(),
    };
    trainer.restore_scales()?;
    staging::write(staging, &base, &trainer.config, &trainer.model, &report)?;
    let Trainer { model, tokenizer, .. } = trainer;
    Ok(TrainedModel {
        staging: staging.to_owned(),
        report,
        sample: trained::sample(&data),
        classifier: model,
        tokenizer,
    })
}

/// A tokenised example.
struct Sample {
    reading: Reading,
    target: Target,
}

/// A task's tokenised sides that are measured.
struct Samples {
    validation: Vec<Sample>,
    test: Vec<Sample>,
}

struct Trainer<'a> {
    run: &'a TrainingRun,
    data: &'a [TaskData],
    config: EncoderConfig,
    tokenizer: TextTokenizer,
    augmenting: Augmenting,
    groups: Vec<groups::Group>,
    samples: Vec<Samples>,
    model: Classifier,
    /// One for each task.
    objectives: Vec<Objective>,
    /// What pulls weights back to the base's.
    consolidation: Option<Consolidation>,
    /// Those of the tasks whose answers are numbers.
    scales: Vec<Option<Scale>>,
}

impl<'a> Trainer<'a> {
    fn new(run: &'a TrainingRun, base: &Path, data: &'a [TaskData]) -> Result<Self, TrainingError> {
        let mut config = EncoderConfig::load(base)?;
        config.pooling = run.hyperparameters.pooling.or(config.pooling).or(run.few_shot.map(|_| Pooling::Mean));
        if run.hyperparameters.word_shapes {
            config.word_shapes = true;
            config.type_vocab_size = WORD_SHAPES;
        }
        run.hyperparameters.freeze.check(config.num_hidden_layers)?;
        let longest = run.hyperparameters.max_tokens.min(config.max_position_embeddings);
        let pairs = dataset::are_pairs(data);
        let tokenizer = TextTokenizer::open_cutting_at(&base.join("tokenizer.json"), longest)?
            .of_pairs(pairs)
            .of_word_shapes(config.word_shapes);
        check_types(&config, base, pairs)?;
        if tokenizer.vocabulary_size() > config.vocab_size {
            return Err(TrainingError::BaseEncoder {
                path: base.to_owned(),
                message: format!(
                    "tokenizer.json knows {} tokens, config.json's vocab_size is {}",
                    tokenizer.vocabulary_size(),
                    config.vocab_size
                ),
            });
        }
        let scales: Vec<Option<Scale>> = data.iter().map(Scale::of).collect();
        let augmenting = Augmenting::new(run, base)?;
        let mut lessons = Lessons::ask(run, base, data)?;
        let width = lessons.width();
        let mut groups = groups::of(data, &scales, &tokenizer, base, &mut lessons, &augmenting)?;
        groups.extend(lessons.groups(&tokenizer, base)?);
        let old = continuation::old_rows(run, data, &tokenizer, base)?;
        let samples = data
            .iter()
            .map(|task| {
                Ok(Samples {
                    validation: tokenise(&task.validation, task.kind, &tokenizer, base)?,
                    test: tokenise(&task.test, task.kind, &tokenizer, base)?,
                })
            })
            .collect::<Result<_, TrainingError>>()?;
        let labels: Vec<usize> = data.iter().map(|task| task.labels.len()).collect();
        let weights = Weights::load(base)?;
        let mut model = match run.labels_words() {
            true => Classifier::for_words(&config, &weights, &labels, run.seed)?,
            false => Classifier::new(&config, &weights, &labels, run.seed)?,
        };
        if width > 0 {
            model.add_projection(width, run.seed);
        }
        if run.continual.is_some() {
            continuation::carry_heads_over(base, &weights, &model, data)?;
        }
        model.freeze(run.hyperparameters.freeze);
        if let Some(adapter) = &run.hyperparameters.adapter {
            adapter.check(config.hidden_size)?;
            model.adapt(adapter, run.seed);
        }
        let consolidation = match &old {
            Some(old) => continuation::consolidate(run, &model, old)?,
            None => None,
        };
        groups.extend(old);
        let objectives = step::objectives(run, data);
        Ok(Self { run, data, config, tokenizer, augmenting, groups, samples, model, objectives, consolidation, scales })
    }

    fn settings(&self) -> &'a Hyperparameters {
        &self.run.hyperparameters
    }

    fn measure(&self, task: usize, samples: &[Sample]) -> Result<HeadReport, TrainingError> {
        Ok(self.report(task, samples, &self.answers(task, samples)?))
    }

    fn report(&self, task: usize, samples: &[Sample], answers: &[Vec<f32>]) -> HeadReport {
        let data = &self.data[task];
        let targets = samples.iter().map(|sample| &sample.target);
        HeadReport::of(data.kind, &data.name, data.labels.names(), targets, answers)
    }

    /// A head's logits, one row for each place of a sample where it reads; numbers in their own unit. Where there is no place, the
    /// first label is likeliest: a word that the encoder does not see belongs to no entity.
    fn answers(&self, task: usize, samples: &[Sample]) -> Result<Vec<Vec<f32>>, TrainingError> {
        let title = format!("measuring {}", self.data[task].name);
        let progress = Progress::start(title, Some(samples.len() as u64), Unit::Items("rows"));
        let mut answers = Vec::with_capacity(samples.len());
        for block in samples.chunks(EVALUATION_ROWS) {
            let packed = Arc::new(PackedBatch::read_at(block.iter().map(|sample| sample.reading.sequence())));
            let mut read = match packed.read() {
                [] => Vec::new(),
                _ => self.model.logits(&self.model.encode(&packed, Mode::Evaluation)?, task)?.to_vec2::<f32>()?,
            };
            if let Some(scale) = &self.scales[task] {
                read.iter_mut().flatten().for_each(|logit| *logit = scale.restored(*logit));
            }
            let mut read = read.into_iter();
            let places = block.iter().flat_map(|sample| &sample.reading.places);
            let unseen = || vec![0.0; self.data[task].labels.len()];
            answers.extend(places.map(|place| place.and_then(|_| read.next()).unwrap_or_else(unseen)));
            progress.advance(block.len() as u64);
        }
        Ok(answers)
    }

    /// Makes the heads themselves answer in their numbers' units; the last thing that is done to them.
    fn restore_scales(&mut self) -> Result<(), TrainingError> {
        for (head, scale) in self.scales.iter_mut().enumerate() {
            if let Some(Scale { mean, deviation }) = scale.take() {
                self.model.rescale(head, deviation as f32, mean as f32)?;
            }
        }
        Ok(())
    }

    fn task_report(&self, task: usize, validation: HeadReport) -> Result<TaskReport, TrainingError> {
        let data = &self.data[task];
        Ok(TaskReport {
            name: data.name.clone(),
            kind: data.kind,
            labels: data.labels.names().to_vec(),
            train_rows: data.train.len(),
            cleaning: data.cleaning,
            validation,
            test: self.measure(task, &self.samples[task].test)?,
        })
    }
}

/// Pairs have tokens of two types.
fn check_types(config: &EncoderConfig, base: &Path, pairs: bool) -> Result<(), TrainingError> {
    if pairs && config.type_vocab_size < 2 {
        let message = "type_vocab_size is below 2: the encoder cannot tell the texts of a pair apart; take another one";
        return Err(TrainingError::BaseEncoder { path: base.join("config.json"), message: message.to_owned() });
    }
    Ok(())
}

fn tokenise(
    examples: &[Example],
    kind: TaskKind,
    tokenizer: &TextTokenizer,
    base: &Path,
) -> Result<Vec<Sample>, TrainingError> {
    let sample = |example: &Example| {
        Ok(Sample { reading: Reading::of(&example.text, kind, tokenizer, base)?, target: example.target.clone() })
    };
    examples.iter().map(sample).collect()
}

#[cfg(test)]
pub(crate) mod tests;
