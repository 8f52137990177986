//! Learning from other models: what teachers answer stands beside a row's label, and alone where a text has none.

mod ensemble;
mod teacher;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::directory::{file_digest, model_digest};
use crate::error::TrainingError;
use crate::source::DataSource;

pub(crate) use ensemble::{Answer, Answers, Ensemble, add};
pub(crate) use teacher::{Lecture, Said, Speaker};

/// The highest temperature that makes sense: beyond it, all answers are alike.
const HOTTEST: f64 = 100.0;

/// Models to learn from (Hinton and others, "Distilling the Knowledge in a Neural Network", 2015). Several are an ensemble: the
/// mean of their probabilities is learned.
///
/// ```toml
/// [distillation]
/// teachers = ["models/news/1", "models/news/2"]
/// temperature = 2.0
/// weight = 0.5
/// unlabelled = { data = [{ path = "feed.csv", text = "headline" }], most = 20000, share = 0.5 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Distillation {
    /// Directories of fine-tuned models, `config.json`, `tokenizer.json` and `model.safetensors` in each. A head teaches the task
    /// of its name and labels; the only head of a model, the only task.
    pub teachers: Vec<PathBuf>,
    /// Seeds of further teachers, which are trained first: as this run, on the very rows that it learns from, but for the seed and
    /// without teachers of their own (Furlanello and others, "Born-Again Neural Networks", 2018). They are kept nowhere; a run
    /// that goes on from a checkpoint trains them again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<u64>,
    /// What logits of teacher and pupil are divided by, so that it shows which wrong labels the teacher finds less wrong.
    pub temperature: f64,
    /// The teachers' share of what a labelled row should answer; 1 for nothing but them.
    pub weight: f64,
    /// The weight of the mean squared distance from the teachers' pooled states to a linear map, learned with the rest, of the
    /// model's own (Sun and others, "Patient Knowledge Distillation", 2019; the map is TinyBERT's, Jiao and others, 2020).
    pub hidden: f64,
    /// Learn from teachers though their reports do not show that they were trained on this run's rows and split. What they learned
    /// from may then be what this run is tested on.
    pub other_data: bool,
    /// Texts that the teachers answer for alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlabelled: Option<Unlabelled>,
}

/// Texts without labels. Those that are rows of a task, of whatever side, are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Unlabelled {
    /// The files; columns of labels are not looked at.
    pub data: Vec<DataSource>,
    /// The most texts that are asked about, chosen by the seed.
    pub most: usize,
    /// Their share of each step's rows. They come on top of the labelled ones, which an epoch goes through once.
    pub share: f64,
    /// Learn the likeliest label as if it were the text's own, from those texts alone that the teachers are surer of than this
    /// (Lee, "Pseudo-Label", 2013). Where it is not set, their probabilities are learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_above: Option<f64>,
}

impl Default for Distillation {
    fn default() -> Self {
        Self {
            teachers: Vec::new(),
            seeds: Vec::new(),
            temperature: 2.0,
            weight: 0.5,
            hidden: 0.0,
            other_data: false,
            unlabelled: None,
        }
    }
}

impl Default for Unlabelled {
    fn default() -> Self {
        Self { data: Vec::new(), most: 20_000, share: 0.5, hard_above: None }
    }
}

impl Distillation {
    /// What is wrong with its values: a key, and why.
    pub(crate) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let checks = [
            (
                "teachers",
                !(self.teachers.is_empty() && self.seeds.is_empty()),
                "at least one model's directory is needed, or one of `seeds`",
            ),
            ("temperature", self.temperature > 0.0 && self.temperature <= HOTTEST, "must be above 0 and at most 100"),
            ("weight", (0.0..=1.0).contains(&self.weight), "must be 0 to 1"),
            ("hidden", (0.0..=1e4).contains(&self.hidden), "must be 0 to 10000"),
            (
                "weight",
                self.weight > 0.0 || self.hidden > 0.0 || self.unlabelled.is_some(),
                "must be above 0 where neither `hidden` nor `unlabelled` is set: nothing would be learned from teachers",
            ),
        ];
        let wrong = checks.into_iter().find(|(_, holds, _)| !holds).map(|(key, _, message)| (key, message));
        wrong.or_else(|| self.unlabelled.as_ref()?.fault())
    }

    /// Every path in it.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let data = self.unlabelled.iter_mut().flat_map(|unlabelled| &mut unlabelled.data);
        self.teachers.iter_mut().chain(data.map(|source| &mut source.path))
    }

    /// The same with digests of what lies there in the place of paths: what decides a run.
    pub(crate) fn by_content(&self) -> Result<Self, TrainingError> {
        let mut own = self.clone();
        for path in &mut own.teachers {
            *path = model_digest(path)?.into();
        }
        for source in own.unlabelled.iter_mut().flat_map(|unlabelled| &mut unlabelled.data) {
            source.path = file_digest(source.file()?)?.into();
        }
        Ok(own)
    }
}

impl Unlabelled {
    fn fault(&self) -> Option<(&'static str, &'static str)> {
        let checks = [
            ("unlabelled.data", !self.data.is_empty(), "at least one file is needed"),
            ("unlabelled.most", self.most >= 1, "must be at least 1"),
            ("unlabelled.share", self.share > 0.0 && self.share < 1.0, "must be above 0 and below 1"),
            (
                "unlabelled.hard_above",
                self.hard_above.is_none_or(|least| (0.0..1.0).contains(&least)),
                "must be 0 to below 1",
            ),
        ];
        let wrong = checks.into_iter().find(|(_, holds, _)| !holds).map(|(key, _, message)| (key, message));
        wrong.or_else(|| Some(("unlabelled.data", self.data.iter().find_map(DataSource::fault)?)))
    }
}

fn refused(path: &Path, message: String) -> TrainingError {
    TrainingError::FineTuned { path: path.to_owned(), message }
}
