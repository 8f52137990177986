//! Why a model answers as it does: how much each word of a text moves the answer, by integrated gradients.
//!
//! The path begins where the word vector of each token is that of padding, positions and special tokens as they are, and ends at
//! the text. What a word is given is the integral of the answer's slope along its own tokens' way, so that all words' attributions
//! add up to the difference between the answer and the one to padding. Whether they do is checked.

mod html;
mod integration;
mod path;
mod presentation;
mod quadrature;

use std::ops::Range;
use std::sync::Arc;

use inference::{Head, ModelDirectory, TaskKind};
use serde::Serialize;
use serde_json::Value;

use crate::engine::{Answer, Classifier, EncoderConfig, Mode, PackedBatch};
use crate::error::TrainingError;
use crate::fine_tuned::FineTuned;
pub use html::page;
use integration::integrate;
use path::Path;

/// How the words of a text move one answer of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The text, as it was read.
    pub text: String,
    /// The head that answers.
    pub head: String,
    /// What its answers are.
    pub kind: TaskKind,
    /// The label whose answer is explained.
    pub label: String,
    /// Its probability; of a regression the number.
    pub answer: f64,
    /// The same where padding stands in each word's place.
    pub baseline: f64,
    /// The words that the model reads, in their order.
    pub words: Vec<Attribution>,
    /// How many steps of the path from the baseline to the text were looked at.
    pub steps: usize,
    /// By how much the attributions' sum misses `answer - baseline`, as a share of the sum of their absolute values.
    pub completeness_error: f64,
    /// Whether that error is at most 0.01. If not, the most steps were not enough.
    pub complete: bool,
    /// Whether the text goes on beyond the last word, because it is longer than what the model takes.
    pub cut: bool,
}

/// What a word does to an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attribution {
    /// The word.
    pub word: String,
    /// Where it begins in the text, in characters.
    pub start: usize,
    /// Where it ends in the text, in characters.
    pub end: usize,
    /// By how much it raises the answer; negative for what lowers it.
    pub attribution: f64,
}

/// A model that is asked for reasons.
#[derive(Debug)]
pub struct Explainer {
    directory: ModelDirectory,
    classifier: Classifier,
    head: usize,
    /// The most probable one of each text where none is named.
    label: Option<usize>,
    padding: Vec<f32>,
}

impl Explainer {
    /// Loads a model in fp32, to explain what one head, the first if none is named, says of a label, each text's most probable if
    /// none is named.
    ///
    /// # Errors
    ///
    /// [`TrainingError::MissingHead`], [`TrainingError::MissingLabel`], [`TrainingError::OtherKind`] if the model labels words, and
    /// what is wrong with its files: `model.safetensors` is needed, which compressed models lack.
    pub fn open(directory: &ModelDirectory, head: Option<&str>, label: Option<&str>) -> Result<Self, TrainingError> {
        let heads = directory.heads();
        let (head, label) = choose(heads, head, label)?;
        let path = directory.path().to_owned();
        if directory.takes_pairs() {
            let message = "reads pairs of texts; only the answers of models that read single texts can be explained";
            return Err(TrainingError::FineTuned { path, message: message.to_owned() });
        }
        if !path.join("model.safetensors").exists() {
            let message = "has no model.safetensors, whose weights an explanation needs; compressed models have none: name the \
                           model that this one was made from";
            return Err(TrainingError::FineTuned { path, message: message.to_owned() });
        }
        let model = FineTuned { config: EncoderConfig::load(&path)?, path, heads: heads.to_vec() };
        let classifier = model.classifier()?;
        classifier.parameters().iter().for_each(|parameter| parameter.set_learning(false));
        let padding = model.config.raw.get("pad_token_id").and_then(Value::as_u64).unwrap_or(0);
        let padding = classifier.word_vector(padding as u32).ok_or_else(|| {
            let message = format!("pad_token_id is {padding}, which is no word of the model");
            TrainingError::FineTuned { path: model.path.join("config.json"), message }
        })?;
        Ok(Self { directory: directory.clone(), classifier, head, label, padding })
    }

    /// Explains what the model says of a text, which is told as the model's rules leave it.
    ///
    /// # Errors
    ///
    /// Those of the tokenizer and of the engine.
    pub fn explain(&self, text: &str) -> Result<Explanation, TrainingError> {
        let text = &self.directory.tokenizer().cleaning().tidied(text);
        let spanned = self.directory.tokenizer().encode_spans(text)?;
        let (tokens, spans) = (spanned.tokens().ids(), spanned.words());
        if tokens.is_empty() {
            let message = format!("makes no token of {text:?}; it must add the special tokens");
            return Err(TrainingError::FineTuned { path: self.directory.path().join("tokenizer.json"), message });
        }
        let label = match self.label {
            Some(label) => label,
            None => self.most_probable(tokens)?,
        };
        let head = &self.directory.heads()[self.head];
        let answer = Answer { head: self.head, kind: head.kind, label };
        let words = spans.iter().map(|span| span.tokens.clone()).collect();
        let path = Path::new(&self.classifier, tokens, words, &self.padding, answer);
        let integral = integrate(|places| path.points(places))?;
        let attributions = spans.iter().zip(&integral.attributions);
        Ok(Explanation {
            words: attributions.map(|(span, attribution)| Attribution::of(text, &span.bytes, *attribution)).collect(),
            cut: spans.last().is_some_and(|last| last.bytes.end < text.trim_end().len()),
            text: text.to_owned(),
            head: head.name.to_string(),
            kind: head.kind,
            label: head.labels[label].to_string(),
            answer: integral.to,
            baseline: integral.from,
            steps: integral.steps,
            completeness_error: integral.error,
            complete: integral.is_complete(),
        })
    }

    fn most_probable(&self, tokens: &[u32]) -> Result<usize, TrainingError> {
        let states = self.classifier.encode(&Arc::new(PackedBatch::new([tokens])), Mode::Evaluation)?;
        let logits = self.classifier.logits(&states, self.head)?.flatten_all()?.to_vec1::<f32>()?;
        let best = logits.iter().enumerate().max_by(|(_, left), (_, right)| left.total_cmp(right));
        Ok(best.map_or(0, |(label, _)| label))
    }
}

impl Attribution {
    fn of(text: &str, bytes: &Range<usize>, attribution: f64) -> Self {
        let word = &text[bytes.clone()];
        let start = text[..bytes.start].chars().count();
        Self { word: word.to_owned(), start, end: start + word.chars().count(), attribution }
    }
}

/// The indices of a head and of its label.
fn choose(heads: &[Head], head: Option<&str>, label: Option<&str>) -> Result<(usize, Option<usize>), TrainingError> {
    let missing = |head: &str| TrainingError::MissingHead {
        wanted: head.to_owned(),
        found: heads.iter().map(|head| head.name.to_string()).collect(),
    };
    let index = match head {
        Some(name) => heads.iter().position(|head| &*head.name == name).ok_or_else(|| missing(name))?,
        None => 0,
    };
    let head = heads.get(index).ok_or_else(|| missing(""))?;
    if head.kind == TaskKind::Tokens {
        return Err(TrainingError::OtherKind {
            head: head.name.to_string(),
            kind: head.kind,
            message: "only what is said of a text as a whole can be explained; name a model that labels texts"
                .to_owned(),
        });
    }
    let position = |name: &str| {
        head.position(name).ok_or_else(|| TrainingError::MissingLabel {
            head: head.name.to_string(),
            wanted: name.to_owned(),
            found: head.labels.iter().map(|label| label.to_string()).collect(),
        })
    };
    Ok((index, label.map(position).transpose()?))
}

#[cfg(test)]
mod tests;
