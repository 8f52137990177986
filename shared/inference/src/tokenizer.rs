//! Texts to tokens, at a cost that a text's length cannot run away with.

mod shape;
mod spans;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use tokenizers::{EncodeInput, Encoding, Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

use crate::cleaning::TextRules;
use crate::error::InferenceError;
use crate::pair;

pub use shape::WORD_SHAPES;
pub use spans::{SpannedTokens, WordSpan};

/// The longest input of a model whose `config.json` and `tokenizer.json` do not tell it.
const DEFAULT_MAX_TOKENS: usize = 512;

/// The longest input of a tokenizer that only counts.
const COUNTED_TOKENS: usize = 1 << 20;

/// How many characters are read for each token that the model can take, first and, where that gave too few tokens, last.
///
/// English needs four to five. Beyond the last, a text is noise: one word of [`MAX_WORD`] characters after another.
const CHARACTERS_PER_TOKEN: [usize; 2] = [10, 100];

/// A cut looks back this far for a space, so that it does not go through a word.
const MAX_WORD: usize = 100;

/// One text, or a pair of them, as a model's input, special tokens included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    ids: Box<[u32]>,
    types: Box<[u8]>,
}

impl Tokens {
    /// Tokens of these vocabulary ids, all of type 0.
    pub fn new(ids: impl Into<Box<[u32]>>) -> Self {
        let ids = ids.into();
        Self { types: vec![0; ids.len()].into(), ids }
    }

    #[cfg(test)]
    pub(crate) fn typed<const N: usize>(ids: [u32; N], types: [u8; N]) -> Self {
        Self { ids: ids.into(), types: types.into() }
    }

    /// Each token's type: of a pair, 1 in the second text; of words whose shapes count, its word's shape; else 0.
    pub fn types(&self) -> &[u8] {
        &self.types
    }

    /// Vocabulary ids.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The number of tokens; at least the special ones.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token at all, which only a tokenizer without special tokens gives.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// A text of words as a model's input, and where in it the words stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordTokens {
    tokens: Tokens,
    firsts: Box<[Option<usize>]>,
}

impl WordTokens {
    /// The tokens of all words, special tokens included.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// For each word, the place of its first token; none for a word that the cut took, or of which the tokenizer leaves nothing.
    pub fn firsts(&self) -> &[Option<usize>] {
        &self.firsts
    }
}

/// A model's tokenizer: truncates to what the model takes, and never pads.
pub struct TextTokenizer {
    inner: Tokenizer,
    max_tokens: usize,
    pairs: bool,
    shapes: bool,
    cleaning: TextRules,
}

impl TextTokenizer {
    /// Opens a `tokenizer.json`. The longest input is the shorter of the file's own truncation and of `positions`.
    pub fn open(path: &Path, positions: Option<usize>) -> Result<Self, InferenceError> {
        let inner = Self::read(path)?;
        let of_file = inner.get_truncation().map(|truncation| truncation.max_length);
        let max_tokens = of_file.into_iter().chain(positions).min().unwrap_or(DEFAULT_MAX_TOKENS);
        Self::cutting(inner, path, max_tokens)
    }

    /// Opens a `tokenizer.json` whose own truncation does not count: texts are cut to `max_tokens`.
    pub fn open_cutting_at(path: &Path, max_tokens: usize) -> Result<Self, InferenceError> {
        Self::cutting(Self::read(path)?, path, max_tokens)
    }

    /// Opens a `tokenizer.json` to count tokens rather than to feed a model: texts are cut only beyond a million tokens.
    pub fn open_for_counting(path: &Path) -> Result<Self, InferenceError> {
        Self::open_cutting_at(path, COUNTED_TOKENS)
    }

    /// The same tokenizer for pairs of texts ([`pair`]), or for texts.
    pub fn of_pairs(self, pairs: bool) -> Self {
        Self { pairs, ..self }
    }

    /// The same tokenizer, whose words' shapes are their tokens' types ([`WORD_SHAPES`]), or whose words are all of type 0.
    pub fn of_word_shapes(self, shapes: bool) -> Self {
        Self { shapes, ..self }
    }

    /// The same tokenizer, which cleans texts by these rules before it reads them.
    pub fn of_cleaning(self, cleaning: TextRules) -> Self {
        Self { cleaning, ..self }
    }

    fn read(path: &Path) -> Result<Tokenizer, InferenceError> {
        Tokenizer::from_file(path).map_err(|source| InferenceError::TokenizerFile { path: path.to_owned(), source })
    }

    fn cutting(mut inner: Tokenizer, path: &Path, max_tokens: usize) -> Result<Self, InferenceError> {
        let truncation = TruncationParams {
            direction: TruncationDirection::Right,
            max_length: max_tokens,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        inner
            .with_truncation(Some(truncation))
            .map_err(|source| InferenceError::TokenizerFile { path: path.to_owned(), source })?;
        inner.with_padding(None);
        Ok(Self { inner, max_tokens, pairs: false, shapes: false, cleaning: TextRules::default() })
    }

    /// The longest input, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// How texts are cleaned before they are read.
    pub fn cleaning(&self) -> TextRules {
        self.cleaning
    }

    /// The number of tokens in the vocabulary.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The id of a token of the vocabulary, as the file spells it.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// How the file spells the token of an id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Tokenises one text, [cleaned](Self::of_cleaning) and cut to the longest input. Of a pair, as `[CLS] first [SEP] second [SEP]` (Devlin and others, "BERT",
    /// 2019), the longer text is cut until both fit.
    ///
    /// # Errors
    ///
    /// [`InferenceError::NoPair`] if this is a tokenizer of pairs and the text is none.
    pub fn encode(&self, text: &str) -> Result<Tokens, InferenceError> {
        let encoding = self.encode_head(&self.cleaned(text), |head| self.inner.encode_fast(head, true))?;
        let mut tokens = Tokens::new(encoding.get_ids());
        if self.pairs {
            tokens.types = encoding.get_type_ids().iter().map(|kind| u8::from(*kind > 0)).collect();
        }
        Ok(tokens)
    }

    /// The same of a single text that is clean already, with the words that the tokens are pieces of.
    pub fn encode_spans(&self, text: &str) -> Result<SpannedTokens, InferenceError> {
        Ok(SpannedTokens::of(&self.encode_head(text, |head| self.inner.encode(head, true))?))
    }

    /// A text, or each of a pair, by the rules; no more of it than can be read.
    fn cleaned<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.cleaning.change_texts() {
            return Cow::Borrowed(text);
        }
        let longest = CHARACTERS_PER_TOKEN[1] * self.max_tokens;
        let tidied = |text| self.cleaning.tidied(cut(text, longest));
        Cow::Owned(match pair::split(text).filter(|_| self.pairs) {
            Some((first, second)) => pair::join(&tidied(first), &tidied(second)),
            None => tidied(text),
        })
    }

    /// Encodes as much of a text, or of the two of a pair, as fills the longest input.
    fn encode_head(
        &self,
        text: &str,
        encode: impl Fn(EncodeInput<'_>) -> tokenizers::Result<Encoding>,
    ) -> Result<Encoding, InferenceError> {
        let (first, second) = match self.pairs {
            true => pair::split(text).map(|(first, second)| (first, Some(second))).ok_or(InferenceError::NoPair)?,
            false => (text, None),
        };
        let mut encoding = Encoding::default();
        for characters in CHARACTERS_PER_TOKEN {
            let head = |text| cut(text, characters * self.max_tokens);
            let (first_head, second_head) = (head(first), second.map(head));
            let input = match second_head {
                Some(second_head) => (first_head, second_head).into(),
                None => first_head.into(),
            };
            encoding = encode(input).map_err(|source| InferenceError::Tokenise { bytes: text.len(), source })?;
            let is_whole = first_head.len() == first.len() && second_head.map(str::len) == second.map(str::len);
            if is_whole || encoding.len() >= self.max_tokens {
                break;
            }
        }
        Ok(encoding)
    }

    /// Tokenises words, each for itself and as it is, and cuts the text to the longest input. A word is read by its first token, as BERT is
    /// for named entities (Devlin and others, "BERT", 2019, section 5.3).
    pub fn encode_words(&self, words: &[&str]) -> Result<WordTokens, InferenceError> {
        let longest = CHARACTERS_PER_TOKEN[0] * self.max_tokens;
        // Each word gives a token, but for a rare one of characters that no token has.
        let read: Vec<&str> = words.iter().take(2 * self.max_tokens).map(|word| cut(word, longest)).collect();
        let encoding = self
            .inner
            .encode(read, true)
            .map_err(|source| InferenceError::Tokenise { bytes: words.iter().map(|word| word.len()).sum(), source })?;
        let mut tokens = Tokens::new(encoding.get_ids());
        let mut firsts = vec![None; words.len()];
        for (place, word) in encoding.get_word_ids().iter().enumerate().rev() {
            if let Some(word) = word.map(|word| word as usize) {
                firsts[word] = Some(place);
                tokens.types[place] = if self.shapes { shape::shape(words[word]) } else { 0 };
            }
        }
        Ok(WordTokens { tokens, firsts: firsts.into() })
    }
}

impl fmt::Debug for TextTokenizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TextTokenizer").field("max_tokens", &self.max_tokens).finish_non_exhaustive()
    }
}

/// The first `characters` of a text, or a little less to end at white space. Looks at no more of the text than that.
fn cut(text: &str, characters: usize) -> &str {
    if text.len() <= characters {
        return text;
    }
    let Some((end, _)) = text.char_indices().nth(characters) else { return text };
    let head = &text[..end];
    let space = head.char_indices().rev().take(MAX_WORD).find(|(_, character)| character.is_whitespace());
    space.map_or(head, |(space, _)| &head[..space])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_ends_at_white_space_or_between_characters() {
        #[track_caller]
        fn check(text: &str, characters: usize, expected: &str) {
            assert_eq!(cut(text, characters), expected);
        }
        check("shares fall", 11, "shares fall");
        check("shares fall", 9, "shares");
        check("shares fall", 6, "shares");
        check("çççççç", 3, "ççç");
        check("日本経済新聞", 6, "日本経済新聞");
        check("", 0, "");
        let word = "a".repeat(MAX_WORD * 2);
        check(&word, MAX_WORD + 1, &word[..MAX_WORD + 1]);
    }
}
