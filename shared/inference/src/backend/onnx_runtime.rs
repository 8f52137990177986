//! ONNX Runtime, loaded when the program runs.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::Array2;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;

use crate::backend::Backend;
use crate::batching::TokenBatch;
use crate::directory::{ModelDirectory, OUTPUT};
use crate::error::InferenceError;

const NAME: &str = "ort";

/// A session of ONNX Runtime on the CPU.
pub struct OrtBackend {
    session: Session,
    inputs: Vec<&'static str>,
}

/// What may be set about a session besides its threads; the defaults are what [`OrtBackend::load`] takes.
#[derive(Debug, Clone, Default)]
pub struct OrtOptions {
    /// Whether threads spin between the operations of a batch: a tenth faster where the cores have nothing else to do, and
    /// three times slower where they have. They never spin between batches.
    pub spin: bool,
    /// Where to write the graph as the optimiser left it.
    pub optimized_model: Option<PathBuf>,
}

impl OrtBackend {
    /// Loads a model with the library at `library`. The first library that a process loads serves all its sessions.
    pub fn load(directory: &ModelDirectory, library: &Path, threads: NonZeroUsize) -> Result<Self, InferenceError> {
        Self::load_with(directory, library, threads, &OrtOptions::default())
    }

    /// The same with other options.
    pub fn load_with(
        directory: &ModelDirectory,
        library: &Path,
        threads: NonZeroUsize,
        options: &OrtOptions,
    ) -> Result<Self, InferenceError> {
        let environment = environment(library)?;
        let path = directory.onnx_path();
        let session = session(&environment, &path, threads, options).map_err(|source| InferenceError::Load {
            backend: NAME,
            path,
            source: source.into(),
        })?;
        Ok(Self { session, inputs: directory.inputs().to_vec() })
    }

    fn logits(&mut self, batch: &TokenBatch) -> Result<Array2<f32>, ort::Error> {
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(self.inputs.len());
        for name in &self.inputs {
            let values = match *name {
                "input_ids" => &batch.input_ids,
                "attention_mask" => &batch.attention_mask,
                _ => &batch.token_type_ids,
            };
            inputs.push((*name, TensorRef::from_array_view(values.view())?.into()));
        }
        let outputs = self.session.run(inputs)?;
        let logits = outputs.get(OUTPUT).ok_or_else(|| ort::Error::new("the session gave no logits"))?;
        let (shape, values) = logits.try_extract_tensor::<f32>()?;
        let columns = shape.last().and_then(|columns| usize::try_from(*columns).ok()).unwrap_or(0);
        let rows = values.len().checked_div(columns).unwrap_or(0);
        Array2::from_shape_vec((rows, columns), values.to_vec()).map_err(|error| ort::Error::new(error.to_string()))
    }
}

impl Backend for OrtBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn run(&mut self, batch: &TokenBatch) -> Result<Array2<f32>, InferenceError> {
        self.logits(batch).map_err(|source| InferenceError::Run {
            backend: NAME,
            rows: batch.rows(),
            width: batch.width(),
            source: source.into(),
        })
    }
}

fn session(
    environment: &Environment,
    path: &Path,
    threads: NonZeroUsize,
    options: &OrtOptions,
) -> Result<Session, ort::Error> {
    let mut builder = Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads.get())?
        .with_inter_threads(1)?
        .with_intra_op_spinning(options.spin)?
        .with_config_entry("session.force_spinning_stop", "1")?
        // Every batch has another shape.
        .with_memory_pattern(false)?;
    if int8_products_overflow() {
        builder = builder.with_precise_qmm()?;
    }
    if let Some(path) = &options.optimized_model {
        builder = builder.with_optimized_model_path(path)?;
    }
    builder.commit_from_file(path)
}

/// Whether ONNX Runtime's fast products of int8 models overflow on this CPU and give other answers: x86-64 without VNNI. Its
/// precise ones do not, and are slower even where nothing overflows.
fn int8_products_overflow() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        !(std::is_x86_feature_detected!("avx512vnni") || std::is_x86_feature_detected!("avxvnni"))
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// The process's one environment of ONNX Runtime; it is never taken down, since the library cannot start twice.
fn environment(library: &Path) -> Result<Environment, InferenceError> {
    static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

    let mut shared = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*shared {
        return Ok(environment.clone());
    }
    let unusable = |source| InferenceError::OnnxRuntimeUnusable { path: library.to_owned(), source };
    let environment = ort::init_from(library)
        .map_err(|source| unusable(source.into()))?
        .with_name("pulsewire")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|source| unusable(source.into()))?;
    environment.set_log_level(LogLevel::Warning);
    tracing::info!(library = %library.display(), "ONNX Runtime loaded");
    Ok(shared.insert(environment).clone())
}

fn log(level: LogLevel, _category: &str, _id: &str, _location: &str, message: &str) {
    match level {
        LogLevel::Verbose | LogLevel::Info => tracing::debug!(target: "onnxruntime", "{message}"),
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", "{message}"),
        LogLevel::Error | LogLevel::Fatal => tracing::error!(target: "onnxruntime", "{message}"),
    }
}
