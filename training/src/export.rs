//! From trained weights to the model that is served: our own ONNX writer, and the proof that it changed nothing.
//!
//! A staging directory holds `config.json`, `tokenizer.json` and `model.safetensors` in Hugging Face naming. [`export`]
//! writes `model.onnx` beside them; [`check_parity`] runs it in every back end against the trainer's logits. [`compress`]
//! writes a smaller one from it into another directory, which [`check_agreement`] holds against the first.

mod adapter;
mod agreement;
mod bert;
mod calibration;
mod card;
mod decoder;
mod graph;
mod identity;
mod linear;
mod parity;
mod precision;
mod quantization;
mod table;
mod weights;

use std::path::{Path, PathBuf};

use foundation::{Failure, FailureKind};
use inference::InferenceError;

use crate::engine::DecoderConfig;

pub use agreement::{AgreementReport, Difference, HeadAgreement, check_agreement};
pub use bert::EncoderConfig;
pub use calibration::{Calibration, MINIMUM_TEXTS, RangeMethod};
pub use card::{AccuracyCost, CARD_VERSION, CalibrationCard, ExportCard};
pub use identity::Identity;
pub use parity::{BackendParity, PARITY_LIMIT, ParityReport, check_parity, logits_in};
pub(crate) use parity::{check_decoder, check_encoder, max_abs_delta};
pub use precision::{Form, Precision};

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
    /// A compressed model calls too many texts something else.
    #[error(
        "{precision} in {backend} gives head {head:?} the label of the fp32 model on {:.1} % of {texts} texts, fewer than \
         {:.1} %: the export is refused; calibrate on more texts like those to score, or take int8-dynamic or fp16",
        share * 100.0,
        least * 100.0
    )]
    Disagreement {
        /// What the weights are stored in.
        precision: Precision,
        /// The back end.
        backend: &'static str,
        /// The head.
        head: String,
        /// The share of texts on which the labels are equal.
        share: f64,
        /// The share that is asked for.
        least: f64,
        /// The texts compared.
        texts: usize,
    },
    /// The back ends disagree about a compressed model.
    #[error(
        "ONNX Runtime and tract differ by {mean:e} in the mean of the {precision} model's logits, more than {limit:e}: \
         the export is refused; take fp32 or fp16"
    )]
    BackendsDiffer {
        /// What the weights are stored in.
        precision: Precision,
        /// The mean difference.
        mean: f32,
        /// What was allowed.
        limit: f32,
    },
    /// The export has other labels or another tokenizer than the model that it was made from.
    #[error(
        "the {what} of {} are not those of {}: the export is refused, export again from an unchanged model",
        copy.display(),
        source_model.display()
    )]
    OtherIdentity {
        /// Labels or tokenizer.
        what: &'static str,
        /// The export.
        copy: PathBuf,
        /// The model that it was made from.
        source_model: PathBuf,
    },
    /// There are too few texts to take ranges from or to compare models on.
    #[error("{found} texts are too few to calibrate on: at least {needed} are needed, some hundreds are better")]
    FewTexts {
        /// The texts there are.
        found: usize,
        /// What is needed.
        needed: usize,
    },
    /// A layer takes a value whose range was not measured.
    #[error("the calibration knows no range of {value}: it was made on a model of another shape, calibrate again")]
    NotCalibrated {
        /// The value's name in the graph.
        value: String,
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
            Self::Safetensors { .. }
            | Self::Weight { .. }
            | Self::Parity { .. }
            | Self::Disagreement { .. }
            | Self::BackendsDiffer { .. }
            | Self::OtherIdentity { .. } => FailureKind::Corrupt,
            Self::FewTexts { .. } => FailureKind::Input,
            Self::Reference { .. } | Self::NotCalibrated { .. } => FailureKind::Internal,
            Self::Inference(error) => error.kind(),
        }
    }
}

/// Writes `model.onnx` from `model.safetensors` and `config.json` of a staging directory.
pub fn export(staging: &Path) -> Result<(), ExportError> {
    compress(staging, staging, &Form::Fp32)
}

/// Writes `model.onnx` into `target`, in this form, from `model.safetensors` and `config.json` of `source`.
pub fn compress(source: &Path, target: &Path, form: &Form) -> Result<(), ExportError> {
    let config = EncoderConfig::read(&source.join("config.json"))?;
    let weights = weights::Weights::read(&source.join("model.safetensors"))?;
    let model = bert::build(&config, &weights, form)?;
    let path = target.join("model.onnx");
    model.write(&path).map_err(|source| ExportError::Io { path, source })
}

/// Writes `model.onnx` from `model.safetensors` and `config.json` of an encoder's directory.
pub(crate) fn export_encoder(directory: &Path) -> Result<(), ExportError> {
    let config = EncoderConfig::read_encoder(&directory.join("config.json"))?;
    let weights = weights::Weights::read(&directory.join("model.safetensors"))?;
    let path = directory.join("model.onnx");
    bert::build(&config, &weights, &Form::Fp32)?.write(&path).map_err(|source| ExportError::Io { path, source })
}

/// Writes `model.onnx` from `model.safetensors` of a language model's directory.
pub(crate) fn export_decoder(config: &DecoderConfig, directory: &Path) -> Result<(), ExportError> {
    let weights = weights::Weights::read(&directory.join("model.safetensors"))?;
    let path = directory.join("model.onnx");
    decoder::build(config, &weights)?.write(&path).map_err(|source| ExportError::Io { path, source })
}

#[cfg(test)]
mod compression_tests;
#[cfg(test)]
mod tests;
