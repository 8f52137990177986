//! A language model as ONNX, checked on texts that it writes.

use std::path::Path;
use std::sync::Arc;

use inference::Tokens;
use ndarray::Array2;

use super::{Decoding, LanguageModel};
use crate::engine::{DecoderConfig, PackedBatch};
use crate::error::TrainingError;
use crate::export::{ParityReport, check_decoder, export_decoder};

/// Texts that the back ends are compared on.
const TEXTS: usize = 8;

/// Writes `model.onnx` into the directory of a language model: `logits`, `[batch, sequence, vocabulary]`, of `input_ids` and
/// `attention_mask`. It is taken away again unless every back end computes the trainer's logits with it.
pub fn export_language_model(directory: &Path) -> Result<ParityReport, TrainingError> {
    let model = LanguageModel::open(directory)?;
    export_decoder(&DecoderConfig::load(directory)?, directory)?;
    let checked = parity(&model, directory);
    if checked.is_err() {
        let path = directory.join("model.onnx");
        std::fs::remove_file(&path).map_err(|source| TrainingError::Unwritable { path, source })?;
    }
    checked
}

fn parity(model: &LanguageModel, directory: &Path) -> Result<ParityReport, TrainingError> {
    let texts = model.write("", &Decoding::default(), TEXTS)?.into_iter().map(|written| {
        let tokens = [vec![model.codec.end()], model.codec.encode(&written.text)?].concat();
        Ok(Tokens::new(&tokens[..tokens.len().min(model.positions)]))
    });
    let texts = texts.collect::<Result<Vec<_>, TrainingError>>()?;
    let batch = PackedBatch::new(texts.iter().map(Tokens::ids));
    let logits = model.decoder.logits(&Arc::new(batch))?;
    let (shape, values) = (logits.dims2()?, logits.to_vec2::<f32>()?);
    let expected = Array2::from_shape_fn(shape, |(row, column)| values[row][column]);
    Ok(check_decoder(directory, &texts, &expected)?)
}
