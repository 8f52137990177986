//! Text in, probabilities out: model directories, the back ends that run them, and the engine that batches for them.
//!
//! ```text
//! callers ── blocks of texts ──► bounded queue ──► tokeniser thread ──► pending texts ──► model thread ──► scores
//! ```
//!
//! A [`ModelDirectory`] is checked once, when it is opened. A [`Backend`] runs token batches through its ONNX file. An
//! [`EncoderModel`] joins the two and the tokenizer to a [`Model`], and an [`Engine`] serves one model to many callers.

pub mod backend;
mod batching;
pub mod cleaning;
mod constant;
mod directory;
mod encoder;
mod engine;
mod error;
mod heads;
pub mod onnx;
pub mod pair;
mod scores;
mod tagger;
mod tokenizer;

use std::sync::Arc;

pub use backend::{Backend, BackendChoice, BackendConfig};
pub use batching::{BatchLimits, BatchingConfig, TokenBatch};
pub use constant::ConstantModel;
pub use directory::{INPUTS, ModelDirectory};
pub use encoder::EncoderModel;
pub use engine::{Engine, EngineStatistics, ScoredBlock};
pub use error::InferenceError;
pub use heads::{Head, TaskKind};
pub use scores::Scores;
pub use tagger::WordTagger;
pub use tokenizer::{SpannedTokens, TextTokenizer, Tokens, WORD_SHAPES, WordSpan, WordTokens};

/// A model that scores texts. It is owned by one thread; an [`Engine`] shares it.
pub trait Model: Send {
    /// The classification heads, in the order of [`Scores::heads`].
    fn heads(&self) -> &[Head];

    /// The version that rows name: the registry's, or whatever the model was loaded as.
    fn version(&self) -> &str;

    /// Scores the texts, in their order.
    fn score(&mut self, texts: &[&str]) -> Result<Vec<Scores>, InferenceError>;

    /// What an engine may run ahead of the model on another thread. A model without one gets texts as they are.
    fn tokenizer(&self) -> Option<Arc<TextTokenizer>> {
        None
    }

    /// Scores texts that [`Model::tokenizer`] has tokenised, as one batch, in their order.
    fn score_tokens(&mut self, batch: &[&Tokens]) -> Result<Vec<Scores>, InferenceError> {
        Err(InferenceError::NotTokenised { rows: batch.len() })
    }
}
