//! A fine-tuned encoder as a [`Model`]: tokenizer, back end, softmax.

use std::sync::Arc;

use ndarray::Array2;

use crate::Model;
use crate::backend::{self, Backend, BackendConfig};
use crate::batching::{BatchLimits, BatchingConfig, TokenBatch};
use crate::directory::ModelDirectory;
use crate::error::InferenceError;
use crate::heads::{self, Head};
use crate::scores::Scores;
use crate::tokenizer::{TextTokenizer, Tokens};

/// A text classifier from a model directory.
pub struct EncoderModel {
    heads: Arc<[Head]>,
    version: Arc<str>,
    tokenizer: Arc<TextTokenizer>,
    backend: Box<dyn Backend>,
    limits: BatchLimits,
}

impl EncoderModel {
    /// Loads a model directory into the configured back end. `version` is what rows will name.
    pub fn load(
        directory: &ModelDirectory,
        version: impl Into<Arc<str>>,
        config: &BackendConfig,
    ) -> Result<Self, InferenceError> {
        let backend = backend::load(directory, config)?;
        Self::with_backend(directory, version, backend)
    }

    /// The same on a back end of one's own.
    pub fn with_backend(
        directory: &ModelDirectory,
        version: impl Into<Arc<str>>,
        backend: Box<dyn Backend>,
    ) -> Result<Self, InferenceError> {
        if directory.labels_words() {
            return Err(InferenceError::LabelsWords { directory: directory.path().to_owned() });
        }
        Ok(Self {
            heads: directory.heads().clone(),
            version: version.into(),
            tokenizer: directory.tokenizer().clone(),
            backend,
            limits: BatchingConfig::default().limits()?,
        })
    }

    /// Other limits for the batches of [`Model::score`]; an engine makes its own batches.
    pub fn with_limits(self, limits: BatchLimits) -> Self {
        Self { limits, ..self }
    }

    /// The back end's name: `ort` or `tract`.
    pub fn backend(&self) -> &'static str {
        self.backend.name()
    }

    /// Logits of the texts, one row each, in their order; the columns are the labels of all heads.
    pub fn logits(&mut self, texts: &[&str]) -> Result<Array2<f32>, InferenceError> {
        let tokens: Vec<Tokens> = texts.iter().map(|text| self.tokenizer.encode(text)).collect::<Result<_, _>>()?;
        let lengths: Vec<usize> = tokens.iter().map(Tokens::len).collect();
        let mut logits = Array2::zeros((texts.len(), heads::width(&self.heads)));
        for positions in self.limits.plan(&lengths) {
            let batch: Vec<&Tokens> = positions.iter().map(|position| &tokens[*position]).collect();
            let rows = self.run(&batch)?;
            for (row, position) in rows.outer_iter().zip(positions) {
                logits.row_mut(position).assign(&row);
            }
        }
        Ok(logits)
    }

    fn run(&mut self, batch: &[&Tokens]) -> Result<Array2<f32>, InferenceError> {
        let labels = heads::width(&self.heads);
        let logits = self.backend.run(&TokenBatch::new(batch))?;
        if logits.dim() != (batch.len(), labels) {
            return Err(InferenceError::LogitsShape {
                backend: self.backend.name(),
                found: logits.shape().to_vec(),
                rows: batch.len(),
                labels,
            });
        }
        let damaged = logits.outer_iter().position(|row| row.iter().any(|logit| !logit.is_finite()));
        match damaged {
            Some(row) => Err(InferenceError::NotFinite { backend: self.backend.name(), row }),
            None => Ok(logits),
        }
    }

    fn scores(&self, logits: &Array2<f32>) -> Vec<Scores> {
        logits.outer_iter().map(|row| Scores::from_logits(&row.to_vec(), &self.heads)).collect()
    }
}

impl Model for EncoderModel {
    fn heads(&self) -> &[Head] {
        &self.heads
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, InferenceError> {
        let logits = self.logits(texts)?;
        Ok(self.scores(&logits))
    }

    fn tokenizer(&self) -> Option<Arc<TextTokenizer>> {
        Some(self.tokenizer.clone())
    }

    fn score_tokens(&mut self, batch: &[&Tokens]) -> Result<Vec<Scores>, InferenceError> {
        let logits = self.run(batch)?;
        Ok(self.scores(&logits))
    }
}
