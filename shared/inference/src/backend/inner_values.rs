//! Values from inside a model's graph, for those who must know how large they become.

use std::sync::Arc;

use tract_onnx::prelude::*;

use crate::backend::tract::{plan, tensors};
use crate::batching::TokenBatch;
use crate::directory::ModelDirectory;
use crate::error::InferenceError;
use crate::tokenizer::TextTokenizer;

const NAME: &str = "tract";

/// A model that tells what some values of its graph are for a text. It runs on tract, which every machine has.
pub struct InnerValues {
    plan: Arc<TypedRunnableModel>,
    inputs: Vec<&'static str>,
    tokenizer: Arc<TextTokenizer>,
}

impl InnerValues {
    /// Loads a model to be asked for the values of these names.
    pub fn load(directory: &ModelDirectory, names: &[&str]) -> Result<Self, InferenceError> {
        let path = directory.onnx_path();
        let plan = plan(&path, directory.inputs(), names).map_err(|source| InferenceError::Load {
            backend: NAME,
            path,
            source: source.into(),
        })?;
        Ok(Self { plan, inputs: directory.inputs().to_vec(), tokenizer: directory.tokenizer().clone() })
    }

    /// The elements of each value for one text, in the order of the names. No padding is among them.
    pub fn of(&self, text: &str) -> Result<Vec<Vec<f32>>, InferenceError> {
        let batch = TokenBatch::new(&[&self.tokenizer.encode(text)?]);
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
