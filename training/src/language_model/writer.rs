//! A language model that writes.

use std::path::Path;

use serde::Serialize;

use super::Decoding;
use super::tokenizer::TextCodec;
use crate::engine::{Decoder, DecoderConfig, Memory, Weights};
use crate::error::TrainingError;
use crate::random::Random;

/// A language model with its tokenizer.
#[derive(Debug)]
pub struct LanguageModel {
    pub(super) decoder: Decoder,
    pub(super) codec: TextCodec,
    pub(super) positions: usize,
}

/// A text that a model wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The prompt and what the model added.
    pub text: String,
    /// How many tokens it added.
    pub tokens: usize,
    /// Whether the model ended it, rather than the limit.
    pub ended: bool,
}

impl LanguageModel {
    /// Opens the directory of a `GPT2LMHeadModel`: `config.json`, `model.safetensors` and `tokenizer.json`.
    pub fn open(directory: &Path) -> Result<Self, TrainingError> {
        let config = DecoderConfig::load(directory)?;
        let codec = TextCodec::open(&directory.join("tokenizer.json"))?;
        let decoder = Decoder::new(&config, &Weights::load(directory)?)?;
        Ok(Self { decoder, codec, positions: config.n_positions })
    }

    /// Continues a text, `count` times and each time otherwise, unless decoding is greedy. A text longer than the model's
    /// positions goes on from the latter half of what fits.
    pub fn write(&self, prompt: &str, decoding: &Decoding, count: usize) -> Result<Vec<Written>, TrainingError> {
        decoding.validate()?;
        let prompt = [vec![self.codec.end()], self.codec.encode(prompt)?].concat();
        (0..count)
            .map(|number| {
                let mut random = Random::new(decoding.seed, &format!("text {number}"));
                self.continued(prompt.clone(), decoding, &mut random)
            })
            .collect()
    }

    fn continued(
        &self,
        mut tokens: Vec<u32>,
        decoding: &Decoding,
        random: &mut Random,
    ) -> Result<Written, TrainingError> {
        let given = tokens.len();
        let mut memory = Memory::default();
        let (mut unmet, mut ended) = (given, false);
        while tokens.len() - given < decoding.max_tokens && !ended {
            if memory.tokens() + unmet > self.positions {
                (memory, unmet) = (Memory::default(), self.positions.div_ceil(2));
            }
            let scores = self.decoder.next(&tokens[tokens.len() - unmet..], &mut memory)?;
            let token = decoding.choose(&scores, random);
            ended = token == self.codec.end();
            if !ended {
                tokens.push(token);
                unmet = 1;
            }
        }
        Ok(Written { text: self.codec.decode(&tokens[1..])?, tokens: tokens.len() - given, ended })
    }
}
