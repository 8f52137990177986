//! Which texts run together: batches close on a token budget and a row count, and hold texts of like length.

use std::num::NonZeroUsize;
use std::time::Duration;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::InferenceError;
use crate::tokenizer::Tokens;

/// What a batch may hold at most. A single text always fits, whatever its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Tokens, padding included: rows times the longest row.
    pub tokens: NonZeroUsize,
    /// Rows.
    pub rows: NonZeroUsize,
}

/// How an engine batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchingConfig {
    /// A batch closes at this many tokens, padding included.
    pub max_tokens: usize,
    /// A batch closes at this many texts.
    pub max_rows: usize,
    /// A model without work waits this long for more texts before it takes a batch that is not full.
    pub max_age_ms: u64,
    /// Blocks of texts that wait in the queue; a caller waits when it is full.
    pub queue_blocks: usize,
    /// Texts at least whose scores are kept for equal ones to come; 0 keeps none.
    pub recent_texts: usize,
}

impl Default for BatchingConfig {
    fn default() -> Self {
        Self { max_tokens: 1024, max_rows: 64, max_age_ms: 1, queue_blocks: 16, recent_texts: 4096 }
    }
}

impl BatchingConfig {
    /// The limits of a batch; an error names the setting that is zero.
    pub fn limits(&self) -> Result<BatchLimits, InferenceError> {
        let positive = |key: &'static str, value: usize| {
            NonZeroUsize::new(value)
                .ok_or_else(|| InferenceError::Setting { key, message: "must be at least 1".to_owned() })
        };
        positive("batching.queue_blocks", self.queue_blocks)?;
        Ok(BatchLimits {
            tokens: positive("batching.max_tokens", self.max_tokens)?,
            rows: positive("batching.max_rows", self.max_rows)?,
        })
    }

    /// How long a batch that is not full waits.
    pub fn max_age(&self) -> Duration {
        Duration::from_millis(self.max_age_ms)
    }
}

impl BatchLimits {
    /// Whether a batch of `rows` rows whose longest has `width` tokens is within the limits.
    pub fn admit(&self, rows: usize, width: usize) -> bool {
        rows <= 1 || (rows <= self.rows.get() && rows.saturating_mul(width) <= self.tokens.get())
    }

    /// Cuts all texts into batches of like length: each position of `lengths` comes once.
    pub fn plan(&self, lengths: &[usize]) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|position| lengths[*position]);
        let mut batches: Vec<Vec<usize>> = Vec::new();
        // From the longest down, a batch's first row is its widest.
        for position in order.into_iter().rev() {
            match batches.last_mut() {
                Some(batch) if self.admit(batch.len() + 1, lengths[batch[0]]) => batch.push(position),
                _ => batches.push(vec![position]),
            }
        }
        batches
    }

    /// One batch around a text that has to go now: of all texts, ordered by length, the run of neighbours of `first`
    /// that differs least from it. Returns a range of `lengths`, which must ascend.
    pub(crate) fn around(&self, lengths: &[usize], first: usize) -> std::ops::Range<usize> {
        let (mut start, mut end) = (first, first + 1);
        loop {
            let shorter = start.checked_sub(1).map(|next| lengths[first] - lengths[next]);
            let longer = lengths.get(end).map(|length| length - lengths[first]);
            let take_longer = match (shorter, longer) {
                (None, None) => break,
                (Some(shorter), Some(longer)) => longer < shorter,
                (shorter, _) => shorter.is_none(),
            };
            let width = if take_longer { lengths[end] } else { lengths[end - 1] };
            if self.admit(end - start + 1, width) {
                if take_longer {
                    end += 1;
                } else {
                    start -= 1;
                }
            } else if take_longer && start > 0 && self.admit(end - start + 1, lengths[end - 1]) {
                // A longer one does not fit, a shorter one still does.
                start -= 1;
            } else {
                break;
            }
        }
        start..end
    }
}

/// Token ids of several texts, padded to the longest: what a back end runs.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenBatch {
    /// Vocabulary ids, `[rows, width]`; 0 where a row has ended.
    pub input_ids: Array2<i64>,
    /// 1 for a token, 0 for padding.
    pub attention_mask: Array2<i64>,
    /// Each token's type ([`Tokens::types`]); 0 where a row has ended.
    pub token_type_ids: Array2<i64>,
}

impl TokenBatch {
    /// Pads texts to the longest of them. A text without any token counts as one of padding, which no model may see alone.
    pub fn new(texts: &[&Tokens]) -> Self {
        let width = texts.iter().map(|tokens| tokens.len()).max().unwrap_or(0).max(1);
        let mut input_ids = Array2::zeros((texts.len(), width));
        let mut attention_mask = Array2::zeros((texts.len(), width));
        let mut token_type_ids = Array2::zeros((texts.len(), width));
        for (row, tokens) in texts.iter().enumerate() {
            attention_mask[(row, 0)] = 1;
            for (column, (id, kind)) in tokens.ids().iter().zip(tokens.types()).enumerate() {
                input_ids[(row, column)] = i64::from(*id);
                attention_mask[(row, column)] = 1;
                token_type_ids[(row, column)] = i64::from(*kind);
            }
        }
        Self { input_ids, attention_mask, token_type_ids }
    }

    /// The number of texts.
    pub fn rows(&self) -> usize {
        self.input_ids.nrows()
    }

    /// The number of tokens of the longest text.
    pub fn width(&self) -> usize {
        self.input_ids.ncols()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> impl Strategy<Value = BatchLimits> {
        (1usize..300, 1usize..12).prop_map(|(tokens, rows)| BatchLimits {
            tokens: NonZeroUsize::new(tokens).unwrap(),
            rows: NonZeroUsize::new(rows).unwrap(),
        })
    }

    fn check_batch(limits: BatchLimits, lengths: &[usize], batch: &[usize]) {
        let width = batch.iter().map(|position| lengths[*position]).max().unwrap();
        assert!(batch.len() == 1 || batch.len() <= limits.rows.get());
        assert!(batch.len() == 1 || batch.len() * width <= limits.tokens.get());
    }

    proptest! {
        #[test]
        fn a_plan_holds_each_text_once_within_its_budget(
            limits in limits(),
            lengths in prop::collection::vec(0usize..128, 0..80),
        ) {
            let batches = limits.plan(&lengths);
            let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &batches {
                check_batch(limits, &lengths, batch);
            }
        }

        #[test]
        fn a_batch_around_a_text_holds_it_and_cannot_grow_both_ways(
            limits in limits(),
            lengths in prop::collection::vec(0usize..128, 1..80),
            first in any::<prop::sample::Index>(),
        ) {
            let mut lengths = lengths;
            lengths.sort_unstable();
            let first = first.index(lengths.len());
            let range = limits.around(&lengths, first);
            prop_assert!(range.contains(&first));
            check_batch(limits, &lengths, &range.clone().collect::<Vec<_>>());
            let grows_down = range.start > 0 && limits.admit(range.len() + 1, lengths[range.end - 1]);
            let grows_up = range.end < lengths.len() && limits.admit(range.len() + 1, lengths[range.end]);
            prop_assert!(!grows_down, "a shorter text would have fitted");
            prop_assert!(!grows_up, "a longer text would have fitted");
        }
    }

    #[test]
    fn rows_are_padded_to_the_longest() {
        let batch = TokenBatch::new(&[&Tokens::new([7, 8, 9]), &Tokens::new([5])]);
        assert_eq!(batch.input_ids, ndarray::array![[7, 8, 9], [5, 0, 0]]);
        assert_eq!(batch.attention_mask, ndarray::array![[1, 1, 1], [1, 0, 0]]);
        assert_eq!(batch.token_type_ids, ndarray::Array2::<i64>::zeros((2, 3)));
        let pair = Tokens::typed([7, 8, 9, 4], [0, 0, 1, 1]);
        let batch = TokenBatch::new(&[&pair, &Tokens::new([5])]);
        assert_eq!(batch.token_type_ids, ndarray::array![[0, 0, 1, 1], [0, 0, 0, 0]]);
        let batch = TokenBatch::new(&[&Tokens::new([])]);
        assert_eq!((batch.input_ids, batch.attention_mask), (ndarray::array![[0]], ndarray::array![[1]]));
    }
}
