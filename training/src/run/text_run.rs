//! Runs that learn from texts by themselves, or from pairs of texts, in one TOML file each.

use std::path::{Path, PathBuf};

use foundation::configuration::{ConfigurationError, parse_toml};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::default_seed;
use crate::error::TrainingError;
use crate::source::DataSource;

/// What is learned from texts that have no labels, and how: an encoder's adaptation, a language model or a ranking, by its
/// settings.
///
/// ```toml
/// base = "./encoder"
/// seed = 3
/// data = [{ path = "faqs.csv", text = "question", text_pair = "reply" }]
///
/// [hyperparameters]
/// epochs = 2
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRun<S> {
    /// The directory of the model to start from. Where it is not set, an encoder is the one that `pulsewire setup` fetched, and a
    /// language model a new one.
    #[serde(default)]
    pub base: Option<PathBuf>,
    /// The files, queries and topics of texts; of a ranking, of queries as `text` and an answer that is right for each as
    /// `text_pair`.
    pub data: Vec<DataSource>,
    /// Decides the order of texts, dropout and whatever else is drawn.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// How it is learned.
    #[serde(default, rename = "hyperparameters")]
    pub settings: S,
}

/// How something is learned without labels.
pub trait TextSettings: Default + DeserializeOwned {
    /// Whether every value makes sense.
    ///
    /// # Errors
    ///
    /// The first key whose value does not, and what it must be.
    fn validate(&self) -> Result<(), ConfigurationError>;
}

impl<S: Default> TextRun<S> {
    /// These texts with every default.
    pub fn new(data: Vec<DataSource>) -> Self {
        Self { base: None, data, seed: default_seed(), settings: S::default() }
    }
}

impl<S: TextSettings> TextRun<S> {
    /// Reads a run's file. Relative paths in it are taken from the file's directory.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, has an unknown key or a value that makes no sense, each with its place, and one without texts.
    pub fn load(path: &Path) -> Result<Self, TrainingError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigurationError::Unreadable { path: path.to_owned(), source })?;
        let mut run: Self = parse_toml(&text, path)?;
        run.validate().map_err(|error| error.of_file(path))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let files = run.data.iter_mut().map(|source| &mut source.path).filter(|path| !path.as_os_str().is_empty());
        files.chain(&mut run.base).for_each(|path| *path = directory.join(&*path));
        Ok(run)
    }

    /// Whether every value makes sense; with what flags have changed, again when it begins.
    fn validate(&self) -> Result<(), ConfigurationError> {
        if self.data.is_empty() {
            return Err(ConfigurationError::invalid("data", "must name a file, a query or a topic of texts"));
        }
        self.settings.validate().map_err(|error| error.within("hyperparameters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdaptationSettings, PairTask, RankingSettings};

    fn load<S: TextSettings>(text: &str) -> Result<TextRun<S>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.toml");
        std::fs::write(&path, text).unwrap();
        TextRun::load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_says_what_differs_from_the_defaults_and_where_things_are() {
        let pairs = "data = [{ path = \"faqs.csv\", text_pair = \"reply\" }, { topic = \"solved\" }]\n";
        let run = load::<RankingSettings>(&format!("{pairs}[hyperparameters]\ntemperature = 0.1\n")).unwrap();
        assert_eq!(run.settings, RankingSettings { temperature: 0.1, ..RankingSettings::default() });
        assert_eq!((run.base, run.seed), (None, 17));
        assert!(run.data[0].path.is_absolute() && run.data[0].path.ends_with("faqs.csv"));
        assert!(run.data[1].path.as_os_str().is_empty());

        let text =
            "base = \"encoder\"\nseed = 3\ndata = [{ path = \"a.csv\" }]\n[hyperparameters]\npairs = \"order\"\n";
        let run = load::<AdaptationSettings>(text).unwrap();
        assert!(run.base.is_some_and(|base| base.is_absolute() && base.ends_with("encoder")));
        assert_eq!((run.seed, run.settings.pairs), (3, Some(PairTask::Order)));
    }

    #[test]
    fn wrong_files_are_refused_with_the_place() {
        let refusal = |text: &str| load::<RankingSettings>(text).unwrap_err();
        assert!(refusal("data = []\n").contains("data: must name a file"));
        assert!(refusal("seed = 1\n").contains("`data`"));
        let message = refusal("data = [{ path = \"a.csv\" }]\n[hyperparameters]\nheat = 1.0\n");
        assert!(message.contains(":3:1: ") && message.contains("heat"), "{message}");
        let message = refusal("data = [{ path = \"a.csv\" }]\n[hyperparameters]\ntemperature = 11.0\n");
        assert!(message.contains("run.toml: hyperparameters.temperature: must be above 0"), "{message}");
    }
}
