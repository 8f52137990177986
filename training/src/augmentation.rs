//! Texts changed so that their labels still hold: more to learn from, and a test of what a model leans on.
//!
//! ```text
//! texts ── Augmenter ──► as many texts
//! ```
//!
//! A run's file names methods as `[[augmentation]]`. Those that only move letters and words are drawn afresh each time that a row is
//! learned, by seed and step; those that ask a model or a command ([`AugmentationKind::is_costly`]) make further rows once, before
//! the first step. Only training rows are changed. [`augment()`] writes changed rows down; the robustness figures of
//! [`crate::evaluation`] use the same methods.

mod back_translation;
mod case;
mod deletion;
mod keyboard;
mod masked;
mod neighbours;
mod punctuation;
mod rows;
mod spacing;
mod swap;
mod synonyms;
mod typos;
mod vocabulary;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::directory::{file_digest, model_digest};
use crate::error::TrainingError;
use crate::random::Random;
use crate::run::TaskKind;

pub(crate) use case::{Case, Letters};
pub(crate) use deletion::Deletion;
pub(crate) use punctuation::Punctuation;
pub(crate) use rows::further;
pub use rows::{AugmentRequest, augment};
pub(crate) use spacing::Spacing;
pub(crate) use swap::Swap;
pub(crate) use typos::Typos;
pub(crate) use words::WordChange;

/// The share of words that is changed where a file does not tell: α of "EDA".
const DEFAULT_RATE: f64 = 0.1;

/// What a task of words says to a method that does not suit it.
pub(crate) const MOVES_WORDS: &str = "must be synonyms, typos, case or punctuation where words have tags: the others move words or \
                                      put words of another kind in their place";

/// One way to change training rows, as a run names it.
///
/// ```toml
/// [[augmentation]]
/// kind = "typos"
/// rate = 0.05            # of the words
/// share = 0.3            # of the rows
///
/// [[augmentation]]
/// kind = "synonyms"
/// file = "synonyms.txt"  # a line for words that mean the same: `rise, climb, gain`
///
/// [[augmentation]]
/// kind = "masked"        # asks the run's base, which `pulsewire adapt` must have adapted, or `model`
///
/// [[augmentation]]
/// kind = "back-translation"
/// command = ["./translate.sh"]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// The method.
    pub kind: AugmentationKind,
    /// The share of a text's words that is changed; 0.1 where it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How many rows are changed: each time that a row is learned, with this probability; of costly methods, the share of rows that
    /// give a further one.
    #[serde(default = "default_share")]
    pub share: f64,
    /// Of `synonyms`: the file. A line has words that mean the same, with commas between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Of `masked`: the directory of the model that guesses; the run's base where it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// Of `back-translation`: a program and its arguments. It reads texts, one a line, and writes as many lines. A program with a
    /// slash in it is taken from the file's directory. It must answer the same texts alike, or a run that was interrupted goes on
    /// with other rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

fn default_share() -> f64 {
    0.5
}

/// A method of augmentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AugmentationKind {
    /// Words change places.
    Swap,
    /// Words go.
    Deletion,
    /// Words become others that a file says mean the same.
    Synonyms,
    /// Words become others whose vectors in the base encoder are near.
    Neighbours,
    /// Words are misspelled.
    Typos,
    /// Words in other letters: upper case, lower case, a capital.
    Case,
    /// Marks at the end of words go or come.
    Punctuation,
    /// Words are run together or broken.
    Spacing,
    /// Words become others that a masked language model guesses.
    Masked,
    /// A command says the text in other words.
    BackTranslation,
}

/// A way to change texts.
pub(crate) trait Augmenter: fmt::Debug + Send + Sync {
    /// As many texts, each changed or as it was.
    fn augment(&self, texts: &[&str], random: &mut Random) -> Result<Vec<String>, TrainingError>;
}

impl Augmentation {
    /// A method with every default.
    pub fn new(kind: AugmentationKind) -> Self {
        Self { kind, rate: None, share: default_share(), file: None, model: None, command: Vec::new() }
    }

    /// What does it, over a base encoder. Files are read here.
    pub(crate) fn build(&self, base: &Path) -> Result<Box<dyn Augmenter>, TrainingError> {
        let rate = self.rate.unwrap_or(DEFAULT_RATE);
        Ok(match self.kind {
            AugmentationKind::Swap => Box::new(Swap { rate }),
            AugmentationKind::Deletion => Box::new(Deletion { rate }),
            AugmentationKind::Synonyms => {
                Box::new(synonyms::Synonyms::load(self.file.as_deref().unwrap_or(Path::new("")), rate)?)
            }
            AugmentationKind::Neighbours => Box::new(neighbours::Neighbours::load(base, rate)?),
            AugmentationKind::Typos => Box::new(Typos { rate }),
            AugmentationKind::Case => Box::new(Case { rate, letters: None }),
            AugmentationKind::Punctuation => Box::new(Punctuation { rate }),
            AugmentationKind::Spacing => Box::new(Spacing { rate }),
            AugmentationKind::Masked => {
                Box::new(masked::MaskedWords::load(self.model.as_deref().unwrap_or(base), rate)?)
            }
            AugmentationKind::BackTranslation => {
                Box::new(back_translation::BackTranslation { command: self.command.clone() })
            }
        })
    }

    /// What is wrong with its values: a key, and what it must be.
    pub(crate) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let is = |kind| self.kind == kind;
        let in_range = |share: f64| share > 0.0 && share <= 1.0;
        let checks = [
            ("rate", self.rate.is_none_or(in_range), "must be above 0 and at most 1"),
            (
                "rate",
                self.rate.is_none() || !is(AugmentationKind::BackTranslation),
                "must not be set: a command says whole texts in other words",
            ),
            ("share", in_range(self.share), "must be above 0 and at most 1"),
            ("file", self.file.is_some() == is(AugmentationKind::Synonyms), "belongs to \"synonyms\", which needs it"),
            ("model", self.model.is_none() || is(AugmentationKind::Masked), "belongs to \"masked\""),
            (
                "command",
                self.command.is_empty() != is(AugmentationKind::BackTranslation),
                "belongs to \"back-translation\", which needs it",
            ),
        ];
        checks.into_iter().find(|(_, holds, _)| !holds).map(|(key, _, message)| (key, message))
    }

    /// Takes relative paths from `directory`.
    pub(crate) fn resolve_paths(&mut self, directory: &Path) {
        self.file.iter_mut().chain(&mut self.model).for_each(|path| *path = directory.join(&*path));
        let program = self.command.first_mut().filter(|program| program.contains('/'));
        program.into_iter().for_each(|program| *program = directory.join(&*program).to_string_lossy().into_owned());
    }

    /// The same with digests of what lies there in the place of paths: what decides a run.
    pub(crate) fn by_content(&self) -> Result<Self, TrainingError> {
        let mut own = self.clone();
        own.file.iter_mut().try_for_each(|path| file_digest(path).map(|digest| *path = digest.into()))?;
        own.model.iter_mut().try_for_each(|path| model_digest(path).map(|digest| *path = digest.into()))?;
        Ok(own)
    }
}

impl AugmentationKind {
    /// Whether it makes further rows once rather than being drawn at each step.
    pub fn is_costly(self) -> bool {
        matches!(self, Self::Masked | Self::BackTranslation)
    }

    /// Whether rows of a task's kind keep their labels: tags stand for words, which must neither move nor become others.
    pub(crate) fn suits(self, kind: TaskKind) -> bool {
        match kind {
            TaskKind::SingleLabel | TaskKind::MultiLabel | TaskKind::Regression => true,
            TaskKind::Tokens => matches!(self, Self::Synonyms | Self::Typos | Self::Case | Self::Punctuation),
        }
    }
}

#[cfg(test)]
mod tests;
