//! Texts to tokens and back: byte-level byte pair encoding (Sennrich and others, 2016, over bytes as in GPT-2), which knows
//! every text and loses nothing of it.

use std::path::Path;

use inference::InferenceError;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Error, Tokenizer};

use crate::error::TrainingError;

/// What stands before, between and after texts.
pub(super) const END: &str = "<|endoftext|>";

/// A pair of tokens becomes one if it is met this often.
const MINIMUM_FREQUENCY: u64 = 2;

/// A tokenizer that can write.
#[derive(Debug)]
pub(super) struct TextCodec {
    inner: Tokenizer,
    end: u32,
}

impl TextCodec {
    /// Learns at most so many tokens from texts: the bytes, [`END`], and what stands together most often.
    pub(super) fn learn(texts: &[String], vocabulary: usize) -> Result<Self, TrainingError> {
        let refused = |source: Error| InferenceError::Tokenise { bytes: texts.iter().map(String::len).sum(), source };
        let bytes = ByteLevel::new(false, true, true);
        let mut inner = Tokenizer::new(BPE::default());
        inner
            .with_pre_tokenizer(Some(bytes))
            .with_decoder(Some(bytes))
            .with_post_processor(Some(bytes.trim_offsets(false)));
        let trainer = BpeTrainer::builder()
            .vocab_size(vocabulary)
            .min_frequency(MINIMUM_FREQUENCY)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(vec![AddedToken::from(END, true)])
            .build();
        inner.train(&mut TrainerWrapper::from(trainer), texts.iter()).map_err(refused)?;
        Ok(Self::of(inner).map_err(refused)?)
    }

    /// Opens a `tokenizer.json`.
    pub(super) fn open(path: &Path) -> Result<Self, TrainingError> {
        let refused = |source| InferenceError::TokenizerFile { path: path.to_owned(), source };
        Ok(Self::of(Tokenizer::from_file(path).map_err(refused)?).map_err(refused)?)
    }

    fn of(mut inner: Tokenizer) -> Result<Self, Error> {
        inner.with_truncation(None)?.with_padding(None);
        let end = inner.token_to_id(END).ok_or_else(|| format!("it has no token {END}"))?;
        Ok(Self { inner, end })
    }

    /// The id of [`END`].
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    pub(super) fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, TrainingError> {
        let refused = |source| InferenceError::Tokenise { bytes: text.len(), source };
        Ok(self.inner.encode_fast(text, false).map_err(refused)?.get_ids().to_vec())
    }

    pub(super) fn decode(&self, tokens: &[u32]) -> Result<String, TrainingError> {
        let refused = |source| InferenceError::Tokenise { bytes: 4 * tokens.len(), source };
        Ok(self.inner.decode(tokens, true).map_err(refused)?)
    }

    /// Writes `tokenizer.json`.
    pub(super) fn save(&self, path: &Path) -> Result<(), TrainingError> {
        let unwritable =
            |error| TrainingError::Unwritable { path: path.to_owned(), source: std::io::Error::other(error) };
        self.inner.save(path, true).map_err(unwritable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<String> {
        (0..40).map(|row| format!("shares rise {row} points as shares of banks rise")).collect()
    }

    #[test]
    fn every_text_comes_back_whole() {
        let codec = TextCodec::learn(&texts(), 320).unwrap();
        for text in ["shares of banks rise", "  Größe €5 — 日本\n", "a", ""] {
            assert_eq!(codec.decode(&codec.encode(text).unwrap()).unwrap(), text);
        }
        assert!(codec.encode("shares rise").unwrap().len() <= 4, "{:?}", codec.encode("shares rise"));
        assert!(codec.vocabulary() <= 320 && codec.vocabulary() > 257, "{}", codec.vocabulary());
        assert_eq!(codec.encode(END).unwrap(), [codec.end()]);
    }

    #[test]
    fn the_same_texts_give_the_same_tokens_and_a_file_keeps_them() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = directory.path().join(name);
            TextCodec::learn(&texts(), 400).unwrap().save(&path).unwrap();
            (std::fs::read(&path).unwrap(), TextCodec::open(&path).unwrap())
        };
        let ((first, opened), (second, _)) = (write("first"), write("second"));
        assert_eq!(first, second);
        let again = TextCodec::learn(&texts(), 400).unwrap();
        assert_eq!(opened.encode("banks fall").unwrap(), again.encode("banks fall").unwrap());
    }

    #[test]
    fn a_tokenizer_without_an_end_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        TextCodec::learn(&texts(), 300).unwrap().save(&path).unwrap();
        let without = std::fs::read_to_string(&path).unwrap().replace(END, "<end>");
        std::fs::write(&path, without).unwrap();
        let error = TextCodec::open(&path).unwrap_err();
        let TrainingError::Inference(InferenceError::TokenizerFile { source, .. }) = error else { panic!("{error}") };
        assert!(source.to_string().contains(END), "{source}");
    }
}
