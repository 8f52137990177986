//! One training run, from files to a staging directory.

mod groups;
mod sampler;
mod staging;
mod trained;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use foundation::parts::Part;
use foundation::progress::{Progress, Unit};
use inference::TextTokenizer;

use crate::dataset::{Example, TaskData};
use crate::engine::{AdamW, Classifier, EncoderConfig, Mode, Objective, PackedBatch, Schedule, Weights, likeliest};
use crate::error::TrainingError;
use crate::metrics::EvaluationReport;
use crate::report::{EpochReport, REPORT_VERSION, TaskReport, TrainingReport};
use crate::run::{Hyperparameters, TrainingRun};

pub use trained::TrainedModel;

/// Rows that are measured together.
const EVALUATION_ROWS: usize = 64;

/// Trains what `run` asks for and writes the weights into the directory `staging`, which is made if it is not
/// there. Everything about the data is checked before the first step; a loss that is not a number stops the run.
pub fn train(run: &TrainingRun, staging: &Path) -> Result<TrainedModel, TrainingError> {
    run.validate()?;
    let started = Instant::now();
    let base = match &run.base {
        Some(base) => base.clone(),
        None => Part::BaseEncoder.locate()?,
    };
    let data = TaskData::load(&run.tasks, run.seed)?;
    let mut trainer = Trainer::new(run, &base, &data)?;
    let history = trainer.fit()?;
    let validation = history.validation.into_iter().enumerate();
    let tasks = validation.map(|(task, report)| trainer.task_report(task, report)).collect::<Result<Vec<_>, _>>()?;
    let digests: Vec<&str> = data.iter().map(|task| task.digest.as_str()).collect();
    let report = TrainingReport {
        version: REPORT_VERSION,
        name: run.name.clone(),
        base: staging::base_name(&base),
        seed: run.seed,
        hyperparameters: run.hyperparameters.clone(),
        data_digest: foundation::digest::sha256(digests.join("\n").as_bytes()),
        tasks,
        samples_per_second: history.rows as f64 / history.step_seconds.max(1e-9),
        epochs: history.epochs,
        best_epoch: history.best_epoch,
        seconds: started.elapsed().as_secs_f64(),
    };
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
    tokens: Box<[u32]>,
    label: usize,
}

/// A task's tokenised sides that are measured.
struct Samples {
    validation: Vec<Sample>,
    test: Vec<Sample>,
}

/// How the fitting went.
struct History {
    epochs: Vec<EpochReport>,
    best_epoch: usize,
    /// Each task's validation side in the epoch that is kept.
    validation: Vec<EvaluationReport>,
    rows: usize,
    step_seconds: f64,
}

struct Trainer<'a> {
    run: &'a TrainingRun,
    data: &'a [TaskData],
    config: EncoderConfig,
    tokenizer: TextTokenizer,
    groups: Vec<groups::Group>,
    samples: Vec<Samples>,
    model: Classifier,
}

impl<'a> Trainer<'a> {
    fn new(run: &'a TrainingRun, base: &Path, data: &'a [TaskData]) -> Result<Self, TrainingError> {
        let config = EncoderConfig::load(base)?;
        let longest = run.hyperparameters.max_tokens.min(config.max_position_embeddings);
        let tokenizer = TextTokenizer::open(&base.join("tokenizer.json"), Some(longest))?;
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
        let groups = groups::of(data, &tokenizer, base)?;
        let samples = data
            .iter()
            .map(|task| {
                Ok(Samples {
                    validation: tokenise(&task.validation, &tokenizer, base)?,
                    test: tokenise(&task.test, &tokenizer, base)?,
                })
            })
            .collect::<Result<_, TrainingError>>()?;
        let labels: Vec<usize> = data.iter().map(|task| task.labels.len()).collect();
        let model = Classifier::new(&config, &Weights::load(base)?, &labels, run.seed)?;
        Ok(Self { run, data, config, tokenizer, groups, samples, model })
    }

    fn settings(&self) -> &'a Hyperparameters {
        &self.run.hyperparameters
    }

    /// Runs epochs until they end or stop helping, and leaves one epoch's weights in the model: the best one's if they stopped
    /// helping, else the last one's, whose rate has fallen to zero. On a few hundred rows, validation tells single epochs of a
    /// rate that is still high apart by chance (Mosbach and others, "On the Stability of Fine-tuning BERT", 2021).
    fn fit(&mut self) -> Result<History, TrainingError> {
        let settings = self.settings();
        let sizes: Vec<usize> = self.groups.iter().map(|group| group.rows.len()).collect();
        let mut sampler = sampler::Sampler::new(&sizes, settings, self.run.seed);
        let steps_per_epoch = sampler.steps_per_epoch();
        let total = steps_per_epoch * settings.epochs;
        let schedule = Schedule { warmup: (total as f64 * settings.warmup).round() as usize, total };
        let mut optimizer = AdamW::new(&self.model.parameters(), settings);
        let progress = Progress::start(
            format!("training {}", self.run.name),
            Some((total * settings.batch_size) as u64),
            Unit::Items("rows"),
        );

        let mut history =
            History { epochs: Vec::new(), best_epoch: 0, validation: Vec::new(), rows: 0, step_seconds: 0.0 };
        let mut best: Option<(f64, Vec<Vec<f32>>)> = None;
        let mut step = 0;
        for epoch in 1..=settings.epochs {
            let (started, mut losses) = (Instant::now(), 0.0);
            for batch in sampler.epoch() {
                let loss = self.step(&batch, step, &schedule, &mut optimizer)?;
                let Some(loss) = loss else { return Err(TrainingError::Diverged { step: step + 1, epoch }) };
                losses += loss;
                step += 1;
                history.rows += batch.rows.len();
                progress
                    .note(format!("epoch {epoch}, loss {:.3}", losses / (step - (epoch - 1) * steps_per_epoch) as f64));
                progress.advance(settings.batch_size as u64);
            }
            let seconds = started.elapsed().as_secs_f64();
            history.step_seconds += seconds;

            optimizer.exchange_average(&self.model.parameters());
            let validation = (0..self.data.len())
                .map(|task| self.measure(task, &self.samples[task].validation))
                .collect::<Result<Vec<_>, _>>()?;
            let validation_macro_f1: Vec<f64> = validation.iter().map(|report| report.macro_f1).collect();
            let score = validation_macro_f1.iter().sum::<f64>() / validation_macro_f1.len() as f64;
            let report = EpochReport { epoch, loss: losses / steps_per_epoch as f64, validation_macro_f1, seconds };
            tracing::info!("epoch {epoch}: loss {:.4}, validation macro F1 {:.4}, {seconds:.0} s", report.loss, score);
            history.epochs.push(report);
            let is_last = epoch == settings.epochs;
            if is_last || best.as_ref().is_none_or(|(highest, _)| score > *highest) {
                best = Some((score, self.model.snapshot()));
                history.best_epoch = epoch;
                history.validation = validation;
            }
            optimizer.exchange_average(&self.model.parameters());
            if epoch - history.best_epoch >= settings.patience {
                break;
            }
        }
        progress.finish();
        if let Some((_, weights)) = best {
            self.model.restore(weights);
        }
        Ok(history)
    }

    /// Takes one step, with the mean loss of its heads; none if the loss or the gradient is not a number.
    fn step(
        &self,
        batch: &sampler::Batch,
        step: usize,
        schedule: &Schedule,
        optimizer: &mut AdamW,
    ) -> Result<Option<f64>, TrainingError> {
        let settings = self.settings();
        let objective = Objective { label_smoothing: settings.label_smoothing, r_drop: settings.r_drop };
        let group = &self.groups[batch.group];
        let rows: Vec<&groups::Row> = batch.rows.iter().map(|row| &group.rows[*row]).collect();
        let sequences = rows.iter().map(|row| &*row.tokens);
        let packed = Arc::new(PackedBatch::new(sequences.cycle().take(rows.len() * objective.runs())));
        let mode = Mode::Training { seed: self.run.seed, step: step as u64, dropout: settings.dropout as f32 };
        let pooled = self.model.encode(&packed, mode)?;
        let losses = group.tasks.iter().enumerate().map(|(place, task)| {
            let targets: Vec<usize> = rows.iter().map(|row| row.labels[place]).collect();
            objective.loss(&self.model.logits(&pooled, *task)?, &targets)
        });
        // Every label weighs the same, however many of them a row has.
        let losses = losses.collect::<candle_core::Result<Vec<_>>>()?;
        let loss = Tensor::stack(&losses, 0)?.sum_all()?;
        let value = f64::from(loss.to_scalar::<f32>()?) / losses.len() as f64;
        if !value.is_finite() {
            return Ok(None);
        }
        loss.backward()?;
        let norm = optimizer.step(&self.model.parameters(), settings.learning_rate * schedule.factor(step));
        Ok(norm.is_finite().then_some(value))
    }

    fn measure(&self, task: usize, samples: &[Sample]) -> Result<EvaluationReport, TrainingError> {
        let title = format!("measuring {}", self.data[task].name);
        let progress = Progress::start(title, Some(samples.len() as u64), Unit::Items("rows"));
        let mut pairs = Vec::with_capacity(samples.len());
        for block in samples.chunks(EVALUATION_ROWS) {
            let packed = Arc::new(PackedBatch::new(block.iter().map(|sample| &*sample.tokens)));
            let pooled = self.model.encode(&packed, Mode::Evaluation)?;
            let predicted = likeliest(&self.model.logits(&pooled, task)?)?;
            pairs.extend(block.iter().map(|sample| sample.label).zip(predicted));
            progress.advance(block.len() as u64);
        }
        let data = &self.data[task];
        Ok(EvaluationReport::from_pairs(&data.name, data.labels.names(), pairs))
    }

    fn task_report(&self, task: usize, validation: EvaluationReport) -> Result<TaskReport, TrainingError> {
        let data = &self.data[task];
        Ok(TaskReport {
            name: data.name.clone(),
            labels: data.labels.names().to_vec(),
            train_rows: data.train.len(),
            cleaning: data.cleaning,
            validation,
            test: self.measure(task, &self.samples[task].test)?,
        })
    }
}

fn tokenise(examples: &[Example], tokenizer: &TextTokenizer, base: &Path) -> Result<Vec<Sample>, TrainingError> {
    let sample =
        |example: &Example| Ok(Sample { tokens: tokens_of(&example.text, tokenizer, base)?, label: example.label });
    examples.iter().map(sample).collect()
}

fn tokens_of(text: &str, tokenizer: &TextTokenizer, base: &Path) -> Result<Box<[u32]>, TrainingError> {
    let tokens = tokenizer.encode(text)?;
    if tokens.is_empty() {
        return Err(TrainingError::BaseEncoder {
            path: base.join("tokenizer.json"),
            message: format!("makes no token of {text:?}; it must add the special tokens"),
        });
    }
    Ok(tokens.ids().into())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod transformers_tests;
