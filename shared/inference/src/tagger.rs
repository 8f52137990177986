//! A fine-tuned encoder that labels the words of texts.

use std::sync::Arc;

use ndarray::Array2;

use crate::backend::{self, Backend, BackendConfig};
use crate::batching::{BatchLimits, BatchingConfig, TokenBatch};
use crate::directory::ModelDirectory;
use crate::error::InferenceError;
use crate::heads::Head;
use crate::tokenizer::{TextTokenizer, Tokens, WordTokens};

/// A labeller of words from a model directory.
pub struct WordTagger {
    head: Head,
    tokenizer: Arc<TextTokenizer>,
    backend: Box<dyn Backend>,
    limits: BatchLimits,
}

impl WordTagger {
    /// Loads a model directory into the configured back end.
    pub fn load(directory: &ModelDirectory, config: &BackendConfig) -> Result<Self, InferenceError> {
        Self::with_backend(directory, backend::load(directory, config)?)
    }

    /// The same on a back end of one's own.
    pub fn with_backend(directory: &ModelDirectory, backend: Box<dyn Backend>) -> Result<Self, InferenceError> {
        let head = directory.heads().first().filter(|_| directory.labels_words()).cloned();
        let head = head.ok_or_else(|| InferenceError::LabelsTexts { directory: directory.path().to_owned() })?;
        let limits = BatchingConfig::default().limits()?;
        Ok(Self { head, tokenizer: directory.tokenizer().clone(), backend, limits })
    }

    /// The one head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// For each text, the likeliest label of each word, as an index into the head's; none for a word that the model does not
    /// see, since the text is cut before it or the tokenizer leaves nothing of it.
    pub fn label(&mut self, texts: &[Vec<&str>]) -> Result<Vec<Vec<Option<usize>>>, InferenceError> {
        let texts = self.tokenise(texts)?;
        let logits = self.logits_of(&texts)?;
        let mut labels = logits.outer_iter().map(|row| {
            let row = row.iter().copied().enumerate();
            row.fold((0, f32::NEG_INFINITY), |best, own| if own.1 > best.1 { own } else { best }).0
        });
        let of_text = |text: &WordTokens| text.firsts().iter().map(|first| first.and_then(|_| labels.next())).collect();
        Ok(texts.iter().map(of_text).collect())
    }

    /// Logits of the words that the model sees, `[words, labels]`, text after text.
    pub fn logits(&mut self, texts: &[Vec<&str>]) -> Result<Array2<f32>, InferenceError> {
        let texts = self.tokenise(texts)?;
        self.logits_of(&texts)
    }

    fn tokenise(&self, texts: &[Vec<&str>]) -> Result<Vec<WordTokens>, InferenceError> {
        texts.iter().map(|words| self.tokenizer.encode_words(words)).collect()
    }

    fn logits_of(&mut self, texts: &[WordTokens]) -> Result<Array2<f32>, InferenceError> {
        let labels = self.head.labels.len();
        let lengths: Vec<usize> = texts.iter().map(|text| text.tokens().len()).collect();
        let seen = |text: &WordTokens| text.firsts().iter().flatten().count();
        let mut rows = vec![0];
        texts.iter().for_each(|text| rows.push(rows[rows.len() - 1] + seen(text)));
        let mut all = Array2::zeros((rows[texts.len()], labels));
        for positions in self.limits.plan(&lengths) {
            let batch: Vec<&Tokens> = positions.iter().map(|position| texts[*position].tokens()).collect();
            let (logits, width) = self.run(&batch)?;
            for (place, position) in positions.into_iter().enumerate() {
                for (word, first) in texts[position].firsts().iter().flatten().enumerate() {
                    let own = logits.row(place * width + first);
                    if own.iter().any(|logit| !logit.is_finite()) {
                        return Err(InferenceError::NotFinite { backend: self.backend.name(), row: place });
                    }
                    all.row_mut(rows[position] + word).assign(&own);
                }
            }
        }
        Ok(all)
    }

    /// Logits of all tokens, padding included, row after row; and how many a row has.
    fn run(&mut self, batch: &[&Tokens]) -> Result<(Array2<f32>, usize), InferenceError> {
        let labels = self.head.labels.len();
        let batch = TokenBatch::new(batch);
        let (rows, width) = (batch.rows(), batch.width());
        let logits = self.backend.run(&batch)?;
        if logits.dim() != (rows * width, labels) {
            let (backend, found) = (self.backend.name(), logits.shape().to_vec());
            return Err(InferenceError::LogitsShape { backend, found, rows: rows * width, labels });
        }
        Ok((logits, width))
    }
}
