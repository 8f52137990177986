//! Words near in the base encoder.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::WordChange;
use super::vocabulary::Vocabulary;
use super::words::{parts, replace};
use crate::engine::{EncoderConfig, Weights};
use crate::error::TrainingError;
use crate::random::Random;

/// How many neighbours a word has at most.
const NEAREST: usize = 5;
/// The lowest cosine of a neighbour: what is farther off has little to do with the word.
const LEAST: f32 = 0.5;

/// Words become neighbours of theirs: whole words of the vocabulary whose vectors in the encoder's table have the highest cosine
/// (Wang and Yang, "That's So Annoying!!!", 2015). Opposites may be neighbours, since they stand in like places: use it with care
/// where a label hangs on one word.
#[derive(Debug)]
pub(super) struct Neighbours {
    /// The share of words of the vocabulary that are replaced.
    rate: f64,
    vocabulary: Vocabulary,
    /// Of length 1 each: `[vocabulary, width]`.
    vectors: Vec<f32>,
    width: usize,
    /// What was looked for.
    found: Mutex<HashMap<u32, Arc<[u32]>>>,
}

impl Neighbours {
    /// Reads the vocabulary and its vectors from a base encoder's directory.
    pub(super) fn load(base: &Path, rate: f64) -> Result<Self, TrainingError> {
        let config = EncoderConfig::load(base)?;
        let vocabulary = Vocabulary::load(base, &config)?;
        let (size, width) = (config.vocab_size, config.hidden_size);
        let mut vectors = Weights::load(base)?.values("embeddings.word_embeddings.weight", &[size, width])?;
        for vector in vectors.chunks_exact_mut(width) {
            let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector.iter_mut().for_each(|value| *value /= length.max(f32::MIN_POSITIVE));
        }
        Ok(Self { rate, vocabulary, vectors, width, found: Mutex::default() })
    }

    /// A word's neighbours, the nearest first.
    fn nearest(&self, id: u32) -> Arc<[u32]> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.entry(id).or_insert_with(|| self.search(id)).clone()
    }

    fn search(&self, id: u32) -> Arc<[u32]> {
        let vector = |id: u32| &self.vectors[id as usize * self.width..][..self.width];
        let own = vector(id);
        let cosine = |other: u32| own.iter().zip(vector(other)).map(|(one, other)| one * other).sum::<f32>();
        let others = self.vocabulary.ids().filter(|other| *other != id);
        let mut near: Vec<(f32, u32)> =
            others.map(|other| (cosine(other), other)).filter(|(cosine, _)| *cosine >= LEAST).collect();
        near.sort_by(|one, other| other.0.total_cmp(&one.0));
        near.into_iter().take(NEAREST).map(|(_, id)| id).collect()
    }
}

impl WordChange for Neighbours {
    fn change(&self, words: &mut Vec<String>, random: &mut Random) {
        for word in words {
            let Some(id) = self.vocabulary.id(parts(word).1).filter(|_| random.unit() < self.rate) else { continue };
            let near = self.nearest(id);
            if !near.is_empty()
                && let Some(by) = self.vocabulary.word(near[random.below(near.len())])
            {
                replace(word, by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::tests::base;

    #[test]
    fn a_word_becomes_one_that_is_near_and_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let mut neighbours = Neighbours::load(&base(directory.path()), 1.0).unwrap();
        let id = |word: &str| neighbours.vocabulary.id(word).unwrap() as usize;
        let (rain, shares, today) = (id("rain"), id("shares"), id("today"));
        assert_eq!(neighbours.vocabulary.id("up"), None, "short words are left");
        let width = neighbours.width;
        neighbours.vectors.fill(0.0);
        for (id, [first, second]) in [(rain, [1.0, 0.0]), (shares, [0.8, 0.6]), (today, [-0.6, 0.8])] {
            neighbours.vectors[id * width..][..2].copy_from_slice(&[first, second]);
        }
        // Cosines: 0.8 of rain and shares, 0 of shares and today, -0.6 of rain and today.
        let mut words: Vec<String> = ["Rain,", "shares", "today", "up", "unknown"].map(str::to_owned).into();
        neighbours.change(&mut words, &mut Random::new(1, "test"));
        assert_eq!(words, ["Shares,", "rain", "today", "up", "unknown"]);
    }
}
