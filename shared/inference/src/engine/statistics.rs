//! What an engine has done so far.

use std::time::Duration;

/// Counts since the engine was started; they only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineStatistics {
    /// Texts that callers handed in and the engine has looked at.
    pub texts: u64,
    /// Texts that went with an equal one that was waiting.
    pub joined: u64,
    /// Texts that were answered from the scores of an equal one a moment before.
    pub repeated: u64,
    /// Batches that the model was given.
    pub batches: u64,
    /// Texts in them.
    pub rows: u64,
    /// Tokens in them, without padding.
    pub tokens: u64,
    /// Padding in them.
    pub padding: u64,
    /// How long the model ran.
    pub busy: Duration,
}

impl EngineStatistics {
    /// Counts a batch of texts of these lengths.
    pub(super) fn count(&mut self, lengths: impl ExactSizeIterator<Item = usize> + Clone) {
        let Some(width) = lengths.clone().max() else { return };
        let (rows, tokens) = (lengths.len(), lengths.sum::<usize>());
        self.batches += 1;
        self.rows += rows as u64;
        self.tokens += tokens as u64;
        self.padding += (rows * width - tokens) as u64;
    }
}
