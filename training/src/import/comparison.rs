//! The proof that an imported encoder computes what its graph does.

use std::path::Path;
use std::sync::Arc;

use inference::backend::InnerValues;
use inference::{InferenceError, Tokens};
use ndarray::Array2;

use super::Measures;
use crate::engine::{self, Encoder, Mode, PackedBatch};
use crate::error::TrainingError;
use crate::export::max_abs_delta;

/// How far a state of a token, whose values are normalised and so around one, may be from the graph's.
pub(super) const LIMIT: f32 = 1e-3;

/// The tokens of a short text.
const SHORT: usize = 12;

/// From one token of a made-up text to the next, in ids: a prime, so that no vocabulary has it for a divisor.
const STRIDE: usize = 7919;

/// How far the states are apart that a graph and an encoder compute of made-up texts: one of a single token, a short one and the
/// longest. None where tract cannot run the graph.
pub(super) fn largest_difference(
    onnx: &Path,
    inputs: &[&'static str],
    states: &str,
    measures: &Measures,
    encoder: &Encoder,
) -> Result<Option<f32>, TrainingError> {
    let compare = || {
        let model = InnerValues::load(onnx, inputs, &[states])?;
        let mut largest = 0.0;
        for length in [1, measures.positions.min(SHORT), measures.positions] {
            let text: Vec<u32> = (1..=length).map(|place| (STRIDE * place % measures.tokens) as u32).collect();
            let batch = Arc::new(PackedBatch::new([&text[..]]));
            let own = encoder.states(&batch, engine::Tokens::All, Mode::Evaluation)?.flatten_all()?.to_vec1()?;
            let of_graph = model.of(&Tokens::new(text))?.concat();
            let states = |values| Array2::from_shape_vec((length, measures.hidden), values);
            let difference = states(own).and_then(|own| Ok(max_abs_delta(&own, &states(of_graph)?)));
            largest = f32::max(largest, difference.unwrap_or(f32::INFINITY));
        }
        Ok(largest)
    };
    match compare() {
        Ok(largest) => Ok(Some(largest)),
        Err(TrainingError::Inference(error @ (InferenceError::Load { .. } | InferenceError::Run { .. }))) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the import is not compared with the graph");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
