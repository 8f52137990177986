//! Keys and values of the tokens that a decoder has met, so that each next token costs one token's work.

use std::sync::Arc;

use crate::engine::parameter::{Parameter, Role};

/// What attention remembers of one sequence, layer by layer.
#[derive(Debug, Default)]
pub struct Memory {
    tokens: usize,
    /// Of each layer: `[tokens, 2 hidden]`.
    layers: Vec<Vec<f32>>,
}

impl Memory {
    /// How many tokens it has met.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// A layer's keys and values, in the form of a prefix; none before the first token.
    pub(super) fn prefix(&self, layer: usize) -> Option<Arc<Parameter>> {
        let rows = self.layers.get(layer).filter(|_| self.tokens > 0)?;
        let shape = [self.tokens, rows.len() / self.tokens];
        Some(Arc::new(Parameter::new("memory", &shape, Role::Record, 0, rows.clone())))
    }

    /// Keeps the rows of a layer's new tokens.
    pub(super) fn keep(&mut self, layer: usize, rows: &[f32]) {
        self.layers.resize_with(self.layers.len().max(layer + 1), Vec::new);
        self.layers[layer].extend_from_slice(rows);
    }

    /// Counts tokens whose rows every layer has kept.
    pub(super) fn advance(&mut self, tokens: usize) {
        self.tokens += tokens;
    }
}
