//! What a training run is asked to do: one TOML file.

mod split;

use std::path::{Path, PathBuf};

use foundation::configuration::{ConfigurationError, parse_toml};
use serde::{Deserialize, Serialize};

use crate::dataset::CleaningRules;
use crate::error::TrainingError;
use crate::source::DataSource;

pub use split::{Split, SplitBy};

/// A training run: a base encoder, one head for each task, and how to train them.
///
/// ```toml
/// name = "finance"
/// seed = 17
///
/// [[tasks]]
/// name = "sentiment"
/// data = [{ path = "Sentences_50Agree.txt", format = "separated", encoding = "latin-1" }]
///
/// [[tasks]]
/// name = "topic"
/// label_names = "labels.csv"
/// data = [{ path = "train_data.csv" }]
/// test = [{ path = "valid_data.csv" }]
/// split = { by = "group", column = "user" }
///
/// [hyperparameters]
/// epochs = 4
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRun {
    /// The model's name in the registry.
    pub name: String,
    /// Decides the split, the order of batches, new weights and dropout.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// The directory of the base encoder (config.json, tokenizer.json, model.safetensors); the one that `pulsewire setup`
    /// fetched where it is not set.
    #[serde(default)]
    pub base: Option<PathBuf>,
    /// What is learned: each task becomes a head.
    pub tasks: Vec<Task>,
    /// How it is learned.
    #[serde(default)]
    pub hyperparameters: Hyperparameters,
}

/// One task: labelled files, which become one head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The head's name: `sentiment`.
    pub name: String,
    /// The labelled files.
    pub data: Vec<DataSource>,
    /// Files that are the validation side, in place of a share of `data`.
    #[serde(default)]
    pub validation: Vec<DataSource>,
    /// Files that are the test side, in place of a share of `data`.
    #[serde(default)]
    pub test: Vec<DataSource>,
    /// A CSV file of two columns that names the labels: `label,topic`.
    #[serde(default)]
    pub label_names: Option<PathBuf>,
    /// What is changed in texts, and which rows are left out; nothing that changes a text where it is not set.
    #[serde(default)]
    pub cleaning: CleaningRules,
    /// What is cut from `data` where there are no files of its own.
    #[serde(default)]
    pub split: Split,
}

/// How the weights are fitted. The defaults suit a MiniLM-sized encoder and some thousand short texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hyperparameters {
    /// The most passes over the data.
    pub epochs: usize,
    /// Rows in a step.
    pub batch_size: usize,
    /// AdamW's highest rate, reached at the end of the warm-up.
    pub learning_rate: f64,
    /// The share of steps over which the rate rises from zero; after it, the rate falls to zero in a straight line.
    pub warmup: f64,
    /// AdamW's decoupled decay; biases and layer norms have none.
    pub weight_decay: f64,
    /// Each lower layer's rate is its upper neighbour's times this; 1 for equal rates.
    pub layer_decay: f64,
    /// The share of values that dropout sets to zero.
    pub dropout: f64,
    /// The share of the target that is spread over all labels.
    pub label_smoothing: f64,
    /// The weight of R-Drop: each row is run twice and the two answers are drawn together. 0 runs each row once.
    pub r_drop: f64,
    /// The largest global norm of a step's gradient.
    pub gradient_norm: f64,
    /// The share of the running average of weights that each step keeps; what is validated and kept is the average.
    /// 0 keeps the weights themselves.
    pub weight_average: f64,
    /// Epochs without a better validation score before training stops.
    pub patience: usize,
    /// How tasks whose rows differ share the steps: 1 by their sizes, towards 0 evenly.
    pub task_temperature: f64,
    /// The most tokens of a text; the rest is cut.
    pub max_tokens: usize,
}

impl Default for Hyperparameters {
    fn default() -> Self {
        Self {
            epochs: 5,
            batch_size: 32,
            learning_rate: 8e-5,
            warmup: 0.1,
            weight_decay: 0.01,
            layer_decay: 1.0,
            dropout: 0.1,
            label_smoothing: 0.05,
            r_drop: 1.0,
            gradient_norm: 1.0,
            weight_average: 0.99,
            patience: 3,
            task_temperature: 1.0,
            max_tokens: 128,
        }
    }
}

impl TrainingRun {
    /// Reads a run's file. Relative paths in it are taken from the file's directory.
    pub fn load(path: &Path) -> Result<Self, TrainingError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigurationError::Unreadable { path: path.to_owned(), source })?;
        let mut run: Self = parse_toml(&text, path)?;
        run.resolve_paths(path.parent().unwrap_or(Path::new("")));
        run.validate()?;
        Ok(run)
    }

    /// Takes every relative path from `directory`.
    pub fn resolve_paths(&mut self, directory: &Path) {
        let resolve = |path: &mut PathBuf| *path = directory.join(&*path);
        self.base.iter_mut().for_each(resolve);
        for task in &mut self.tasks {
            task.label_names.iter_mut().for_each(resolve);
            let sources = task.data.iter_mut().chain(&mut task.validation).chain(&mut task.test);
            sources.for_each(|source| resolve(&mut source.path));
        }
    }

    /// Checks every value before a file is opened.
    pub fn validate(&self) -> Result<(), TrainingError> {
        let invalid = |key: String, message: &str| Err(ConfigurationError::invalid(key, message).into());
        if self.name.is_empty() {
            return invalid("name".to_owned(), "must not be empty");
        }
        if self.tasks.is_empty() {
            return invalid("tasks".to_owned(), "at least one task is needed");
        }
        for (index, task) in self.tasks.iter().enumerate() {
            if task.name.is_empty() || self.tasks[..index].iter().any(|other| other.name == task.name) {
                return invalid(format!("tasks[{index}].name"), "must be set, and differ from the other tasks' names");
            }
            if task.data.is_empty() {
                return invalid(format!("tasks[{index}].data"), "at least one file is needed");
            }
            if task.cleaning.of_texts() != self.tasks[0].cleaning.of_texts() {
                return invalid(
                    format!("tasks[{index}].cleaning"),
                    "must change texts as that of the first task does: what is served is one text for all heads",
                );
            }
            let Split { validation, test, .. } = task.split;
            if !(validation > 0.0 && test > 0.0 && validation + test <= 0.8) {
                return invalid(format!("tasks[{index}].split"), "shares must be above 0 and at most 0.8 together");
            }
        }
        self.hyperparameters.validate().map_err(TrainingError::from)
    }
}

impl Hyperparameters {
    fn validate(&self) -> Result<(), ConfigurationError> {
        let checks = [
            ("epochs", self.epochs >= 1, "must be at least 1"),
            ("batch_size", (1..=4096).contains(&self.batch_size), "must be 1 to 4096"),
            ("learning_rate", self.learning_rate > 0.0 && self.learning_rate < 1.0, "must be above 0 and below 1"),
            ("warmup", (0.0..1.0).contains(&self.warmup), "must be 0 to below 1"),
            ("weight_decay", (0.0..=1.0).contains(&self.weight_decay), "must be 0 to 1"),
            ("layer_decay", self.layer_decay > 0.0 && self.layer_decay <= 1.0, "must be above 0 and at most 1"),
            ("dropout", (0.0..0.9).contains(&self.dropout), "must be 0 to below 0.9"),
            ("label_smoothing", (0.0..0.9).contains(&self.label_smoothing), "must be 0 to below 0.9"),
            ("r_drop", (0.0..=100.0).contains(&self.r_drop), "must be 0 to 100"),
            ("gradient_norm", self.gradient_norm > 0.0, "must be above 0"),
            ("weight_average", (0.0..1.0).contains(&self.weight_average), "must be 0 to below 1"),
            ("patience", self.patience >= 1, "must be at least 1"),
            ("task_temperature", (0.0..=1.0).contains(&self.task_temperature), "must be 0 to 1"),
            ("max_tokens", (8..=8192).contains(&self.max_tokens), "must be 8 to 8192"),
        ];
        match checks.into_iter().find(|(_, holds, _)| !holds) {
            Some((key, _, message)) => Err(ConfigurationError::invalid(format!("hyperparameters.{key}"), message)),
            None => Ok(()),
        }
    }
}

fn default_seed() -> u64 {
    17
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "name = \"finance\"\n[[tasks]]\nname = \"sentiment\"\ndata = [{ path = \"a.csv\" }]\n";

    fn load(text: &str) -> Result<TrainingRun, TrainingError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.toml");
        std::fs::write(&path, text).unwrap();
        TrainingRun::load(&path)
    }

    #[test]
    fn paths_are_taken_from_the_files_directory() {
        let run = load(RUN).unwrap();
        assert!(run.tasks[0].data[0].path.is_absolute() && run.tasks[0].data[0].path.ends_with("a.csv"));
        assert_eq!(run.hyperparameters, Hyperparameters::default());
    }

    #[test]
    fn wrong_files_are_refused_with_the_place() {
        let check = |addition: &str, expected: &str| {
            let message = load(&format!("{RUN}{addition}")).unwrap_err().to_string();
            assert!(message.contains(expected), "{addition:?} gave {message}");
        };
        check("[hyperparameters]\nepoch = 3\n", ":6:1: ");
        check("colour = 1\n", "colour");
        check("split = { validation = 0.5, test = 0.5 }\n", "tasks[0].split");
        check("split = { by = \"group\" }\n", ":5:9: ");
        check("cleaning = { urls = \"hide\" }\n", "hide");
        let clean = "cleaning = { html = true }\n[[tasks]]\nname = \"b\"\ndata = [{ path = \"b.csv\" }]\n";
        check(clean, "tasks[1].cleaning");
        check("[hyperparameters]\nlearning_rate = -1.0\n", "hyperparameters.learning_rate");
        check("[hyperparameters]\ndropout = nan\n", "hyperparameters.dropout");
        check("[[tasks]]\nname = \"sentiment\"\ndata = [{ path = \"b.csv\" }]\n", "tasks[1].name");
    }
}
