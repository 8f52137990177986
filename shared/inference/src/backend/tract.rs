//! tract: an ONNX engine in Rust, part of the program, for machines without ONNX Runtime.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use ndarray::{Array2, ArrayView2, Axis};
use tract_onnx::prelude::*;

use crate::backend::Backend;
use crate::batching::TokenBatch;
use crate::directory::{ModelDirectory, OUTPUT};
use crate::error::InferenceError;

const NAME: &str = "tract";

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A plan of tract's, with batch and sequence as symbols: one plan serves all shapes.
///
/// tract itself uses one thread; several of them share a batch's rows.
pub struct TractBackend {
    plan: Arc<TypedRunnableModel>,
    inputs: Vec<&'static str>,
    threads: NonZeroUsize,
}

impl TractBackend {
    /// Loads a model.
    pub fn load(directory: &ModelDirectory, threads: NonZeroUsize) -> Result<Self, InferenceError> {
        let path = directory.onnx_path();
        let plan = plan(&path, directory.inputs(), &[OUTPUT]).map_err(|source| InferenceError::Load {
            backend: NAME,
            path,
            source: source.into(),
        })?;
        Ok(Self { plan, inputs: directory.inputs().to_vec(), threads })
    }

    fn logits(&self, batch: &TokenBatch) -> Result<Array2<f32>, BoxError> {
        let rows_a_thread = batch.rows().div_ceil(self.threads.get()).max(1);
        if batch.rows() <= rows_a_thread {
            return self.rows(batch, 0, batch.rows());
        }
        let parts = thread::scope(|scope| {
            let threads: Vec<_> = (0..batch.rows())
                .step_by(rows_a_thread)
                .map(|start| {
                    let end = (start + rows_a_thread).min(batch.rows());
                    scope.spawn(move || self.rows(batch, start, end))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err("a thread of tract panicked".into())))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let views: Vec<ArrayView2<'_, f32>> = parts.iter().map(|part| part.view()).collect();
        Ok(ndarray::concatenate(Axis(0), &views)?)
    }

    fn rows(&self, batch: &TokenBatch, start: usize, end: usize) -> Result<Array2<f32>, BoxError> {
        let outputs = self.plan.run(tensors(&self.inputs, batch, start, end)?)?;
        let logits = outputs.first().ok_or("the plan gave no output")?;
        let columns = logits.shape().last().copied().unwrap_or(0);
        let values: Vec<f32> = logits.to_plain_array_view::<f32>()?.iter().copied().collect();
        Ok(Array2::from_shape_vec((values.len().checked_div(columns).unwrap_or(0), columns), values)?)
    }
}

impl Backend for TractBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn run(&mut self, batch: &TokenBatch) -> Result<Array2<f32>, InferenceError> {
        self.logits(batch).map_err(|source| InferenceError::Run {
            backend: NAME,
            rows: batch.rows(),
            width: batch.width(),
            source,
        })
    }
}

/// A batch's rows from `start` to `end`, as the inputs of a plan.
pub(super) fn tensors(
    inputs: &[&'static str],
    batch: &TokenBatch,
    start: usize,
    end: usize,
) -> TractResult<TVec<TValue>> {
    let tensor = |name: &&'static str| {
        let values = match *name {
            "input_ids" => &batch.input_ids,
            "attention_mask" => &batch.attention_mask,
            _ => &batch.token_type_ids,
        };
        let values: Vec<i64> = values.slice(ndarray::s![start..end, ..]).iter().copied().collect();
        Ok(Tensor::from_shape(&[end - start, batch.width()], &values)?.into())
    };
    inputs.iter().map(tensor).collect()
}

/// A plan that gives these values of the graph, its outputs or any others.
pub(super) fn plan(path: &Path, inputs: &[&'static str], values: &[&str]) -> TractResult<Arc<TypedRunnableModel>> {
    let model = tract_onnx::onnx().model_for_path(path)?;
    let (batch, sequence) = (model.sym("batch"), model.sym("sequence"));
    let shape = tvec![batch.to_dim(), sequence.to_dim()];
    let mut model = model.with_input_names(inputs)?;
    model.select_outputs_by_name(values)?;
    for position in 0..inputs.len() {
        model.set_input_fact(position, InferenceFact::dt_shape(i64::datum_type(), shape.clone()))?;
    }
    model.into_optimized()?.into_runnable()
}
