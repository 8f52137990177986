//! Where in a text the words stand that its tokens are pieces of.

use std::ops::Range;

use tokenizers::Encoding;

use super::Tokens;

/// A text as a model's input, and the words in it that the model reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpannedTokens {
    tokens: Tokens,
    words: Box<[WordSpan]>,
}

/// A word, as the tokenizer parts a text: punctuation marks are words of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordSpan {
    /// Its bytes in the text.
    pub bytes: Range<usize>,
    /// The places of its tokens.
    pub tokens: Range<usize>,
}

impl SpannedTokens {
    /// The tokens, special ones included.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The words, as they stand in the text. Special tokens belong to none, nor is one here that the cut took or of which the
    /// tokenizer leaves nothing.
    pub fn words(&self) -> &[WordSpan] {
        &self.words
    }

    pub(super) fn of(encoding: &Encoding) -> Self {
        let mut words: Vec<(u32, WordSpan)> = Vec::new();
        let pieces = encoding.get_word_ids().iter().zip(encoding.get_offsets());
        for (place, (word, (start, end))) in pieces.enumerate() {
            let Some(id) = word else { continue };
            match words.last_mut() {
                Some((last, word)) if last == id => {
                    word.bytes.end = *end;
                    word.tokens.end = place + 1;
                }
                _ => words.push((*id, WordSpan { bytes: *start..*end, tokens: place..place + 1 })),
            }
        }
        let words = words.into_iter().map(|(_, word)| word).collect();
        Self { tokens: Tokens::new(encoding.get_ids()), words }
    }
}
