//! The whole words that a base encoder knows: what may take a word's place.

use std::path::Path;

use inference::TextTokenizer;

use crate::engine::EncoderConfig;
use crate::error::TrainingError;

/// Shorter words are left and take no place: most are grammar, and the others (up, no) turn a text's meaning.
const SHORTEST: usize = 4;

/// A tokenizer with its whole words of letters.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub(super) tokenizer: TextTokenizer,
    /// By id; none for what is no such word.
    words: Vec<Option<String>>,
}

impl Vocabulary {
    /// Reads the vocabulary of a base encoder's directory.
    pub(super) fn load(base: &Path, config: &EncoderConfig) -> Result<Self, TrainingError> {
        let tokenizer = TextTokenizer::open(&base.join("tokenizer.json"), Some(config.max_position_embeddings))?;
        let whole =
            |token: &String| token.chars().all(char::is_alphabetic) && token.chars().nth(SHORTEST - 1).is_some();
        let words = (0..config.vocab_size as u32).map(|id| tokenizer.token(id).filter(whole)).collect();
        Ok(Self { tokenizer, words })
    }

    /// The whole word of an id.
    pub(super) fn word(&self, id: u32) -> Option<&str> {
        self.words.get(id as usize)?.as_deref()
    }

    /// A whole word's id, as it is written or in lower case.
    pub(super) fn id(&self, word: &str) -> Option<u32> {
        let id = self.tokenizer.id(word).or_else(|| self.tokenizer.id(&word.to_lowercase()))?;
        self.word(id).map(|_| id)
    }

    /// Every whole word's id.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.words.iter().enumerate().filter_map(|(id, word)| word.as_ref().map(|_| id as u32))
    }
}
