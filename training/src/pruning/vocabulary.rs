//! Vocabularies cut down to what texts use (Abdaoui and others, "Load What You Need: Smaller Versions of Multilingual BERT",
//! 2020). Half of a small encoder's parameters are the vectors of tokens, of which the texts of one field use a part.
//!
//! WordPiece takes the longest token that fits, and goes on behind it. A word whose tokens all stay is therefore read as before, and
//! one whose tokens do not is read in shorter pieces: single characters of the texts' scripts always stay. Those of other scripts go,
//! which are two thirds of an English vocabulary's.

mod tokens;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

use foundation::progress::{Progress, Unit};
use inference::TextTokenizer;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::files::{ModelFiles, keep_rows};
use crate::directory::{read_json, write_json};
use crate::error::TrainingError;
use tokens::Vocabulary;

const TOKENIZER: &str = "tokenizer.json";

/// The weights with a row for each token: the word vectors, and the head of a masked language model.
const BY_TOKEN: [&str; 4] = [
    "embeddings.word_embeddings.weight",
    "cls.predictions.bias",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
];

/// Which tokens stay, beside the special ones and single characters of the texts' scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptTokens {
    /// Those that the texts use at least so often.
    pub least: NonZeroUsize,
    /// Of these, so many of the commonest; all where it is not set.
    pub most: Option<NonZeroUsize>,
}

/// What became of a vocabulary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VocabularyReport {
    /// The texts that were looked at.
    pub texts: usize,
    /// Their tokens, but for the special ones.
    pub tokens: u64,
    /// The share of these that stay as they are; the others become shorter pieces.
    pub kept_share: f64,
    /// The tokens of the vocabulary before.
    pub before: usize,
    /// The tokens of the vocabulary now.
    pub after: usize,
}

/// Writes the model of `source` into `target` with the tokens that `texts` use. Texts of these tokens alone have the same answers.
///
/// # Errors
///
/// [`TrainingError::NoTokens`] if there is no word in the texts, [`TrainingError::Pruning`] if the vocabulary is not WordPiece's, and
/// what reading and writing say.
pub fn trim_vocabulary(
    source: &Path,
    target: &Path,
    texts: &[String],
    kept: KeptTokens,
) -> Result<VocabularyReport, TrainingError> {
    let mut files = ModelFiles::read(source)?;
    let before = files.config.vocab_size;
    let mut tokenizer = read_json(&source.join(TOKENIZER))?;
    let vocabulary = Vocabulary::of(&tokenizer, before).map_err(|message| files.refused(TOKENIZER, message))?;
    let counter = TextTokenizer::open_for_counting(&source.join(TOKENIZER))?.of_cleaning(files.config.text_cleaning);
    let counts = count(&counter, texts, before)?;
    let special = vocabulary.special();
    let of_words = |id: &u32| !special.contains(id);
    let sum = |ids: &mut dyn Iterator<Item = u32>| ids.filter(of_words).map(|id| counts[id as usize]).sum::<u64>();
    let tokens = sum(&mut (0..before as u32));
    if tokens == 0 {
        return Err(TrainingError::NoTokens { texts: texts.len() });
    }
    let config_ids = ids_of(&files.config.raw, before);
    let mut ids: BTreeSet<u32> =
        vocabulary.needed(|id| counts[id as usize] > 0).chain(config_ids.iter().map(|(_, id)| *id)).collect();
    ids.extend(used(&counts, kept, special));
    let ids: Vec<u32> = ids.into_iter().collect();
    let new_id = |old: u32| ids.binary_search(&old).ok().map(|new| new as u32);

    tokens::renumber(&mut tokenizer, &new_id);
    for tensor in files.tensors.iter_mut().filter(|tensor| BY_TOKEN.iter().any(|name| tensor.name.ends_with(name))) {
        if tensor.shape.first() != Some(&before) {
            let message = format!("{} has shape {:?}, config.json's vocab_size is {before}", tensor.name, tensor.shape);
            return Err(TrainingError::Pruning { path: source.join("model.safetensors"), message });
        }
        keep_rows(tensor, ids.iter().map(|id| *id as usize));
    }
    let mut changes = Map::from_iter([("vocab_size".to_owned(), json!(ids.len()))]);
    changes.extend(config_ids.into_iter().map(|(key, id)| (key, json!(new_id(id)))));
    files.write(target, changes)?;
    write_json(&target.join(TOKENIZER), &tokenizer)?;
    write_others(source, target, &tokenizer, &new_id)?;
    let kept_share = sum(&mut ids.iter().copied()) as f64 / tokens as f64;
    Ok(VocabularyReport { texts: texts.len(), tokens, kept_share, before, after: ids.len() })
}

/// How often the texts use each token.
fn count(tokenizer: &TextTokenizer, texts: &[String], size: usize) -> Result<Vec<u64>, TrainingError> {
    let progress = Progress::start("counting tokens", Some(texts.len() as u64), Unit::Items("texts"));
    let mut counts = vec![0; size];
    for text in texts {
        for id in tokenizer.encode(text)?.ids() {
            counts[*id as usize] += 1;
        }
        progress.advance(1);
    }
    progress.finish();
    Ok(counts)
}

/// The tokens of words that are used often enough, from the commonest.
fn used(counts: &[u64], kept: KeptTokens, special: &BTreeSet<u32>) -> impl Iterator<Item = u32> {
    let is_used = |count: u64, id: &u32| count >= kept.least.get() as u64 && !special.contains(id);
    let often = counts.iter().zip(0u32..).filter(|(count, id)| is_used(**count, id));
    let mut often: Vec<(Reverse<u64>, u32)> = often.map(|(count, id)| (Reverse(*count), id)).collect();
    often.sort_unstable();
    often.into_iter().map(|(_, id)| id).take(kept.most.map_or(usize::MAX, NonZeroUsize::get))
}

/// The keys of `config.json` that name tokens, and those.
fn ids_of(config: &Map<String, Value>, size: usize) -> Vec<(String, u32)> {
    let ids = config.iter().filter(|(key, _)| key.ends_with("_token_id"));
    let ids = ids.filter_map(|(key, id)| Some((key.clone(), u32::try_from(id.as_u64()?).ok()?)));
    ids.filter(|(_, id)| (*id as usize) < size).collect()
}

/// What other files than `tokenizer.json` say of the vocabulary.
fn write_others(
    source: &Path,
    target: &Path,
    tokenizer: &Value,
    new_id: &impl Fn(u32) -> Option<u32>,
) -> Result<(), TrainingError> {
    let list = target.join("vocab.txt");
    if list.exists() {
        std::fs::write(&list, tokens::list(tokenizer))
            .map_err(|source| TrainingError::Unwritable { path: list.clone(), source })?;
    }
    let path = source.join("tokenizer_config.json");
    if path.exists() {
        let mut config = read_json(&path)?;
        if let Some(Value::Object(added)) = config.get_mut("added_tokens_decoder") {
            let renumbered = |(id, token): (String, Value)| Some((new_id(id.parse().ok()?)?.to_string(), token));
            *added = std::mem::take(added).into_iter().filter_map(renumbered).collect();
        }
        write_json(&target.join("tokenizer_config.json"), &config)?;
    }
    Ok(())
}
