//! Which figures a sentence sets beside each other.

use std::collections::HashSet;

use super::figure::{Figure, figures};
use super::words::{Word, words};

/// Words that set an earlier figure beside one of now.
const COMPARING: [&str; 5] = ["compared", "versus", "vs", "against", "from"];
/// Words before a "from" that names a lower bound.
const RANGE: [&str; 4] = ["range", "ranges", "ranging", "ranged"];
/// How many words may stand between a figure and what compares it: "EUR 253.2 million for 2010 , compared with".
const BEFORE: usize = 12;
/// How many words may stand between what compares and the earlier figure: "compared to a loss of EUR 0.7 mn".
const AFTER: usize = 9;
/// The same behind "from", which has other uses: "from the previous year's EUR 5 mn".
const AFTER_FROM: usize = 5;
/// The same for numbers that count nothing that is named: they stand close where they are compared.
const BEFORE_BARE: usize = 4;
const AFTER_BARE: usize = 2;

/// A text's words and figures.
pub(super) struct Sentence<'a> {
    words: Vec<Word<'a>>,
    figures: Vec<Figure>,
}

impl<'a> Sentence<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        Self { words: words(text), figures: figures(text) }
    }

    /// Every figure of now with the earlier one that it is set beside, where words do not tell them apart already: a profit from a
    /// loss. A sentence that shares out several by "respectively" has none.
    pub(super) fn pairs(&self) -> Vec<(&Figure, &Figure)> {
        if self.figures.len() < 2 || self.words.iter().any(|word| word.is("respectively")) {
            return Vec::new();
        }
        let (mut pairs, mut earlier) = (Vec::new(), HashSet::new());
        for word in &self.words {
            let Some(old) = self.earlier(word) else { continue };
            // A figure of before is none of now.
            if let Some(new) = self.later(word, old).filter(|new| !earlier.contains(&new.span.start)) {
                pairs.push((new, old));
            }
            earlier.insert(old.span.start);
        }
        pairs.retain(|(new, old)| self.are_of_one_sign(new, old));
        pairs
    }

    /// The figure of before that this word sets beside one of now, if it does that.
    fn earlier(&self, word: &Word<'_>) -> Option<&Figure> {
        let bracketed = word.opens_bracket();
        if !bracketed && !COMPARING.iter().any(|own| word.is(own)) || self.begins_range(word) {
            return None;
        }
        let from = if bracketed { word.start } else { word.end };
        let old = self.figures_from(from).first()?;
        let between = match self.between(from, old.span.start) {
            [to, rest @ ..] if word.is("compared") && to.is("to") => rest,
            all => all,
        };
        let is_from = word.is("from");
        let most = match () {
            () if bracketed => 1,
            () if old.is_bare() => AFTER_BARE,
            () if is_from => AFTER_FROM,
            () => AFTER,
        };
        let goes_on = |word: &Word<'_>| {
            let parts = word.ends_sentence || is_from && word.ends_part;
            !parts && !["and", "to", "while"].iter().any(|own| word.is(own))
        };
        (between.len() <= most && between.iter().all(goes_on)).then_some(old)
    }

    /// The figure of now that the word sets beside the one of before.
    fn later(&self, word: &Word<'_>, old: &Figure) -> Option<&Figure> {
        let near = |new: &&Figure| self.between(old.span.end, new.span.start).len() <= BEFORE;
        let mut after = self.figures_from(old.span.end).iter().take_while(near);
        // "from 5 to 6": the figure of now comes second.
        if word.is("from")
            && let Some(new) = after.find(|figure| figure.is_beside(old))
        {
            let between = self.between(old.span.end, new.span.start);
            let parts = |word: &Word<'_>| word.ends_part || ["and", "while", "from"].iter().any(|own| word.is(own));
            let most = if old.is_bare() { BEFORE_BARE } else { BEFORE };
            if between.iter().any(|word| word.is("to")) && between.len() <= most && !between.iter().any(parts) {
                return Some(new);
            }
        }
        let before = self.figures.partition_point(|figure| figure.span.end <= word.start);
        let near = |new: &&Figure| self.between(new.span.end, word.start).len() <= BEFORE;
        let mut before = self.figures[..before].iter().rev().take_while(near);
        if word.opens_bracket() {
            // Right before: "EUR 131 mn (EUR 76 mn)". The same amount in another currency is no earlier one.
            let is_next =
                |figure: &&Figure| self.between(figure.span.end, word.start).is_empty() && figure.is_like(old);
            return before.next().filter(is_next);
        }
        let new = before.find(|figure| figure.is_beside(old))?;
        let between = self.between(new.span.end, word.start);
        let most = if new.is_bare() && old.is_bare() { BEFORE_BARE } else { BEFORE };
        (between.len() <= most && !between.iter().any(|word| word.ends_sentence)).then_some(new)
    }

    /// Whether it is the "from" of what lies between two bounds.
    fn begins_range(&self, word: &Word<'_>) -> bool {
        let before = self.words_until(word.start).last();
        word.is("from") && before.is_some_and(|before| RANGE.iter().any(|own| before.is(own)))
    }

    /// The figures that begin here or later.
    fn figures_from(&self, at: usize) -> &[Figure] {
        &self.figures[self.figures.partition_point(|figure| figure.span.start < at)..]
    }

    /// The words that begin here or later.
    pub(super) fn words_from(&self, at: usize) -> &[Word<'a>] {
        &self.words[self.words.partition_point(|word| word.start < at)..]
    }

    /// The words that end here or earlier.
    fn words_until(&self, at: usize) -> &[Word<'a>] {
        &self.words[..self.words.partition_point(|word| word.end <= at)]
    }

    /// The words between two places; with that of which only marks stand there: "mn.".
    fn between(&self, from: usize, to: usize) -> &[Word<'a>] {
        let first = self.words.partition_point(|word| word.end <= from);
        let behind = self.words.partition_point(|word| word.start < to);
        &self.words[first..behind.max(first)]
    }

    /// Whether both are profits, or both losses, as far as words tell.
    fn are_of_one_sign(&self, new: &Figure, old: &Figure) -> bool {
        match (self.is_loss(new), self.is_loss(old)) {
            (Some(new), Some(old)) => new == old,
            (None, Some(is_loss)) => !is_loss,
            (_, None) => true,
        }
    }

    /// Whether a figure is a loss, where it is said of a result: behind it, or else before.
    fn is_loss(&self, figure: &Figure) -> Option<bool> {
        let compares = |word: &&Word<'_>| COMPARING.iter().any(|own| word.is(own));
        let behind = self.words_from(figure.span.end).iter().take(2);
        let behind = behind.take_while(|word| !compares(word)).find_map(result);
        let before = || {
            let words = self.words_until(figure.span.start).iter().rev();
            words.take(BEFORE).take_while(|word| !word.ends_sentence).find_map(result)
        };
        behind.or_else(before)
    }
}

/// Whether it is a loss, of a word that names a result.
fn result(word: &Word<'_>) -> Option<bool> {
    let is_one_of = |names: &[&str]| names.iter().any(|name| word.is(name));
    match () {
        () if is_one_of(&["loss", "losses"]) => Some(true),
        () if is_one_of(&["profit", "profits", "earnings", "income", "gain", "ebit", "ebitda", "eps"]) => Some(false),
        () => None,
    }
}
