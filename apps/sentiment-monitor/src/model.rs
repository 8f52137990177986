//! The model in use: found in the registry or in a folder, and swapped when its alias moves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use inference::{BackendConfig, BatchingConfig, EncoderModel, Engine, InferenceError, Model as _, ModelDirectory};
use registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::config::ModelConfig;
use crate::error::MonitorError;
use crate::sentiment::OutputMap;

/// A running engine, with the name of its model.
pub struct ServedModel {
    /// The name that rows carry.
    pub name: Arc<str>,
    /// The engine.
    pub engine: Engine,
}

/// Which model, on what, in which batches.
#[derive(Debug, Clone)]
pub struct ModelSource {
    /// Name and registry.
    pub model: ModelConfig,
    /// Back end.
    pub backend: BackendConfig,
    /// Batches.
    pub batching: BatchingConfig,
}

impl ModelSource {
    /// Loads the model and starts its engine; refuses one that knows no sentiment.
    pub fn serve(&self) -> Result<ServedModel, MonitorError> {
        let found = self.find()?;
        let model = found.load(&self.model, &self.backend)?;
        tracing::info!(model = &*found.name, version = &*found.version, back_end = model.backend(), "model loaded");
        let engine = Engine::spawn(Box::new(model), &self.batching)?;
        Ok(ServedModel { name: found.name, engine })
    }

    /// Looks at the alias again and again, and swaps the engine's model when it points at another version.
    ///
    /// A new version that cannot be loaded or knows no sentiment is reported and left alone: the old one goes on.
    pub async fn follow(self, engine: Engine, shutdown: CancellationToken) -> Result<(), MonitorError> {
        let mut refused: Option<Arc<str>> = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                stopped = engine.stopped() => return Err(stopped.into()),
                () = tokio::time::sleep(self.model.watch_every.max(Duration::from_millis(100))) => {}
            }
            let Ok(found) = self.find() else { continue };
            if found.version == engine.version() || refused.as_ref() == Some(&found.version) {
                continue;
            }
            match self.replace(&found, &engine).await {
                Ok(()) => tracing::info!(model = &*found.name, version = &*found.version, "model swapped"),
                Err(error) => {
                    tracing::warn!(model = &*found.name, version = &*found.version, %error, "the new version is not used");
                    refused = Some(found.version);
                }
            }
        }
    }

    async fn replace(&self, found: &Found, engine: &Engine) -> Result<(), MonitorError> {
        let (found, model, backend) = (found.clone(), self.model.clone(), self.backend.clone());
        let loading = tokio::task::spawn_blocking(move || found.load(&model, &backend));
        let model = match loading.await {
            Ok(loaded) => loaded?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        Ok(engine.swap(Box::new(model)).await?)
    }

    fn find(&self) -> Result<Found, MonitorError> {
        let name = &self.model.name;
        let path = Path::new(name);
        if path.join("config.json").exists() {
            let folder = path.file_name().map_or_else(|| name.clone(), |folder| folder.to_string_lossy().into_owned());
            return Ok(Found {
                name: folder.into(),
                version: "local".into(),
                directory: path.to_owned(),
                reference: None,
            });
        }
        let resolved = Registry::open(&self.model.registry).show(name)?;
        Ok(Found {
            name: resolved.manifest.model.as_str().into(),
            version: resolved.manifest.version.to_string().into(),
            reference: Some(resolved.manifest.reference().to_string()),
            directory: resolved.path,
        })
    }
}

/// A model that was found, not yet opened.
#[derive(Clone)]
struct Found {
    name: Arc<str>,
    version: Arc<str>,
    directory: PathBuf,
    /// Under which the registry knows it; a folder of its own has none.
    reference: Option<String>,
}

impl Found {
    /// Checks the files, loads them, and refuses a model that knows no sentiment.
    fn load(&self, config: &ModelConfig, backend: &BackendConfig) -> Result<EncoderModel, MonitorError> {
        if let Some(reference) = &self.reference {
            Registry::open(&config.registry).resolve(reference)?;
        }
        let directory = ModelDirectory::open(&self.directory)?;
        if directory.takes_pairs() {
            return Err(InferenceError::TakesPairs { directory: self.directory.clone() }.into());
        }
        let model = EncoderModel::load(&directory, Arc::clone(&self.version), backend)?;
        OutputMap::new(&self.name, model.heads())?;
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_pairs_is_refused() {
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/inference/tests/fixtures/tiny");
        let directory = tempfile::tempdir().unwrap();
        for file in ["tokenizer.json", "model.onnx", "config.json"] {
            std::fs::copy(tiny.join(file), directory.path().join(file)).unwrap();
        }
        let config = std::fs::read_to_string(tiny.join("config.json")).unwrap();
        std::fs::write(directory.path().join("config.json"), config.replacen('{', "{\"text_pair\": true,", 1)).unwrap();
        let model = ModelConfig { name: directory.path().display().to_string(), ..ModelConfig::default() };
        let source = ModelSource { model, backend: BackendConfig::default(), batching: BatchingConfig::default() };
        let message = source.serve().err().map(|error| told(&error)).unwrap_or_default();
        assert!(message.contains("reads pairs of texts"), "{message}");
    }

    /// The error with its causes.
    fn told(error: &dyn std::error::Error) -> String {
        let cause = error.source().map(told).unwrap_or_default();
        format!("{error}: {cause}")
    }
}
