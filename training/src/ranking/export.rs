//! The encoder as ONNX, checked on texts that it has to do with.

use std::path::Path;

use inference::Tokens;
use ndarray::Array2;

use super::fit::RankingLearner;
use crate::error::TrainingError;
use crate::export::{ParityReport, check_encoder, export_encoder};

/// Queries, and answers, that the back ends are compared on.
const TEXTS: usize = 16;

/// Writes `model.onnx` beside the weights, and takes it away again unless every back end computes the trainer's vectors with it.
pub(super) fn export(out: &Path, learner: &RankingLearner<'_>) -> Result<ParityReport, TrainingError> {
    export_encoder(out)?;
    let texts = learner.queries.iter().take(TEXTS).chain(learner.answers.iter().take(TEXTS));
    let texts: Vec<&Tokens> = texts.collect();
    let units = learner.units(&texts)?;
    let (shape, values) = (units.dims2()?, units.to_vec2::<f32>()?);
    let expected = Array2::from_shape_fn(shape, |(row, column)| values[row][column]);
    let checked = check_encoder(out, &texts, &expected);
    if checked.is_err() {
        let path = out.join("model.onnx");
        std::fs::remove_file(&path).map_err(|source| TrainingError::Unwritable { path, source })?;
    }
    Ok(checked?)
}
