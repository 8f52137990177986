//! How far a text is about a company it names.

use std::ops::Range;

use super::words::{BOUNDARY, BREAK};

/// So many words of a text without a title count as its headline.
pub const HEADLINE_WORDS: usize = 32;

/// What a mention in the body is worth at the body's first word, and from [`BODY_FADES_AT`] on.
const BODY_SHARE: (f32, f32) = (0.5, 0.2);

/// The word of the body from which on a mention is worth no less.
const BODY_FADES_AT: f32 = 300.0;

/// How much each company named before takes from the next.
const ORDER_STEP: f32 = 0.25;

/// So many companies share a text without loss; a list of more is about none of them in particular.
const COMPANIES_WITHOUT_LOSS: f32 = 3.0;

/// The share of a company that is only the source of what is said.
const SOURCE_SHARE: f32 = 0.3;

/// Where a text names a company first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// In the title or, without a title, in the text's first [`HEADLINE_WORDS`] words.
    pub headline: bool,
    /// Words before the mention, in the headline or in the body.
    pub word: usize,
    /// How many other companies come before it, sources not counted before subjects.
    pub rank: usize,
    /// How many companies the whole message names, this one included.
    pub companies: usize,
    /// The company is named as the one who says, rates or reports: "Banks to need capital: Goldman".
    pub quoted_as_source: bool,
}

/// Relevance in [0, 1]: `share × 1 / (1 + 0.25 rank) × min(1, 3 / companies) × (0.3 if it is only the source)`, where
/// `share` is 1 in the headline and falls from 0.5 to 0.2 over the body's first 300 words.
///
/// So the one subject of a headline has 1.0, the second company of a headline 0.8, each of a list of six at most 0.5.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn relevance(place: &Place) -> f32 {
    let share = if place.headline {
        1.0
    } else {
        let faded = (place.word as f32 / BODY_FADES_AT).min(1.0);
        BODY_SHARE.0 + (BODY_SHARE.1 - BODY_SHARE.0) * faded
    };
    let order = 1.0 / (1.0 + ORDER_STEP * place.rank as f32);
    let crowd = (COMPANIES_WITHOUT_LOSS / place.companies.max(1) as f32).min(1.0);
    let source = if place.quoted_as_source { SOURCE_SHARE } else { 1.0 };
    share * order * crowd * source
}

/// Verbs of analysts and rating agencies about someone else.
const RATING_VERBS: &[&str] = &["downgrades", "downgraded", "upgrades", "upgraded", "initiates", "reinstates"];

/// Verbs that are an analyst's only where the headline speaks of ratings.
const CHANGING_VERBS: &[&str] = &[
    "cuts",
    "cut",
    "raises",
    "raise",
    "ups",
    "lowers",
    "lower",
    "lifts",
    "trims",
    "adds",
    "removes",
    "puts",
    "starts",
    "resumes",
    "withdraws",
];

/// Words of a headline about ratings.
const RATING_WORDS: &[&str] = &[
    "rating",
    "ratings",
    "outlook",
    "target",
    "targets",
    "estimates",
    "buy",
    "sell",
    "hold",
    "neutral",
    "overweight",
    "underweight",
    "outperform",
    "underperform",
    "junk",
    "debt",
    "review",
    "estimate",
];

/// Between the verb and the company that is rated there may stand so many words.
const OBJECT_WITHIN_WORDS: usize = 3;

/// Whether the name at `range` is the source of what the text says and not its subject: at the end behind a colon or dash
/// ("…: Goldman"), or at the head of a rating action on the company whose name starts at `next` ("Moody's may cut Citi's
/// rating"). Who cuts its own outlook is a subject.
pub(super) fn is_source(lower: &str, range: &Range<usize>, next: Option<usize>) -> bool {
    let (before, after) = (lower[..range.start].trim_end(), lower[range.end - 1..].trim_start());
    if after.is_empty() {
        return before.ends_with(BREAK) && before.len() > BREAK.len() + 1;
    }
    let Some(next) = next.filter(|_| before.is_empty() || before.ends_with(BREAK)) else { return false };
    let skipped = |word: &&str| !matches!(*word, "" | "'s" | "analysts" | "analyst" | "may" | "could" | "to");
    let mut between = lower[range.end - 1..next].split(BOUNDARY).filter(skipped);
    let Some(verb) = between.next() else { return false };
    let rates = RATING_VERBS.contains(&verb)
        || CHANGING_VERBS.contains(&verb) && lower[next..].split(BOUNDARY).any(|word| RATING_WORDS.contains(&word));
    rates && between.count() <= OBJECT_WITHIN_WORDS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Place, relevance};

    fn check(place: Place, expected: f32) {
        let actual = relevance(&place);
        assert!((actual - expected).abs() < 1e-6, "{place:?}: {actual}");
    }

    #[test]
    fn formula_is_as_documented() {
        let subject = Place { headline: true, companies: 1, ..Place::default() };
        check(subject, 1.0);
        check(Place { word: 20, ..subject }, 1.0);
        check(Place { rank: 1, companies: 2, ..subject }, 0.8);
        check(Place { companies: 6, ..subject }, 0.5);
        check(Place { rank: 4, companies: 6, ..subject }, 0.25);
        check(Place { quoted_as_source: true, ..subject }, 0.3);
        check(Place { headline: false, ..subject }, 0.5);
        check(Place { headline: false, word: 150, ..subject }, 0.35);
        check(Place { headline: false, word: 9000, ..subject }, 0.2);
    }

    proptest! {
        #[test]
        fn stays_within_bounds_and_falls_with_rank(
            headline: bool, quoted_as_source: bool, word in 0_usize..100_000, rank in 0_usize..500, more in 1_usize..500,
        ) {
            let place = Place { headline, word, rank, companies: rank + more, quoted_as_source };
            let value = relevance(&place);
            prop_assert!(value > 0.0 && value <= 1.0);
            let (later, lifted) = (Place { rank: rank + 1, ..place }, Place { headline: true, ..place });
            let crowded = Place { companies: rank + more + 1, ..place };
            prop_assert!(relevance(&later) < value);
            prop_assert!(relevance(&lifted) >= value);
            prop_assert!(relevance(&crowded) <= value);
        }
    }
}
