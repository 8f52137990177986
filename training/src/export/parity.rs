//! The proof that what is served is what was trained.

use std::path::Path;

use inference::backend::{self, BackendChoice, BackendConfig};
use inference::{EncoderModel, Head, InferenceError, ModelDirectory, TaskKind, TokenBatch, Tokens, WordTagger};
use ndarray::{Array1, Array2, ArrayView1, Axis};
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
    /// The largest difference of a logit; that of a number is a share of the numbers' size.
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
/// `reference` gives the trainer's logits, one row a text or a word that the model sees; a difference beyond [`PARITY_LIMIT`],
/// which for numbers is a share of their size, is an error. The texts are those of training, cleaned already.
pub fn check_parity(
    staging: &Path,
    reference: &dyn Fn(&[&str]) -> Array2<f32>,
    texts: &[&str],
) -> Result<ParityReport, ExportError> {
    let directory = ModelDirectory::open_for_cleaned_texts(staging)?;
    let expected = reference(texts);
    let labels = directory.heads().iter().map(|head| head.labels.len()).sum();
    let foreign = || ExportError::Reference { found: expected.shape().to_vec(), texts: texts.len(), labels };
    if expected.ncols() != labels || (!directory.labels_words() && expected.nrows() != texts.len()) {
        return Err(foreign());
    }
    let mut report = ParityReport { texts: texts.len(), limit: PARITY_LIMIT, backends: Vec::new() };
    let sizes = sizes(directory.heads(), &expected);
    for (backend, logits) in logits_of_each_backend(&directory, texts)? {
        if logits.dim() != expected.dim() {
            return Err(foreign());
        }
        let max_abs_delta = max_abs_delta(&(logits / &sizes), &(&expected / &sizes));
        if max_abs_delta > PARITY_LIMIT {
            return Err(ExportError::Parity { backend, max_abs_delta, limit: PARITY_LIMIT });
        }
        tracing::info!(backend, max_abs_delta, texts = texts.len(), "export checked against the trainer");
        report.backends.push(BackendParity { backend: backend.to_owned(), max_abs_delta });
    }
    Ok(report)
}

/// Runs the exported model of a language model's directory on texts in tract and, where its library is present, in ONNX Runtime.
/// `expected` are the trainer's logits after each token of each text.
pub(crate) fn check_decoder(
    directory: &Path,
    texts: &[Tokens],
    expected: &Array2<f32>,
) -> Result<ParityReport, ExportError> {
    let directory = ModelDirectory::open_language_model(directory)?;
    let batch = TokenBatch::new(&texts.iter().collect::<Vec<_>>());
    let width = batch.width();
    let rows: Vec<usize> =
        texts.iter().enumerate().flat_map(|(row, text)| row * width..row * width + text.len()).collect();
    check_rows(&directory, &batch, &rows, texts.len(), expected)
}

/// The same for an encoder's directory; `expected` are the trainer's vectors, one row a text.
pub(crate) fn check_encoder(
    directory: &Path,
    texts: &[&Tokens],
    expected: &Array2<f32>,
) -> Result<ParityReport, ExportError> {
    let directory = ModelDirectory::open_encoder(directory)?;
    let rows: Vec<usize> = (0..texts.len()).collect();
    check_rows(&directory, &TokenBatch::new(texts), &rows, texts.len(), expected)
}

/// Compares these rows of what each back end answers.
fn check_rows(
    directory: &ModelDirectory,
    batch: &TokenBatch,
    rows: &[usize],
    texts: usize,
    expected: &Array2<f32>,
) -> Result<ParityReport, ExportError> {
    let mut report = ParityReport { texts, limit: PARITY_LIMIT, backends: Vec::new() };
    for choice in [BackendChoice::Ort, BackendChoice::Tract] {
        let config = BackendConfig { backend: choice, ..BackendConfig::default() };
        let mut backend = match backend::load(directory, &config) {
            Err(error @ InferenceError::NoOnnxRuntime(_)) => {
                tracing::warn!(%error, "the export is not checked in ONNX Runtime");
                continue;
            }
            loaded => loaded?,
        };
        let max_abs_delta = max_abs_delta(&backend.run(batch)?.select(Axis(0), rows), expected);
        if max_abs_delta > PARITY_LIMIT {
            return Err(ExportError::Parity { backend: backend.name(), max_abs_delta, limit: PARITY_LIMIT });
        }
        report.backends.push(BackendParity { backend: backend.name().to_owned(), max_abs_delta });
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

/// What a column's differences are measured by: one for logits of labels. Numbers are in a unit of their own, and f32 keeps but
/// seven of their digits: they are measured by the distance of the largest from the smallest or, where they are all alike, by a
/// hundredth of the largest.
pub(super) fn sizes(heads: &[Head], expected: &Array2<f32>) -> Array1<f32> {
    let kinds = heads.iter().flat_map(|head| std::iter::repeat_n(head.kind, head.labels.len()));
    let size = |(kind, column): (TaskKind, ArrayView1<'_, f32>)| match kind {
        TaskKind::SingleLabel | TaskKind::MultiLabel | TaskKind::Tokens => 1.0,
        TaskKind::Regression => {
            let of = |start: f32, choose: fn(f32, f32) -> f32| column.iter().copied().fold(start, choose);
            let (lowest, highest) = (of(f32::INFINITY, f32::min), of(f32::NEG_INFINITY, f32::max));
            (highest - lowest).max(lowest.abs().max(highest.abs()) / 100.0).max(f32::MIN_POSITIVE)
        }
    };
    kinds.zip(expected.columns()).map(size).collect()
}

/// The largest difference of two logits; a NaN is no small one.
pub(crate) fn max_abs_delta(own: &Array2<f32>, expected: &Array2<f32>) -> f32 {
    let deltas = own.iter().zip(expected).map(|(own, expected)| (own - expected).abs());
    deltas.fold(0.0, |highest: f32, delta| if delta.is_nan() { f32::INFINITY } else { highest.max(delta) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_measured_by_their_size() {
        let number = |name: &str| Head::new(name, [name]).of_kind(TaskKind::Regression);
        let heads = [Head::new("tone", ["down", "up"]), number("price"), number("year")];
        let expected = ndarray::array![[90.0, -1.0, -300.0, 2000.0], [0.0, 0.0, 700.0, 2000.0]];
        assert_eq!(sizes(&heads, &expected), ndarray::array![1.0, 1.0, 1000.0, 20.0]);
    }
}
