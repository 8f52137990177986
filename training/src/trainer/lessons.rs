//! What teachers say about a run's rows and about texts without labels, asked once before the first step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use candle_core::{Device, Result as TensorResult, Tensor};
use foundation::progress::{Progress, Unit};
use inference::TextTokenizer;

use super::Trainer;
use super::groups::{Group, Row};
use super::reading::Reading;
use crate::dataset::{Cleaning, Target, TaskData, key, read_unlabelled};
use crate::distillation::{Answer, Answers, Distillation, Ensemble, Lecture, Said, Speaker, Unlabelled, add};
use crate::error::TrainingError;
use crate::random::Random;
use crate::run::{TaskKind, TrainingRun};
use crate::source::DataSource;

/// What a teacher wants a head to answer for a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lesson {
    /// Its share; the rest is the label's.
    share: f32,
    /// Probabilities at the temperature.
    wanted: Vec<f32>,
}

/// What teachers say of a row.
#[derive(Debug, Default)]
pub(super) struct Taught {
    /// One for each task of its group; empty where there are none.
    lessons: Vec<Option<Lesson>>,
    /// Their pooled states, one after the other; empty where these are not learned.
    states: Vec<f32>,
}

/// A text without a label.
#[derive(Debug)]
struct Unnamed {
    text: String,
    /// The likeliest label for each task, which is learned where there is no lesson.
    targets: Vec<Target>,
    taught: Taught,
}

/// The lessons of a run.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    /// By [`key`]; with a lesson for each of the run's tasks.
    of_rows: HashMap<String, Taught>,
    /// Texts without labels, by the tasks that they are learned for.
    of_texts: BTreeMap<Vec<usize>, Vec<Unnamed>>,
    /// The unlabelled texts' share of each step.
    share: f64,
}

impl Lessons {
    /// Asks the run's teachers, if it has any.
    pub(super) fn ask(run: &TrainingRun, base: &Path, data: &[TaskData]) -> Result<Self, TrainingError> {
        let Some(distillation) = &run.distillation else { return Ok(Self::default()) };
        let ensemble = Ensemble::open(distillation, data)?;
        let unlabelled = match &distillation.unlabelled {
            Some(unlabelled) => texts(unlabelled, run, data)?,
            None => Vec::new(),
        };
        let states = distillation.hidden > 0.0;
        let mut rows: Vec<&str> = Vec::new();
        if distillation.weight > 0.0 || states {
            let mut met = HashSet::new();
            let train = data.iter().flat_map(|task| &task.train);
            rows.extend(train.map(|example| example.text.as_str()).filter(|text| met.insert(key(text))));
        }
        let all: Vec<&str> = rows.iter().copied().chain(unlabelled.iter().map(String::as_str)).collect();
        let mut answers = vec![Answers::default(); all.len()];
        ensemble.ask(&all, &mut answers, states)?;
        for seed in &distillation.seeds {
            add(&mut answers, ask_own(*seed, run, base, data, &all)?, states);
        }
        let mut lessons = Self::default();
        for (text, answers) in unlabelled.into_iter().zip(answers.split_off(rows.len())) {
            lessons.add_text(text, answers, distillation);
        }
        for (text, Answers { tasks, states }) in rows.into_iter().zip(answers) {
            let lesson = |answer: &Answer| Lesson::of(answer, distillation.weight, distillation.temperature);
            let taught = Taught { lessons: tasks.iter().map(lesson).collect(), states };
            lessons.of_rows.insert(key(text), taught);
        }
        lessons.share = distillation.unlabelled.as_ref().map_or(0.0, |unlabelled| unlabelled.share);
        lessons.check_texts(distillation)?;
        Ok(lessons)
    }

    /// Takes what is said of a labelled row, for these tasks.
    pub(super) fn take(&mut self, text: &str, tasks: &[usize]) -> Taught {
        let Some(Taught { mut lessons, states }) = self.of_rows.remove(&key(text)) else { return Taught::default() };
        Taught { lessons: tasks.iter().map(|task| lessons[*task].take()).collect(), states }
    }

    /// How many values the teachers' states have; 0 where these are not learned.
    pub(super) fn width(&self) -> usize {
        let of_texts = self.of_texts.values().flatten().map(|text| &text.taught);
        self.of_rows.values().chain(of_texts).next().map_or(0, |taught| taught.states.len())
    }

    /// The unlabelled texts as rows that go along with each step.
    pub(super) fn groups(self, tokenizer: &TextTokenizer, base: &Path) -> Result<Vec<Group>, TrainingError> {
        let all: usize = self.of_texts.values().map(Vec::len).sum();
        let row = |Unnamed { text, targets, taught }: Unnamed| {
            let reading = Reading::of(&text, TaskKind::SingleLabel, tokenizer, base)?;
            Ok(Row { reading, text: None, targets, taught })
        };
        let group = |(tasks, texts): (Vec<usize>, Vec<Unnamed>)| {
            let share = Some(self.share * texts.len() as f64 / all as f64);
            Ok(Group { tasks, share, rows: texts.into_iter().map(row).collect::<Result<_, TrainingError>>()? })
        };
        self.of_texts.into_iter().map(group).collect()
    }

    /// A text is learned for the tasks whose teachers are sure enough of it.
    fn add_text(&mut self, text: String, answers: Answers, distillation: &Distillation) {
        let hard_above = distillation.unlabelled.as_ref().and_then(|unlabelled| unlabelled.hard_above);
        let (mut tasks, mut targets, mut lessons) = (Vec::new(), Vec::new(), Vec::new());
        for (task, answer) in answers.tasks.iter().enumerate() {
            let probabilities = answer.probabilities(1.0);
            let likeliest = (0..probabilities.len()).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
            let Some(label) = likeliest else { continue };
            if hard_above.is_some_and(|least| f64::from(probabilities[label]) <= least) {
                continue;
            }
            tasks.push(task);
            targets.push(Target::Label(label));
            lessons.push(match hard_above {
                Some(_) => None,
                None => Lesson::of(answer, 1.0, distillation.temperature),
            });
        }
        if !tasks.is_empty() {
            let taught = Taught { lessons, states: answers.states };
            self.of_texts.entry(tasks).or_default().push(Unnamed { text, targets, taught });
        }
    }

    fn check_texts(&self, distillation: &Distillation) -> Result<(), TrainingError> {
        let Some(unlabelled) = &distillation.unlabelled else { return Ok(()) };
        let left: usize = self.of_texts.values().map(Vec::len).sum();
        tracing::info!("{left} unlabelled texts are learned from");
        match left {
            0 => Err(TrainingError::NoTextsLeft {
                files: unlabelled.data.iter().map(DataSource::name).collect(),
                hard_above: unlabelled.hard_above,
            }),
            _ => Ok(()),
        }
    }
}

impl Lesson {
    /// None where no teacher knows the task.
    fn of(answer: &Answer, share: f64, temperature: f64) -> Option<Self> {
        let wanted = answer.probabilities(temperature);
        (!wanted.is_empty()).then_some(Self { share: share as f32, wanted })
    }
}

/// Trains a teacher as this run is trained, but for its seed, and asks it.
fn ask_own(
    seed: u64,
    run: &TrainingRun,
    base: &Path,
    data: &[TaskData],
    texts: &[&str],
) -> Result<Vec<Said>, TrainingError> {
    let name = format!("{}, teacher of seed {seed}", run.name);
    let run = TrainingRun { name, seed, tensorboard: None, distillation: None, ..run.clone() };
    let trainer = Trainer::new(&run, base, data)?;
    trainer.fit(None, None)?;
    let lectures = data.iter().enumerate().map(|(task, data)| Some(Lecture::of_own(task, data.labels.len())));
    let lectures: Vec<_> = lectures.collect();
    let (classifier, tokenizer, lectures) = (&trainer.model, &trainer.tokenizer, &*lectures);
    let progress = Progress::start("asking it", Some(texts.len() as u64), Unit::Items("texts"));
    let answers = Speaker { path: base, classifier, tokenizer, lectures }.answers(texts, &progress);
    progress.finish();
    answers
}

/// The texts to ask about: those that are no rows of the run, and of those so many.
fn texts(unlabelled: &Unlabelled, run: &TrainingRun, data: &[TaskData]) -> Result<Vec<String>, TrainingError> {
    let rules = run.tasks.first().map(|task| task.cleaning).unwrap_or_default();
    let mut cleaning = Cleaning::default();
    let rows = read_unlabelled(&unlabelled.data, rules, data, &mut cleaning)?;
    tracing::info!("unlabelled texts: {cleaning}");
    let mut texts: Vec<String> = rows.into_iter().map(|row| row.text).collect();
    Random::new(run.seed, "unlabelled").shuffle(&mut texts);
    texts.truncate(unlabelled.most);
    Ok(texts)
}

/// Adds what teachers want of `rows`, at the same place of each row's tasks, to what their labels want: from `[runs * rows, labels]`
/// to `[runs * rows, 2 * labels]`; unchanged where no row has a teacher.
pub(super) fn join(wanted: Tensor, rows: &[&Row], place: usize) -> TensorResult<Tensor> {
    let lessons = || rows.iter().map(|row| row.taught.lessons.get(place).and_then(Option::as_ref));
    if lessons().all(|lesson| lesson.is_none()) {
        return Ok(wanted);
    }
    let (all, labels) = wanted.dims2()?;
    let (mut own, mut taught) = (Vec::with_capacity(all), Vec::with_capacity(all * labels));
    for lesson in lessons().cycle().take(all) {
        let share = lesson.map_or(0.0, |lesson| lesson.share);
        own.push(1.0 - share);
        match lesson {
            Some(lesson) => taught.extend(lesson.wanted.iter().map(|probability| share * probability)),
            None => taught.extend(std::iter::repeat_n(0.0, labels)),
        }
    }
    let own = wanted.broadcast_mul(&Tensor::from_vec(own, (all, 1), &Device::Cpu)?)?;
    Tensor::cat(&[own, Tensor::from_vec(taught, (all, labels), &Device::Cpu)?], 1)
}

/// The mean squared distance of `guessed`, `[runs * rows, width]`, from the teachers' states; none where no row has them.
pub(super) fn distance(guessed: &Tensor, rows: &[&Row]) -> Option<TensorResult<Tensor>> {
    let states = || rows.iter().map(|row| &row.taught.states);
    if states().all(Vec::is_empty) {
        return None;
    }
    let distance = || {
        let (all, width) = guessed.dims2()?;
        let (mut counts, mut values) = (Vec::with_capacity(all), Vec::with_capacity(all * width));
        for states in states().cycle().take(all) {
            counts.push(if states.is_empty() { 0f32 } else { 1.0 });
            values.extend(states.iter().copied().chain(std::iter::repeat(0.0)).take(width));
        }
        let known: f32 = counts.iter().sum();
        let counts = Tensor::from_vec(counts, (all, 1), &Device::Cpu)?;
        let apart = (guessed - Tensor::from_vec(values, (all, width), &Device::Cpu)?)?.sqr()?;
        apart.broadcast_mul(&counts)?.sum_all()? * (1.0 / (f64::from(known) * width as f64))
    };
    Some(distance())
}

#[cfg(test)]
mod tests;
