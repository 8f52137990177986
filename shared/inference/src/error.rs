//! Everything that can go wrong between a model directory and its scores.

use std::path::PathBuf;
use std::sync::Arc;

use foundation::parts::PartsError;
use foundation::{Failure, FailureKind};

/// Why a model cannot be loaded or a text cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferenceError {
    /// A file that a model directory must have is not there.
    #[error("{} has no {file}: {mend}", directory.display())]
    MissingFile {
        /// The model directory.
        directory: PathBuf,
        /// The file's name in it.
        file: &'static str,
        /// What would bring it there.
        mend: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// `config.json` is not JSON, or its values do not describe a classifier.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// `tokenizer.json` is not one that the `tokenizers` library reads.
    #[error("{} is not a readable tokenizer: save it again with `tokenizer.save(\"tokenizer.json\")`", path.display())]
    TokenizerFile {
        /// The file.
        path: PathBuf,
        /// What the library said.
        #[source]
        source: tokenizers::Error,
    },
    /// The tokenizer refused a text.
    #[error("cannot tokenise a text of {bytes} bytes")]
    Tokenise {
        /// The text's length.
        bytes: usize,
        /// What the library said.
        #[source]
        source: tokenizers::Error,
    },
    /// The ONNX file is cut short or is no ONNX file at all.
    #[error("{} is not a whole ONNX model ({reason}): copy it again, or export it again with `pulsewire export`", path.display())]
    OnnxUnreadable {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The ONNX file holds a model, but not a text classifier of the expected shape.
    #[error("{} does not fit: {reason}", path.display())]
    OnnxForeign {
        /// The file.
        path: PathBuf,
        /// What does not fit and what would mend it.
        reason: String,
    },
    /// `ort` was asked for, but its library is not there.
    #[error("the ort back end has no library to run on; `backend = \"tract\"` needs none")]
    NoOnnxRuntime(#[source] PartsError),
    /// The library is there but cannot be used.
    #[error("{} cannot be loaded as ONNX Runtime: run `pulsewire setup`, or use `backend = \"tract\"`", path.display())]
    OnnxRuntimeUnusable {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A back end refused the model.
    #[error("{backend} cannot load {}", path.display())]
    Load {
        /// The back end.
        backend: &'static str,
        /// The ONNX file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A back end failed on a batch.
    #[error("{backend} failed on a batch of {rows} texts, {width} tokens wide")]
    Run {
        /// The back end.
        backend: &'static str,
        /// Rows in the batch.
        rows: usize,
        /// Tokens of its longest row.
        width: usize,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A back end returned something else than one row of logits for each text.
    #[error("{backend} returned logits of shape {found:?} where [{rows}, {labels}] belongs")]
    LogitsShape {
        /// The back end.
        backend: &'static str,
        /// The shape that came back.
        found: Vec<usize>,
        /// Rows in the batch.
        rows: usize,
        /// Labels of all heads.
        labels: usize,
    },
    /// A back end returned a NaN or an infinity.
    #[error("{backend} returned a logit that is not finite for row {row} of a batch: the model's weights are damaged")]
    NotFinite {
        /// The back end.
        backend: &'static str,
        /// The row in the batch.
        row: usize,
    },
    /// A model that labels words was to score texts.
    #[error("the model in {} labels the words of texts, not texts: `pulsewire evaluate` measures it, nothing serves it", directory.display())]
    LabelsWords {
        /// The model directory.
        directory: PathBuf,
    },
    /// A model of pairs was to score a text that is none.
    #[error(
        "the model reads pairs of texts, and there is one text alone: `pulsewire evaluate --text-pair COLUMN` measures it"
    )]
    NoPair,
    /// A model of pairs was to be served.
    #[error("the model in {} reads pairs of texts, and a feed has single ones: `pulsewire evaluate --text-pair COLUMN` measures it, nothing serves it", directory.display())]
    TakesPairs {
        /// The model directory.
        directory: PathBuf,
    },
    /// A model that labels texts was to label words.
    #[error("the model in {} labels texts, not their words: train one with `kind = \"tokens\"`", directory.display())]
    LabelsTexts {
        /// The model directory.
        directory: PathBuf,
    },
    /// A model without a tokenizer was given tokens.
    #[error("a batch of {rows} tokenised texts went to a model that has no tokenizer")]
    NotTokenised {
        /// Rows in the batch.
        rows: usize,
    },
    /// A model returned another number of scores than it got texts.
    #[error("the model returned {found} scores for {expected} texts")]
    ScoreCount {
        /// Texts in the batch.
        expected: usize,
        /// Scores that came back.
        found: usize,
    },
    /// The batch that a caller's texts were in failed; every caller in it gets the same cause.
    #[error("a batch could not be scored")]
    Batch(#[source] Arc<InferenceError>),
    /// The engine's thread ended, in a panic or because it was shut down.
    #[error("the inference engine has stopped: {reason}")]
    Stopped {
        /// What ended it.
        reason: Arc<str>,
    },
    /// A thread could not be started.
    #[error("cannot start the thread {name}")]
    Thread {
        /// The thread's name.
        name: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A setting is outside its range.
    #[error("{key}: {message}")]
    Setting {
        /// The key.
        key: &'static str,
        /// What is wrong and what would mend it.
        message: String,
    },
}

impl Failure for InferenceError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::MissingFile { .. }
            | Self::Config { .. }
            | Self::OnnxForeign { .. }
            | Self::NoOnnxRuntime(_)
            | Self::OnnxRuntimeUnusable { .. }
            | Self::LabelsWords { .. }
            | Self::LabelsTexts { .. }
            | Self::TakesPairs { .. }
            | Self::Setting { .. } => FailureKind::Configuration,
            Self::TokenizerFile { .. } | Self::OnnxUnreadable { .. } | Self::Load { .. } | Self::NotFinite { .. } => {
                FailureKind::Corrupt
            }
            Self::Tokenise { .. } | Self::NoPair => FailureKind::Input,
            Self::Unreadable { .. } => FailureKind::Unavailable,
            Self::Batch(cause) => cause.kind(),
            Self::Run { .. }
            | Self::LogitsShape { .. }
            | Self::NotTokenised { .. }
            | Self::ScoreCount { .. }
            | Self::Stopped { .. }
            | Self::Thread { .. } => FailureKind::Internal,
        }
    }
}
