//! `tokenizer.json`: which of its tokens cannot go, and what it says once others are gone.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value, json};
use unicode_script::{Script, UnicodeScript};

/// The tokens of a WordPiece vocabulary.
pub(super) struct Vocabulary {
    /// By their ids, which are in order.
    tokens: Vec<(u32, String)>,
    /// What a piece begins with that goes on with a word.
    continuing: String,
    unknown: Option<String>,
    /// Those that the file itself names by their ids.
    named: BTreeSet<u32>,
}

impl Vocabulary {
    /// Reads it; `size` is how many vectors of tokens there are.
    pub(super) fn of(tokenizer: &Value, size: usize) -> Result<Self, String> {
        let model = &tokenizer["model"];
        let (kind, vocabulary) = (model["type"].as_str().unwrap_or("of no type"), model["vocab"].as_object());
        let (Some(vocabulary), "WordPiece") = (vocabulary, kind) else {
            return Err(format!("the tokenizer is {kind}: only WordPiece vocabularies can be trimmed"));
        };
        let mut tokenizer = tokenizer.clone();
        let mut named = BTreeSet::new();
        each_id(&mut tokenizer, &mut |id| {
            named.extend(id.as_u64().and_then(|id| u32::try_from(id).ok()));
        });
        let token = |(token, id): (&String, &Value)| Some((u32::try_from(id.as_u64()?).ok()?, token.clone()));
        let mut tokens: Vec<(u32, String)> = vocabulary.iter().filter_map(token).collect();
        tokens.sort_unstable();
        match tokens.iter().map(|(id, _)| *id).chain(named.iter().copied()).find(|id| *id as usize >= size) {
            Some(id) => Err(format!("there is a token {id}, but config.json's vocab_size is {size}")),
            None => Ok(Self {
                tokens,
                continuing: model["continuing_subword_prefix"].as_str().unwrap_or("##").to_owned(),
                unknown: model["unk_token"].as_str().map(str::to_owned),
                named,
            }),
        }
    }

    /// The tokens that stand for no part of a text: they are added to it, or hold a place.
    pub(super) fn special(&self) -> &BTreeSet<u32> {
        &self.named
    }

    /// The tokens that must stay where texts use some of them: special ones, and single characters of these texts' scripts and of
    /// all scripts in common, so that there is a piece for whatever there was one for (scripts as in Unicode Standard Annex 24).
    pub(super) fn needed(&self, is_used: impl Fn(u32) -> bool) -> impl Iterator<Item = u32> {
        let words = self.tokens.iter().filter(|(id, token)| is_used(*id) && !self.is_special(*id, token));
        let mut scripts: HashSet<Script> =
            words.flat_map(|(_, token)| self.piece(token).chars()).map(|character| character.script()).collect();
        scripts.extend([Script::Common, Script::Inherited, Script::Unknown]);
        let is_needed = move |id: u32, token: &str| {
            let mut piece = self.piece(token).chars();
            let single = piece.next().filter(|_| piece.next().is_none());
            self.is_special(id, token) || single.is_some_and(|character| scripts.contains(&character.script()))
        };
        let needed = self.tokens.iter().filter(move |(id, token)| is_needed(*id, token)).map(|(id, _)| *id);
        needed.chain(self.named.iter().copied())
    }

    fn is_special(&self, id: u32, token: &str) -> bool {
        self.named.contains(&id) || self.unknown.as_deref() == Some(token)
    }

    /// The characters that a token stands for.
    fn piece<'a>(&self, token: &'a str) -> &'a str {
        token.strip_prefix(&self.continuing).filter(|piece| !piece.is_empty()).unwrap_or(token)
    }
}

/// Gives tokens their new ids, and takes those out that have none.
pub(super) fn renumber(tokenizer: &mut Value, new_id: &impl Fn(u32) -> Option<u32>) {
    let renumbered = |id: &Value| new_id(u32::try_from(id.as_u64()?).ok()?);
    if let Some(Value::Object(vocabulary)) = tokenizer.pointer_mut("/model/vocab") {
        let kept = std::mem::take(vocabulary).into_iter().filter_map(|(token, id)| Some((renumbered(&id)?, token)));
        let mut kept: Vec<(u32, String)> = kept.collect();
        kept.sort_unstable();
        *vocabulary = kept.into_iter().map(|(id, token)| (token, json!(id))).collect::<Map<_, _>>();
    }
    each_id(tokenizer, &mut |id| {
        if let Some(new) = renumbered(id) {
            *id = json!(new);
        }
    });
}

/// The tokens in the order of their ids, a line each.
pub(super) fn list(tokenizer: &Value) -> String {
    let vocabulary = tokenizer.pointer("/model/vocab").and_then(Value::as_object);
    vocabulary.into_iter().flat_map(Map::keys).map(|token| format!("{token}\n")).collect()
}

/// Visits each id outside of the vocabulary.
fn each_id(tokenizer: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    for token in tokenizer.get_mut("added_tokens").and_then(Value::as_array_mut).into_iter().flatten() {
        token.get_mut("id").into_iter().for_each(&mut *visit);
    }
    tokenizer.pointer_mut("/padding/pad_id").into_iter().for_each(&mut *visit);
    tokenizer.get_mut("post_processor").into_iter().for_each(|processor| each_id_around(processor, visit));
}

/// Visits the ids of what a post-processor puts around a text.
fn each_id_around(processor: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    for part in processor.get_mut("processors").and_then(Value::as_array_mut).into_iter().flatten() {
        each_id_around(part, visit);
    }
    for pair in ["/sep/1", "/cls/1"] {
        processor.pointer_mut(pair).into_iter().for_each(&mut *visit);
    }
    let special = processor.get_mut("special_tokens").and_then(Value::as_object_mut).into_iter().flatten();
    let ids = special.filter_map(|(_, token)| token.get_mut("ids")?.as_array_mut());
    ids.flatten().for_each(visit);
}
