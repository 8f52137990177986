//! Words that a masked language model guesses.

use std::path::Path;
use std::sync::Arc;

use foundation::progress::{Progress, Unit};

use super::Augmenter;
use super::vocabulary::Vocabulary;
use super::words::{parts, replace};
use crate::engine::{EncoderConfig, MaskedLanguageModel, PackedBatch, Weights};
use crate::error::TrainingError;
use crate::random::Random;

/// Texts that are asked about at once.
const BATCH: usize = 32;
/// How many guesses a word is drawn from.
const LIKELIEST: usize = 10;

/// Words are hidden and become others that a masked language model guesses in their place, drawn by probability from its ten
/// likeliest (Kobayashi, "Contextual Augmentation", 2018, with BERT's guesses as Wu and others, "Conditional BERT Contextual
/// Augmentation", 2019, but without the label, which the model has not learned).
#[derive(Debug)]
pub(super) struct MaskedWords {
    /// The share of words of the vocabulary that are replaced.
    rate: f64,
    vocabulary: Vocabulary,
    mask: u32,
    model: MaskedLanguageModel,
}

/// A text with hidden words.
struct Hidden {
    words: Vec<String>,
    tokens: Vec<u32>,
    /// Which of the words, where among the tokens, and what stood there.
    places: Vec<(usize, u32, u32)>,
}

impl MaskedWords {
    /// Loads a model as `pulsewire adapt` leaves it.
    ///
    /// # Errors
    ///
    /// [`TrainingError::BaseEncoder`] for an encoder that has not learned to guess words.
    pub(super) fn load(directory: &Path, rate: f64) -> Result<Self, TrainingError> {
        let config = EncoderConfig::load(directory)?;
        let weights = Weights::load(directory)?;
        let refused = |message: &str| TrainingError::BaseEncoder {
            path: directory.to_owned(),
            message: format!("{message}; `pulsewire adapt` makes an encoder that \"masked\" augmentation can ask"),
        };
        if !MaskedLanguageModel::is_in(&weights) {
            return Err(refused("has not learned to guess hidden words (it has no weights cls.predictions)"));
        }
        let vocabulary = Vocabulary::load(directory, &config)?;
        let mask = vocabulary.tokenizer.id("[MASK]").ok_or_else(|| refused("has no [MASK] token"))?;
        Ok(Self { rate, vocabulary, mask, model: MaskedLanguageModel::new(&config, &weights, 0)? })
    }

    fn hide(&self, text: &str, random: &mut Random) -> Result<Hidden, TrainingError> {
        let words: Vec<&str> = text.split(' ').collect();
        let read = self.vocabulary.tokenizer.encode_words(&words)?;
        let mut tokens = read.tokens().ids().to_vec();
        let mut places = Vec::new();
        for (word, (written, first)) in words.iter().zip(read.firsts()).enumerate() {
            let Some(place) = *first else { continue };
            let id = self.vocabulary.id(parts(written).1).filter(|id| *id == tokens[place]);
            if let Some(id) = id.filter(|_| random.unit() < self.rate) {
                tokens[place] = self.mask;
                places.push((word, place as u32, id));
            }
        }
        Ok(Hidden { words: words.into_iter().map(str::to_owned).collect(), tokens, places })
    }

    /// Puts guesses in the places of what is hidden in some texts.
    fn guess(&self, texts: &mut [Hidden], random: &mut Random) -> Result<(), TrainingError> {
        let (mut places, mut first) = (Vec::new(), 0);
        for text in &*texts {
            places.extend(text.places.iter().map(|(_, place, _)| first + place));
            first += text.tokens.len() as u32;
        }
        if places.is_empty() {
            return Ok(());
        }
        let batch = Arc::new(PackedBatch::new(texts.iter().map(|text| text.tokens.as_slice())));
        let mut scores = self.model.scores(&batch, &places)?.into_iter();
        for Hidden { words, places, .. } in texts {
            for ((word, _, own), scores) in places.iter().zip(&mut scores) {
                if let Some(by) = self.draw(&scores, *own, random) {
                    replace(&mut words[*word], by);
                }
            }
        }
        Ok(())
    }

    /// A whole word other than this one, by its probability among the likeliest.
    fn draw(&self, scores: &[f32], own: u32, random: &mut Random) -> Option<&str> {
        let mut guesses: Vec<u32> =
            self.vocabulary.ids().filter(|id| *id != own && (*id as usize) < scores.len()).collect();
        let score = |id: &u32| scores[*id as usize];
        guesses.sort_by(|one, other| score(other).total_cmp(&score(one)));
        guesses.truncate(LIKELIEST);
        let highest = score(guesses.first()?);
        let powers: Vec<f64> = guesses.iter().map(|id| f64::from(score(id) - highest).exp()).collect();
        let mut left = random.unit() * powers.iter().sum::<f64>();
        let passed = powers.iter().position(|power| {
            left -= power;
            left < 0.0
        });
        self.vocabulary.word(guesses[passed.unwrap_or(0)])
    }
}

impl Augmenter for MaskedWords {
    fn augment(&self, texts: &[&str], random: &mut Random) -> Result<Vec<String>, TrainingError> {
        let progress = Progress::start("guessing words", Some(texts.len() as u64), Unit::Items("texts"));
        let mut changed = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            let mut hidden = batch.iter().map(|text| self.hide(text, random)).collect::<Result<Vec<_>, _>>()?;
            self.guess(&mut hidden, random)?;
            changed.extend(hidden.into_iter().map(|text| text.words.join(" ")));
            progress.advance(batch.len() as u64);
        }
        progress.finish();
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trainer::tests::{WORDS, base};

    /// A model that guesses `rain`, and `today` where that stood.
    fn model(directory: &Path) -> std::path::PathBuf {
        let base = base(directory);
        let path = base.join("tokenizer.json");
        let tokenizer = std::fs::read_to_string(&path).unwrap().replace(WORDS[8], "[MASK]");
        std::fs::write(&path, tokenizer).unwrap();
        let config = EncoderConfig::load(&base).unwrap();
        let model = MaskedLanguageModel::new(&config, &Weights::load(&base).unwrap(), 1).unwrap();
        let parameters = model.parameters();
        let bias = parameters.into_iter().find(|parameter| parameter.name() == "cls.predictions.bias").unwrap();
        let id = |word: &str| 4 + WORDS.iter().position(|own| *own == word).unwrap();
        bias.value_mut()[id("rain")] = 200.0;
        bias.value_mut()[id("today")] = 100.0;
        model.save(&base.join("model.safetensors")).unwrap();
        base
    }

    #[test]
    fn words_become_what_the_model_guesses() {
        let directory = tempfile::tempdir().unwrap();
        let directory = model(directory.path());
        let augment = |rate| {
            let model = MaskedWords::load(&directory, rate).unwrap();
            let texts = ["Shares down, today.", "rain and SHARES", "up"];
            model.augment(&texts, &mut Random::new(1, "test")).unwrap()
        };
        assert_eq!(augment(1.0), ["Rain rain, rain.", "today and RAIN", "up"]);
        assert_eq!(augment(1e-9), ["Shares down, today.", "rain and SHARES", "up"]);
        let texts = vec!["shares"; 400];
        let model = MaskedWords::load(&directory, 0.25).unwrap();
        let changed = model.augment(&texts, &mut Random::new(1, "test")).unwrap();
        let share = changed.iter().filter(|text| *text == "rain").count();
        assert!((75..125).contains(&share), "{share} of 400 at a rate of 0.25");
        assert_eq!(changed, model.augment(&texts, &mut Random::new(1, "test")).unwrap());
    }
}
