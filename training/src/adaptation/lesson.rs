//! What one text, or pair of texts, is learned by.

use inference::TextTokenizer;

use super::masking::{Masked, Masker};
use super::pairs::PairTask;
use crate::engine::Sequence;
use crate::error::TrainingError;
use crate::random::Random;

/// Makes lessons of texts, or of pairs of texts.
pub(super) struct Reader {
    pub(super) tokenizer: TextTokenizer,
    pub(super) masker: Masker,
    pub(super) pairs: Option<PairTask>,
}

/// A text, or pair of texts, with hidden words.
pub(super) struct Lesson {
    pub(super) masked: Masked,
    /// Each token's type: 1 in the second text.
    pub(super) types: Box<[u8]>,
    /// What is to be answered of a pair.
    pub(super) answer: Option<usize>,
}

impl Reader {
    /// A lesson of the text at this place; `random` draws words, then pairs.
    pub(super) fn lesson(
        &self,
        texts: &[String],
        at: usize,
        random: &mut [Random; 2],
    ) -> Result<Lesson, TrainingError> {
        let [words, pairs] = random;
        let drawn = self.pairs.map(|task| task.draw(texts, at, pairs));
        let tokens = self.tokenizer.encode(drawn.as_ref().map_or(&texts[at], |(text, _)| text))?;
        let masked = self.masker.hide(tokens.ids(), words);
        Ok(Lesson { masked, types: tokens.types().into(), answer: drawn.map(|(_, answer)| answer) })
    }
}

impl Lesson {
    pub(super) fn sequence(&self) -> Sequence<'_> {
        Sequence { tokens: &self.masked.tokens, read: &[Some(0)], types: &self.types }
    }
}
