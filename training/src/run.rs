//! What a training run is asked to do: one TOML file.

mod hyperparameters;
mod split;
mod task;
mod text_run;

use std::path::{Path, PathBuf};

use foundation::configuration::{ConfigurationError, parse_toml};
use serde::{Deserialize, Serialize};

use crate::augmentation::{Augmentation, MOVES_WORDS};
use crate::continual::Continual;
use crate::distillation::Distillation;
use crate::error::TrainingError;
use crate::few_shot::FewShot;
use crate::source::DataSource;

pub use hyperparameters::Hyperparameters;
pub use inference::TaskKind;
pub use split::{Split, SplitBy};
pub use task::Task;
pub use text_run::{TextRun, TextSettings};

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
/// name = "tags"
/// kind = "multi-label"
/// data = [{ path = "tagged.csv", label = "tags", label_separator = ";" }]
///
/// [[tasks]]
/// name = "price"
/// kind = "regression"
/// data = [{ path = "priced.csv", label = "price" }]
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
///
/// [distillation]
/// teachers = ["models/finance/1", "models/finance/2"]
/// unlabelled = { data = [{ path = "feed.csv", text = "headline" }] }
/// ```
///
/// Named entities, from files of tagged words:
///
/// ```toml
/// [[tasks]]
/// name = "entities"
/// kind = "tokens"
/// data = [{ path = "train.txt", format = "conll", document_words = 100 }] # without: each sentence is a row
/// test = [{ path = "test.txt", format = "conll", document_words = 100 }]
/// ```
///
/// Pairs of texts, which the encoder reads as `[CLS] text [SEP] text_pair [SEP]`:
///
/// ```toml
/// [[tasks]]
/// name = "similarity"
/// kind = "regression"
/// data = [{ path = "pairs.csv", text = "first", text_pair = "second", label = "score" }]
/// ```
///
/// A run that goes on from a model in use names it as `base` and has a section `[continual]`; one of a few rows a label has a section
/// `[few_shot]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRun {
    /// The model's name in the registry.
    pub name: String,
    /// Decides the split, the order of batches, new weights and dropout.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Decides the split in the place of `seed`, so that runs of several seeds have one split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
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
    /// What is done to training rows, in this order; the other sides stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub augmentation: Vec<Augmentation>,
    /// How it is learned.
    #[serde(default)]
    pub hyperparameters: Hyperparameters,
    /// Other models to learn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<Distillation>,
    /// That `base` is a fine-tuned model to go on from, and what keeps its old answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continual: Option<Continual>,
    /// That the encoder learns by contrast, and the head apart from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot: Option<FewShot>,
}

impl TrainingRun {
    /// What decides the split.
    pub fn split_seed(&self) -> u64 {
        self.split_seed.unwrap_or(self.seed)
    }

    /// Reads a run's file. Relative paths in it are taken from the file's directory.
    pub fn load(path: &Path) -> Result<Self, TrainingError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigurationError::Unreadable { path: path.to_owned(), source })?;
        let mut run: Self = parse_toml(&text, path)?;
        run.resolve_paths(path.parent().unwrap_or(Path::new("")));
        run.validate().map_err(|error| error.of_file(path))?;
        Ok(run)
    }

    /// Takes every relative path from `directory`.
    pub fn resolve_paths(&mut self, directory: &Path) {
        let resolve = |path: &mut PathBuf| {
            if !path.as_os_str().is_empty() {
                *path = directory.join(&*path);
            }
        };
        self.base.iter_mut().chain(&mut self.tensorboard).for_each(resolve);
        self.distillation.iter_mut().flat_map(Distillation::paths_mut).for_each(resolve);
        self.continual.iter_mut().flat_map(Continual::paths_mut).for_each(resolve);
        self.augmentation.iter_mut().for_each(|augmentation| augmentation.resolve_paths(directory));
        for task in &mut self.tasks {
            task.label_names.iter_mut().for_each(resolve);
            let sources = task.data.iter_mut().chain(&mut task.validation).chain(&mut task.test);
            sources.for_each(|source| resolve(&mut source.path));
        }
    }

    /// Every source of rows in it.
    pub fn sources_mut(&mut self) -> impl Iterator<Item = &mut DataSource> {
        let unlabelled = self.distillation.iter_mut().flat_map(|distillation| &mut distillation.unlabelled);
        let old = self.continual.iter_mut().flat_map(|continual| &mut continual.old);
        let tasks = self.tasks.iter_mut();
        let tasks = tasks.flat_map(|task| task.data.iter_mut().chain(&mut task.validation).chain(&mut task.test));
        tasks.chain(unlabelled.flat_map(|unlabelled| &mut unlabelled.data)).chain(old)
    }

    /// Whether heads answer for the words of texts rather than for texts.
    pub fn labels_words(&self) -> bool {
        self.tasks.iter().any(|task| task.kind == TaskKind::Tokens)
    }

    /// Whether rows are pairs of texts.
    fn reads_pairs(&self) -> bool {
        self.tasks.iter().flat_map(|task| &task.data).any(|source| source.text_pair.is_some())
    }

    /// Every file that texts are read from.
    fn sources(&self) -> impl Iterator<Item = &DataSource> {
        let unlabelled = self.distillation.iter().filter_map(|distillation| distillation.unlabelled.as_ref());
        let unlabelled = unlabelled.flat_map(|unlabelled| &unlabelled.data);
        let old = self.continual.iter().flat_map(|continual| &continual.old);
        self.tasks.iter().flat_map(Task::sources).chain(unlabelled).chain(old)
    }

    /// Checks every value before a file is opened.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        let invalid = |key: String, message: &str| Err(ConfigurationError::invalid(key, message));
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
            if task.cleaning.of_texts() != self.tasks[0].cleaning.of_texts() {
                return invalid(
                    format!("tasks[{index}].cleaning"),
                    "must change texts as that of the first task does: what is served is one text for all heads",
                );
            }
            if task.kind == TaskKind::Tokens && self.tasks.len() > 1 {
                let message =
                    "\"tokens\" must be the run's only task: its encoder is read word by word, without a pooler";
                return invalid(format!("tasks[{index}].kind"), message);
            }
            if task.kind == TaskKind::Tokens && self.hyperparameters.pooling.is_some() {
                let message = "must not be set: words are read at their own tokens";
                return invalid("hyperparameters.pooling".to_owned(), message);
            }
            if task.kind != TaskKind::Tokens && self.hyperparameters.word_shapes {
                let message = "must not be set: only the words of a task of kind = \"tokens\" have a shape";
                return invalid("hyperparameters.word_shapes".to_owned(), message);
            }
            if let Some((key, message)) = task.fault() {
                return invalid(format!("tasks[{index}].{key}"), message);
            }
        }
        if self.sources().any(|source| source.text_pair.is_some() != self.reads_pairs()) {
            let message = "must be set for all files of a run or for none: what is served is one pair for all heads";
            return invalid("text_pair".to_owned(), message);
        }
        if self.reads_pairs() && !self.augmentation.is_empty() {
            let message = "must be left out where texts are pairs: words would go from one to the other";
            return invalid("augmentation".to_owned(), message);
        }
        for (index, augmentation) in self.augmentation.iter().enumerate() {
            let unfit = || self.tasks.iter().any(|task| !augmentation.kind.suits(task.kind));
            if let Some((key, message)) = augmentation.fault().or_else(|| unfit().then_some(("kind", MOVES_WORDS))) {
                return invalid(format!("augmentation[{index}].{key}"), message);
            }
        }
        if let Some((key, message)) = self.distillation.as_ref().and_then(Distillation::fault) {
            return invalid(format!("distillation.{key}"), message);
        }
        let several = self.tasks.iter().position(|task| task.kind != TaskKind::SingleLabel);
        if let Some(index) = several.filter(|_| self.distillation.is_some() || self.continual.is_some()) {
            let message = "must be \"single-label\" where `distillation` or `continual` is set";
            return invalid(format!("tasks[{index}].kind"), message);
        }
        self.check_continual()?;
        self.check_few_shot()?;
        self.hyperparameters.validate()
    }

    fn check_few_shot(&self) -> Result<(), ConfigurationError> {
        let Some(few_shot) = &self.few_shot else { return Ok(()) };
        let alone = self.distillation.is_none() && self.continual.is_none();
        let beside = (!alone).then_some(("few_shot", "must not stand beside `distillation` or `continual`"));
        match beside.or_else(|| few_shot.fault(&self.tasks, &self.hyperparameters)) {
            Some((key, message)) => Err(ConfigurationError::invalid(key, message)),
            None => Ok(()),
        }
    }

    fn check_continual(&self) -> Result<(), ConfigurationError> {
        let Some(continual) = &self.continual else { return Ok(()) };
        let unlabelled = self.distillation.as_ref().and_then(|distillation| distillation.unlabelled.as_ref());
        let is_task = |name: &String| self.tasks.iter().any(|task| task.name == *name);
        let fault = continual.fault().or_else(|| {
            let checks = [
                ("task", continual.task.as_ref().is_none_or(is_task), "must be the name of one of the tasks"),
                (
                    "replay",
                    continual.replay + unlabelled.map_or(0.0, |unlabelled| unlabelled.share) < 1.0,
                    "must leave room for new rows beside the unlabelled texts' share",
                ),
            ];
            checks.into_iter().find(|(_, holds, _)| !holds).map(|(key, _, message)| (key, message))
        });
        match fault {
            Some((key, message)) => Err(ConfigurationError::invalid(format!("continual.{key}"), message)),
            None if self.base.is_none() => {
                Err(ConfigurationError::invalid("base", "must be the fine-tuned model that `continual` goes on from"))
            }
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
    fn queries_and_topics_stand_in_the_place_of_files() {
        let query = "query = \"SELECT text, label FROM labelled\"";
        let text = RUN.replace("path = \"a.csv\"", query)
            + "test = [{ topic = \"labelled\" }]\n[distillation]\nteachers = [\"a\"]\n[distillation.unlabelled]\ndata = [{ topic = \"feed\" }]\n";
        let mut run = load(&text).unwrap();
        assert!(run.tasks[0].data[0].path.as_os_str().is_empty());
        let names: Vec<String> = run.sources_mut().map(|source| source.name()).collect();
        assert_eq!(names, ["query \"SELECT text, label FROM labelled\"", "topic labelled", "topic feed"]);
        let message = load(&text.replace(query, &format!("{query}, path = \"a.csv\""))).unwrap_err().to_string();
        assert!(message.contains("tasks[0].data: needs one of"), "{message}");
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
        check("cleaning = { languages = [\"xx\"] }\n", "unknown language \"xx\"");
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
        check("test = [{ path = \"b.csv\", text_pair = \"b\" }]\n", "text_pair: must be set for all files");
        let pairs = RUN.replace("\"a.csv\"", "\"a.csv\", text_pair = \"b\"");
        let augmented = format!("{pairs}[[augmentation]]\nkind = \"typos\"\n");
        let message = load(&augmented).unwrap_err().to_string();
        assert!(message.contains("augmentation: must be left out where texts are pairs"), "{message}");
        let message = load(&format!("{pairs}kind = \"tokens\"\n")).unwrap_err().to_string();
        assert!(load(&pairs).is_ok() && message.contains("has a text_pair"), "{message}");
        check("[distillation]\nweight = 0.5\n", "distillation.teachers");
        check("[distillation]\nteachers = [\"a\"]\nweight = 0.0\n", "distillation.weight");
        check("[distillation]\nteachers = [\"a\"]\ntemperature = 0.0\n", "distillation.temperature");
        let unlabelled =
            "[distillation]\nteachers = [\"a\"]\n[distillation.unlabelled]\ndata = [{ path = \"c.csv\" }]\n";
        check(&format!("{unlabelled}share = 1.0\n"), "distillation.unlabelled.share");
        check(&format!("{unlabelled}hard_above = 1.0\n"), "distillation.unlabelled.hard_above");
        check("[continual]\n", "base: must be the fine-tuned model");
        check("[continual]\newc = 1.0\n", "continual.old");
        let old = "[continual]\nold = [{ path = \"c.csv\" }]\n";
        check(old, "continual.old");
        check(&format!("{old}replay = 1.0\n"), "continual.replay");
        check(&format!("{old}replay = 0.2\ntask = \"mood\"\n"), "continual.task");
        check(&format!("{old}replay = 0.6\n{unlabelled}"), "continual.replay: must leave room");
        let few = "[few_shot]\n";
        check("[few_shot]\npairs = 3\n", "pairs");
        check("[few_shot]\ntemperature = 0.0\n", "few_shot.temperature");
        check("[few_shot]\ntemperature = nan\n", "few_shot.temperature");
        check(&format!("kind = \"multi-label\"\n{few}"), "few_shot: takes a run of one task");
        check(&format!("[[tasks]]\nname = \"b\"\ndata = [{{ path = \"b.csv\" }}]\n{few}"), "few_shot: takes");
        check(&format!("{few}[hyperparameters]\nbatch_size = 3\n"), "hyperparameters.batch_size");
        check(&format!("{few}[hyperparameters]\nmixup = 0.1\n"), "hyperparameters.mixup");
        check(&format!("{few}[distillation]\nteachers = [\"a\"]\n"), "must not stand beside");
        check("kind = \"tokens\"\n[hyperparameters]\npooling = \"mean\"\n", "hyperparameters.pooling");
        check("[hyperparameters]\npooling = \"max\"\n", "cls");
        check("[hyperparameters]\nword_shapes = true\n", "hyperparameters.word_shapes");
        check("split = { rows_per_label = 0 }\n", "tasks[0].split");
        check("kind = \"multi-label\"\nsplit = { rows_per_label = 9 }\n", "tasks[0].split");
        check("[[augmentation]]\nkind = \"shuffle\"\n", "back-translation");
        check("[[augmentation]]\nkind = \"typos\"\nrate = 0.0\n", "augmentation[0].rate");
        check("[[augmentation]]\nkind = \"typos\"\nshare = 1.5\n", "augmentation[0].share");
        check("[[augmentation]]\nkind = \"synonyms\"\n", "augmentation[0].file");
        check(
            "[[augmentation]]\nkind = \"swap\"\n[[augmentation]]\nkind = \"swap\"\nmodel = \"a\"\n",
            "augmentation[1].model",
        );
        check("[[augmentation]]\nkind = \"back-translation\"\n", "augmentation[0].command");
        check("[[augmentation]]\nkind = \"back-translation\"\ncommand = [\"a\"]\nrate = 0.1\n", "augmentation[0].rate");
        check(
            "kind = \"tokens\"\n[[augmentation]]\nkind = \"swap\"\n",
            "augmentation[0].kind: must be synonyms, typos",
        );
        check("kind = \"ranking\"\n", "multi-label");
        check("kind = \"tokens\"\n[distillation]\nteachers = [\"a\"]\n", "tasks[0].kind");
        check("kind = \"tokens\"\n[continual]\n", "tasks[0].kind");
        check("kind = \"regression\"\n[distillation]\nteachers = [\"a\"]\n", "tasks[0].kind");
        check("kind = \"regression\"\nloss = { kind = \"focal\" }\n", "tasks[0].loss: must not be set");
        check("kind = \"regression\"\nlabel_names = \"a.csv\"\n", "tasks[0].label_names");
        check("kind = \"multi-label\"\nloss = { kind = \"class-balanced\" }\n", "cross-entropy or focal");
        check("test = [{ path = \"b.csv\", label_separator = \";\" }]\n", "tasks[0].data: has a label_separator");
        check(
            "kind = \"multi-label\"\ntest = [{ path = \"b.csv\", agreement = \"votes\" }]\n",
            "tasks[0].data: has an agreement",
        );
        check("test = [{ path = \"b.csv\", agreement = 1.5 }]\n", "tasks[0].data: has an agreement that is no share");
        check("[[tasks]]\nname = \"sentiment\"\ndata = [{ path = \"b.csv\" }]\n", "tasks[1].name");
    }
}
