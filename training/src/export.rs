//! From trained weights to the model that is served: our own ONNX writer, and the proof that it changed nothing.
//!
//! A staging directory holds `config.json`, `tokenizer.json` and `model.safetensors` in Hugging Face naming. [`export`]
//! writes `model.onnx` beside them; [`check_parity`] runs it in every back end against the trainer's logits.

mod bert;
mod graph;
mod parity;
mod weights;

use std::path::{Path, PathBuf};

use foundation::{Failure, FailureKind};
use inference::InferenceError;

pub use bert::{EncoderConfig, Pooling};
pub use parity::{BackendParity, PARITY_LIMIT, ParityReport, check_parity};

/// Why a model could not be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file cannot be read or written.
    #[error("cannot access {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// `config.json` does not describe a BERT encoder with a classifier.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// The weights file is no safetensors file.
    #[error("{} is not a whole safetensors file: train again, or copy it again", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// A weight is missing or has another shape than `config.json` gives it.
    #[error("{}: {message}", path.display())]
    Weight {
        /// The weights file.
        path: PathBuf,
        /// Which weight, and what is wrong with it.
        message: String,
    },
    /// The exported model cannot be loaded or run.
    #[error("the exported model does not run")]
    Inference(#[from] InferenceError),
    /// A back end computes something else than the trainer.
    #[error(
        "{backend} differs from the trainer by {max_abs_delta:e} in a logit, more than {limit:e}: \
         the export is refused, and the model is not published"
    )]
    Parity {
        /// The back end.
        backend: &'static str,
        /// The largest difference.
        max_abs_delta: f32,
        /// What was allowed.
        limit: f32,
    },
    /// The reference logits do not belong to the texts.
    #[error("reference logits of shape {found:?} do not belong to {texts} texts and {labels} labels")]
    Reference {
        /// Their shape.
        found: Vec<usize>,
        /// The number of texts.
        texts: usize,
        /// The number of labels.
        labels: usize,
    },
}

impl Failure for ExportError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Io { .. } => FailureKind::Unavailable,
            Self::Config { .. } => FailureKind::Configuration,
            Self::Safetensors { .. } | Self::Weight { .. } | Self::Parity { .. } => FailureKind::Corrupt,
            Self::Reference { .. } => FailureKind::Internal,
            Self::Inference(error) => error.kind(),
        }
    }
}

/// Writes `model.onnx` from `model.safetensors` and `config.json` of a staging directory.
pub fn export(staging: &Path) -> Result<(), ExportError> {
    let config = EncoderConfig::read(&staging.join("config.json"))?;
    let weights = weights::Weights::read(&staging.join("model.safetensors"))?;
    let model = bert::build(&config, &weights)?;
    let path = staging.join("model.onnx");
    model.write(&path).map_err(|source| ExportError::Io { path, source })
}

#[cfg(test)]
mod tests;
