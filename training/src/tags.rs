//! Tags of words, which mark entities: `B-TYPE` on the first word of one, `I-TYPE` on its others, `O` on words of none (Ramshaw
//! and Marcus, "Text Chunking using Transformation-Based Learning", 1995).
//!
//! An entity begins at a `B-`, and at an `I-` that follows no word of an entity of its type, as the shared task's `conlleval`
//! counts them. So the older form, in which `B-` only parts neighbours of one type (IOB1), is read as it is meant.

use std::ops::Range;

/// The tag of a word of no entity.
pub(crate) const OUTSIDE: &str = "O";

/// What a tag says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag<'a> {
    /// `O`.
    Outside,
    /// `B-` and the type.
    Begin(&'a str),
    /// `I-` and the type.
    Inside(&'a str),
}

/// Words next to each other that name something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entity<'a> {
    pub(crate) kind: &'a str,
    pub(crate) words: Range<usize>,
}

impl<'a> Tag<'a> {
    /// None if it is no tag.
    pub(crate) fn parse(tag: &'a str) -> Option<Self> {
        match tag.split_once('-') {
            None if tag == OUTSIDE => Some(Self::Outside),
            Some(("B", kind)) if !kind.is_empty() => Some(Self::Begin(kind)),
            Some(("I", kind)) if !kind.is_empty() => Some(Self::Inside(kind)),
            _ => None,
        }
    }

    /// The type of the entity that the word belongs to.
    pub(crate) fn kind(self) -> Option<&'a str> {
        match self {
            Self::Outside => None,
            Self::Begin(kind) | Self::Inside(kind) => Some(kind),
        }
    }
}

/// The entities that tags mark, in their order.
pub(crate) fn entities<'a>(tags: impl IntoIterator<Item = Tag<'a>>) -> Vec<Entity<'a>> {
    let mut entities: Vec<Entity<'a>> = Vec::new();
    for (word, tag) in tags.into_iter().enumerate() {
        let open = entities.last_mut().filter(|entity| entity.words.end == word);
        match (tag, open) {
            (Tag::Outside, _) => {}
            (Tag::Inside(kind), Some(entity)) if entity.kind == kind => entity.words.end += 1,
            (Tag::Begin(kind) | Tag::Inside(kind), _) => entities.push(Entity { kind, words: word..word + 1 }),
        }
    }
    entities
}

/// The same entities in the form in which each begins with `B-` (IOB2).
pub(crate) fn repaired<'a>(tags: &[Tag<'a>]) -> Vec<Tag<'a>> {
    let mut repaired = vec![Tag::Outside; tags.len()];
    for Entity { kind, words } in entities(tags.iter().copied()) {
        repaired[words.clone()].fill(Tag::Inside(kind));
        repaired[words.start] = Tag::Begin(kind);
    }
    repaired
}

impl std::fmt::Display for Tag<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Outside => f.write_str(OUTSIDE),
            Self::Begin(kind) => write!(f, "B-{kind}"),
            Self::Inside(kind) => write!(f, "I-{kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Vec<Tag<'_>> {
        text.split(' ').map(|tag| Tag::parse(tag).unwrap()).collect()
    }

    #[test]
    fn what_is_no_tag_is_none() {
        assert_eq!(Tag::parse("B-geo-loc"), Some(Tag::Begin("geo-loc")));
        for wrong in ["", "X-PER", "B", "B-", "-PER", "o", "PER", "b-PER"] {
            assert_eq!(Tag::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn entities_are_those_counted_by_hand() {
        let check = |text: &str, expected: &[(&str, Range<usize>)]| {
            let found = entities(tags(text));
            let found: Vec<_> = found.into_iter().map(|entity| (entity.kind, entity.words)).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("O O", &[]);
        check("B-PER I-PER O B-LOC", &[("PER", 0..2), ("LOC", 3..4)]);
        check("B-PER B-PER", &[("PER", 0..1), ("PER", 1..2)]);
        // An I- without its B-: at the start, after O, after another type.
        check("I-PER O I-LOC I-ORG I-ORG", &[("PER", 0..1), ("LOC", 2..3), ("ORG", 3..5)]);
        check("B-PER O I-PER", &[("PER", 0..1), ("PER", 2..3)]);
    }

    #[test]
    fn every_entity_begins_with_b() {
        let check = |text: &str, expected: &str| {
            let found: Vec<String> = repaired(&tags(text)).iter().map(Tag::to_string).collect();
            assert_eq!(found.join(" "), expected);
        };
        check("I-PER I-PER O I-LOC", "B-PER I-PER O B-LOC");
        // IOB1: B- only where an entity touches one of its type.
        check("I-PER B-PER I-PER I-ORG", "B-PER B-PER I-PER B-ORG");
        check("B-PER I-PER I-ORG O", "B-PER I-PER B-ORG O");
    }
}
