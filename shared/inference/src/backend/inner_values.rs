//! Values from inside a model's graph, for those who must know how large they become.

use std::path::Path;
use std::sync::Arc;

use tract_onnx::prelude::*;

use crate::backend::tract::{plan, tensors};
use crate::batching::TokenBatch;
use crate::error::InferenceError;
use crate::tokenizer::Tokens;

const NAME: &str = "tract";

/// A model that tells what some values of its graph are for a text. It runs on tract, which every machine has.
pub struct InnerValues {
    plan: Arc<TypedRunnableModel>,
    inputs: Vec<&'static str>,
}

impl InnerValues {
    /// Loads an ONNX file that takes these of [`INPUTS`](crate::INPUTS), to be asked for the values of these names.
    pub fn load(path: &Path, inputs: &[&'static str], names: &[&str]) -> Result<Self, InferenceError> {
        let plan = plan(path, inputs, names).map_err(|source| InferenceError::Load {
            backend: NAME,
            path: path.to_owned(),
            source: source.into(),
        })?;
        Ok(Self { plan, inputs: inputs.to_vec() })
    }

    /// The elements of each value for one text, in the order of the names. No padding is among them.
    pub fn of(&self, text: &Tokens) -> Result<Vec<Vec<f32>>, InferenceError> {
        let batch = TokenBatch::new(&[text]);
        let run = || -> TractResult<Vec<Vec<f32>>> {
            let values = self.plan.run(tensors(&self.inputs, &batch, 0, 1)?)?;
            values.iter().map(|value| Ok(value.to_plain_array_view::<f32>()?.iter().copied().collect())).collect()
        };
        run().map_err(|source| InferenceError::Run {
            backend: NAME,
            rows: 1,
            width: batch.width(),
            source: source.into(),
        })
    }
}
