//! What a training run is asked to do: one TOML file.

mod hyperparameters;
mod split;

use std::path::{Path, PathBuf};

use foundation::configuration::{ConfigurationError, parse_toml};
use serde::{Deserialize, Serialize};

use crate::dataset::CleaningRules;
use crate::engine::LossKind;
use crate::error::TrainingError;
use crate::source::{DataSource, Format};

pub use hyperparameters::Hyperparameters;
pub use inference::TaskKind;
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
///
/// Named entities, from files of tagged words:
///
/// ```toml
/// [[tasks]]
/// name = "entities"
/// kind = "tokens"
/// data = [{ path = "train.txt", format = "conll" }]
/// test = [{ path = "test.txt", format = "conll" }]
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
    /// A folder for TensorBoard's event files: losses and rates of each step, and the validation side of each epoch. None are
    /// written where it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensorboard: Option<PathBuf>,
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
    /// What an answer is: `single-label` where it is not set. A task of `tokens` is alone in its run; its labels are tags, one for
    /// each word.
    #[serde(default, skip_serializing_if = "TaskKind::is_default")]
    pub kind: TaskKind,
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
    /// How far an answer is from its label.
    #[serde(default)]
    pub loss: LossKind,
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
        self.base.iter_mut().chain(&mut self.tensorboard).for_each(resolve);
        for task in &mut self.tasks {
            task.label_names.iter_mut().for_each(resolve);
            let sources = task.data.iter_mut().chain(&mut task.validation).chain(&mut task.test);
            sources.for_each(|source| resolve(&mut source.path));
        }
    }

    /// Whether heads answer for the words of texts rather than for texts.
    pub fn labels_words(&self) -> bool {
        self.tasks.iter().any(|task| task.kind == TaskKind::Tokens)
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
            if let Some((key, message)) = self.fault_of_kind(task) {
                return invalid(format!("tasks[{index}].{key}"), message);
            }
            let Split { validation, test, .. } = task.split;
            if !(validation > 0.0 && test > 0.0 && validation + test <= 0.8) {
                return invalid(format!("tasks[{index}].split"), "shares must be above 0 and at most 0.8 together");
            }
            if let Some(fault) = task.loss.fault() {
                return invalid(format!("tasks[{index}].loss"), fault);
            }
        }
        self.hyperparameters.validate().map_err(TrainingError::from)
    }

    /// What does not go with the kind of a task.
    fn fault_of_kind(&self, task: &Task) -> Option<(&'static str, &'static str)> {
        let of_words = task.kind == TaskKind::Tokens;
        let mut sources = task.data.iter().chain(&task.validation).chain(&task.test);
        if !of_words && sources.any(|source| matches!(source.resolved_format(), Ok(Format::Conll))) {
            return Some(("kind", "must be \"tokens\" for files in the format \"conll\""));
        }
        if !of_words {
            return None;
        }
        if self.tasks.len() > 1 {
            return Some((
                "kind",
                "\"tokens\" must be the run's only task: its encoder is read word by word, without a pooler",
            ));
        }
        if task.cleaning.changes_texts() {
            return Some((
                "cleaning",
                "must not change texts, whose words have tags; clean the file before it is tagged",
            ));
        }
        task.label_names
            .as_ref()
            .map(|_| ("label_names", "does not go with kind \"tokens\": write the tags' types in the file"))
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
        check("loss = { kind = \"hinge\" }\n", "class-balanced");
        check("loss = { kind = \"focal\", beta = 0.9 }\n", "beta");
        check("loss = { kind = \"focal\", gamma = -1.0 }\n", "tasks[0].loss");
        check("kind = \"words\"\n", "words");
        check("kind = \"tokens\"\nlabel_names = \"a.csv\"\n", "tasks[0].label_names");
        check("kind = \"tokens\"\ncleaning = { html = true }\n", "tasks[0].cleaning");
        check("kind = \"tokens\"\n[[tasks]]\nname = \"b\"\ndata = [{ path = \"b.csv\" }]\n", "tasks[0].kind");
        check("test = [{ path = \"b.conll\" }]\n", "must be \"tokens\"");
        check("[[tasks]]\nname = \"sentiment\"\ndata = [{ path = \"b.csv\" }]\n", "tasks[1].name");
    }
}
