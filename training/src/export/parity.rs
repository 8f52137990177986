//! The proof that what is served is what was trained.

use std::path::Path;

use inference::backend::{self, BackendChoice, BackendConfig};
use inference::{EncoderModel, InferenceError, ModelDirectory, WordTagger};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::dataset::tagged::words;
use crate::export::ExportError;

/// The largest difference of a logit that an export may have in f32.
pub const PARITY_LIMIT: f32 = 1e-4;

/// How far one back end is from the trainer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackendParity {
    /// The back end.
    pub backend: String,
    /// The largest difference of a logit.
    pub max_abs_delta: f32,
}

/// How far the back ends are from the trainer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParityReport {
    /// Texts that were compared.
    pub texts: usize,
    /// What was allowed.
    pub limit: f32,
    /// One for each back end that could run.
    pub backends: Vec<BackendParity>,
}

/// Runs the exported model of a staging directory on `texts` in tract and, where its library is present, in ONNX Runtime.
///
/// `reference` gives the trainer's logits, one row a text or a word that the model sees; a difference beyond [`PARITY_LIMIT`] is an error.
pub fn check_parity(
    staging: &Path,
    reference: &dyn Fn(&[&str]) -> Array2<f32>,
    texts: &[&str],
) -> Result<ParityReport, ExportError> {
    let directory = ModelDirectory::open(staging)?;
    let expected = reference(texts);
    let labels = directory.heads().iter().map(|head| head.labels.len()).sum();
    let foreign = || ExportError::Reference { found: expected.shape().to_vec(), texts: texts.len(), labels };
    if expected.ncols() != labels || (!directory.labels_words() && expected.nrows() != texts.len()) {
        return Err(foreign());
    }
    let mut report = ParityReport { texts: texts.len(), limit: PARITY_LIMIT, backends: Vec::new() };
    for (backend, logits) in logits_of_each_backend(&directory, texts)? {
        if logits.dim() != expected.dim() {
            return Err(foreign());
        }
        let max_abs_delta = max_abs_delta(&logits, &expected);
        if max_abs_delta > PARITY_LIMIT {
            return Err(ExportError::Parity { backend, max_abs_delta, limit: PARITY_LIMIT });
        }
        tracing::info!(backend, max_abs_delta, texts = texts.len(), "export checked against the trainer");
        report.backends.push(BackendParity { backend: backend.to_owned(), max_abs_delta });
    }
    Ok(report)
}

/// The logits of the texts, or of the words of all texts, in tract and, where its library is present, in ONNX Runtime before it.
pub(super) fn logits_of_each_backend(
    directory: &ModelDirectory,
    texts: &[&str],
) -> Result<Vec<(&'static str, Array2<f32>)>, ExportError> {
    let mut logits = Vec::with_capacity(2);
    for choice in [BackendChoice::Ort, BackendChoice::Tract] {
        let config = BackendConfig { backend: choice, ..BackendConfig::default() };
        match logits_in(directory, &config, texts) {
            Err(error @ InferenceError::NoOnnxRuntime(_)) => {
                tracing::warn!(%error, "the export is not checked in ONNX Runtime");
            }
            other => logits.push(other?),
        }
    }
    Ok(logits)
}

/// The logits of the texts, or of the words of all texts that the model sees, in one back end, with its name.
pub fn logits_in(
    directory: &ModelDirectory,
    config: &BackendConfig,
    texts: &[&str],
) -> Result<(&'static str, Array2<f32>), InferenceError> {
    let backend = backend::load(directory, config)?;
    let name = backend.name();
    if directory.labels_words() {
        let texts: Vec<Vec<&str>> = texts.iter().map(|text| words(text)).collect();
        return Ok((name, WordTagger::with_backend(directory, backend)?.logits(&texts)?));
    }
    Ok((name, EncoderModel::with_backend(directory, "", backend)?.logits(texts)?))
}

/// The largest difference of two logits; a NaN is no small one.
pub(super) fn max_abs_delta(own: &Array2<f32>, expected: &Array2<f32>) -> f32 {
    let deltas = own.iter().zip(expected).map(|(own, expected)| (own - expected).abs());
    deltas.fold(0.0, |highest: f32, delta| if delta.is_nan() { f32::INFINITY } else { highest.max(delta) })
}
