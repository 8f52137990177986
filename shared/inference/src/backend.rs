//! What runs an ONNX file: ONNX Runtime where its library is, tract everywhere.

mod inner_values;
mod onnx_runtime;
mod tract;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use foundation::Failure as _;
use foundation::parts::Part;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::batching::TokenBatch;
use crate::directory::ModelDirectory;
use crate::error::InferenceError;

pub use inner_values::InnerValues;
pub use onnx_runtime::{OrtBackend, OrtOptions};
pub use tract::TractBackend;

/// Runs token batches through a loaded model.
pub trait Backend: Send {
    /// The name that logs and reports use.
    fn name(&self) -> &'static str;

    /// Logits, `[rows, labels]`; of a model that labels tokens, `[rows * width, labels]`.
    fn run(&mut self, batch: &TokenBatch) -> Result<Array2<f32>, InferenceError>;
}

/// Which back end to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// `ort` where its library is found, else `tract`.
    #[default]
    Auto,
    /// ONNX Runtime, loaded when the program runs.
    Ort,
    /// tract, built into the program; about half as fast.
    Tract,
}

/// How models are run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackendConfig {
    /// Which back end.
    pub backend: BackendChoice,
    /// Threads that work on one batch; all cores where it is not set.
    pub threads: Option<NonZeroUsize>,
    /// `libonnxruntime.so`, where it is not the one that `pulsewire setup` installs.
    pub onnx_runtime: Option<PathBuf>,
}

impl BackendConfig {
    /// Threads that work on one batch.
    pub fn threads(&self) -> NonZeroUsize {
        self.threads.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }

    /// ONNX Runtime's library: the configured path, else the installed part.
    pub fn onnx_runtime_library(&self) -> Result<PathBuf, InferenceError> {
        match &self.onnx_runtime {
            Some(path) => Ok(path.clone()),
            None => Part::OnnxRuntime.locate().map_err(InferenceError::NoOnnxRuntime),
        }
    }
}

/// Loads a model into the back end of choice.
pub fn load(directory: &ModelDirectory, config: &BackendConfig) -> Result<Box<dyn Backend>, InferenceError> {
    let ort = || OrtBackend::load(directory, &config.onnx_runtime_library()?, config.threads());
    let tract = || TractBackend::load(directory, config.threads());
    match config.backend {
        BackendChoice::Ort => Ok(Box::new(ort()?)),
        BackendChoice::Tract => Ok(Box::new(tract()?)),
        BackendChoice::Auto => match ort() {
            Ok(backend) => Ok(Box::new(backend)),
            Err(error @ (InferenceError::NoOnnxRuntime(_) | InferenceError::OnnxRuntimeUnusable { .. })) => {
                tracing::warn!(
                    reason = %causes(&error),
                    kind = ?error.kind(),
                    "ONNX Runtime is not available: models run on tract, at about half the speed; `pulsewire setup` installs it"
                );
                Ok(Box::new(tract()?))
            }
            Err(error) => Err(error),
        },
    }
}

/// An error with its causes, on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
