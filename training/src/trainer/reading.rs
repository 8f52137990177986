//! A text as the encoder's input, and the places in it where heads read.

use std::path::Path;

use inference::{TextTokenizer, Tokens};

use crate::dataset::tagged;
use crate::engine::Sequence;
use crate::error::TrainingError;
use crate::run::TaskKind;

/// A tokenised text, or pair of texts.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) tokens: Tokens,
    /// Where the answers are read: at the first token for the text; for its words at the first token of each, and nowhere for a
    /// word that the encoder does not see.
    pub(super) places: Box<[Option<usize>]>,
}

impl Reading {
    pub(super) fn of(
        text: &str,
        kind: TaskKind,
        tokenizer: &TextTokenizer,
        base: &Path,
    ) -> Result<Self, TrainingError> {
        let (tokens, places): (Tokens, Box<[Option<usize>]>) = match kind {
            TaskKind::SingleLabel | TaskKind::MultiLabel | TaskKind::Regression => {
                (tokenizer.encode(text)?, [Some(0)].into())
            }
            TaskKind::Tokens => {
                let words = tokenizer.encode_words(&tagged::words(text))?;
                (words.tokens().clone(), words.firsts().into())
            }
        };
        if tokens.is_empty() {
            return Err(TrainingError::BaseEncoder {
                path: base.join("tokenizer.json"),
                message: format!("makes no token of {text:?}; it must add the special tokens"),
            });
        }
        Ok(Self { tokens, places })
    }

    /// What a batch is packed of.
    pub(super) fn sequence(&self) -> Sequence<'_> {
        Sequence { read: &self.places, ..(&self.tokens).into() }
    }

    /// Whether the same answers are read as of another.
    pub(super) fn answers_as(&self, other: &Self) -> bool {
        let seen = |reading: &Self| reading.places.iter().map(Option::is_some).collect::<Vec<_>>();
        seen(self) == seen(other)
    }

    /// Whether there is anything to read.
    pub(super) fn is_seen(&self) -> bool {
        self.places.iter().any(Option::is_some)
    }
}
