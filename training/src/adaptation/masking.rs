//! Which words of a text are hidden, and what stands in their place.

use inference::TextTokenizer;

use crate::random::Random;

/// What BERT's tokenizers put around and in place of words.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", MASK];
const MASK: &str = "[MASK]";

/// What a piece of a word begins with, other than its first.
const CONTINUATION: &str = "##";

/// Hides words as BERT was trained: whole words, until about a share of the tokens is hidden; of the hidden tokens, 80 % become
/// `[MASK]`, 10 % a random token and 10 % stay (Devlin and others, "BERT", 2019, and its whole-word masking).
#[derive(Debug)]
pub(super) struct Masker {
    mask: u32,
    share: f64,
    /// By vocabulary id.
    kinds: Vec<Kind>,
}

/// A text with hidden words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Masked {
    pub(super) tokens: Vec<u32>,
    /// Where tokens are hidden, in order.
    pub(super) places: Vec<u32>,
    /// The tokens that stood there.
    pub(super) targets: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Special,
    First,
    Continuation,
}

impl Masker {
    /// None if the vocabulary has no `[MASK]`.
    pub(super) fn new(tokenizer: &TextTokenizer, share: f64) -> Option<Self> {
        let kind = |id: usize| match tokenizer.token(id as u32) {
            Some(token) if token.starts_with(CONTINUATION) => Kind::Continuation,
            Some(token) if !SPECIAL.contains(&token.as_str()) => Kind::First,
            _ => Kind::Special,
        };
        let kinds = (0..tokenizer.vocabulary_size()).map(kind).collect();
        Some(Self { mask: tokenizer.id(MASK)?, share, kinds })
    }

    /// Hides words of a text: at least one, unless it has none.
    pub(super) fn hide(&self, tokens: &[u32], random: &mut Random) -> Masked {
        let mut words: Vec<Vec<usize>> = Vec::new();
        for (place, token) in tokens.iter().enumerate() {
            match self.kind(*token) {
                Kind::Special => {}
                Kind::Continuation
                    if words.last().is_some_and(|word| word.last() == Some(&(place.wrapping_sub(1)))) =>
                {
                    words.last_mut().into_iter().for_each(|word| word.push(place));
                }
                Kind::First | Kind::Continuation => words.push(vec![place]),
            }
        }
        let count: usize = words.iter().map(Vec::len).sum();
        let wanted = ((count as f64 * self.share).round() as usize).max(1);
        random.shuffle(&mut words);
        let mut places = Vec::new();
        for word in words {
            // A long word may go beyond the share only where nothing is hidden yet.
            if places.is_empty() || places.len() + word.len() <= wanted {
                places.extend(word);
            }
        }
        places.sort_unstable();
        let targets = places.iter().map(|place| tokens[*place]).collect();
        let mut hidden = tokens.to_vec();
        for place in &places {
            hidden[*place] = match random.unit() {
                draw if draw < 0.8 => self.mask,
                draw if draw < 0.9 => random.below(self.kinds.len()) as u32,
                _ => hidden[*place],
            };
        }
        Masked { tokens: hidden, places: places.into_iter().map(|place| place as u32).collect(), targets }
    }

    fn kind(&self, token: u32) -> Kind {
        self.kinds.get(token as usize).copied().unwrap_or(Kind::Special)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids: 0 to 4 special, 4 the mask, 5 to 14 words, 15 to 19 their continuations.
    fn masker(share: f64) -> Masker {
        let kind = |id| match id {
            0..5 => Kind::Special,
            5..15 => Kind::First,
            _ => Kind::Continuation,
        };
        Masker { mask: 4, share, kinds: (0..20).map(kind).collect() }
    }

    #[test]
    fn whole_words_are_hidden_and_never_special_tokens() {
        let text = [2, 5, 15, 16, 6, 7, 17, 8, 3];
        let mut random = Random::new(1, "test");
        for _ in 0..200 {
            let Masked { tokens, places, targets } = masker(0.4).hide(&text, &mut random);
            assert!((1..=3).contains(&places.len()), "{places:?}");
            for word in [[1, 2, 3].as_slice(), &[4], &[5, 6], &[7]] {
                let hidden = word.iter().filter(|place| places.contains(place)).count();
                assert!(hidden == 0 || hidden == word.len(), "a part of {word:?} is in {places:?}");
            }
            assert!(targets.iter().zip(&places).all(|(target, place)| *target == text[*place as usize]));
            let open = (0..text.len()).filter(|place| !places.contains(&(*place as u32)));
            assert!(open.into_iter().all(|place| tokens[place] == text[place]));
        }
    }

    #[test]
    fn shares_are_those_of_the_paper() {
        let text: Vec<u32> = std::iter::once(2).chain((0..200).map(|place| 5 + place % 10)).chain([3]).collect();
        let (mut hidden, mut masks, mut kept) = (0, 0, 0);
        let mut random = Random::new(2, "test");
        for _ in 0..100 {
            let masked = masker(0.15).hide(&text, &mut random);
            hidden += masked.places.len();
            masks += masked.places.iter().filter(|place| masked.tokens[**place as usize] == 4).count();
            kept +=
                masked.places.iter().filter(|place| masked.tokens[**place as usize] == text[**place as usize]).count();
        }
        let share = |count: usize| count as f64 / hidden as f64;
        assert_eq!(hidden, 3000);
        assert!(
            (share(masks) - 0.8).abs() < 0.03 && (share(kept) - 0.1).abs() < 0.03,
            "{} {}",
            share(masks),
            share(kept)
        );
    }

    #[test]
    fn a_text_without_words_hides_nothing() {
        assert!(masker(0.15).hide(&[2, 3], &mut Random::new(1, "test")).places.is_empty());
        assert_eq!(masker(0.15).hide(&[2, 5, 3], &mut Random::new(1, "test")).targets, [5]);
    }
}
