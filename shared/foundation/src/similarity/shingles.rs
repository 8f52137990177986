//! The word shingles of a text: what its signature is made of, and what two texts are compared by exactly.

use xxhash_rust::xxh3::xxh3_64;

/// Words beyond these do not change a signature, so that a text of any length costs a bounded time.
const LONGEST_TEXT_WORDS: usize = 512;

/// What wire services put before a headline that they send again.
const WIRE_PREFIXES: [&str; 17] = [
    "ADVISORY",
    "ALERT",
    "BREAKING",
    "CORRECTED",
    "CORRECTION",
    "EXCLUSIVE",
    "FLASH",
    "REFILE",
    "REPEAT",
    "RPT",
    "SNAP",
    "SNAPSHOT",
    "UPDATE",
    "UPDATED",
    "URGENT",
    "WRAP",
    "WRAPUP",
];

/// The set of a text's shingles, each as a 32-bit hash: single words and pairs of neighbouring words, case aside.
///
/// About 4 bytes a shingle, two shingles a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shingles(Box<[u32]>);

impl Shingles {
    /// The shingles of a text; `None` if there is no letter or digit in it. Words beyond the 512th do not count.
    pub fn of(text: &str) -> Option<Self> {
        let mut hashes = Vec::new();
        each_shingle(text, |shingle| hashes.push(shingle)).then(|| {
            hashes.sort_unstable();
            hashes.dedup();
            Self(hashes.into())
        })
    }

    /// The exact Jaccard similarity of both sets, from 0 to 1: the resemblance of Broder, "On the resemblance and
    /// containment of documents", 1997. [`Signature::similarity`](super::Signature::similarity) estimates it.
    pub fn resemblance(&self, other: &Self) -> f64 {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = 0_usize;
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let order = a.cmp(b);
            both += usize::from(order.is_eq());
            if order.is_le() {
                left.next();
            }
            if order.is_ge() {
                right.next();
            }
        }
        both as f64 / (self.0.len() + other.0.len() - both) as f64
    }
}

/// Hands each shingle's hash on, in the text's order, repeats included; false if there is none.
pub(super) fn each_shingle(text: &str, mut each: impl FnMut(u32)) -> bool {
    let mut fold = |hash: u64| each((hash ^ (hash >> 32)) as u32);
    let mut buffer = String::with_capacity(32);
    let mut previous: Option<u64> = None;
    for word in words(without_wire_prefix(text)).take(LONGEST_TEXT_WORDS) {
        let hash = hash_lower_case(word, &mut buffer);
        fold(hash);
        if let Some(previous) = previous.replace(hash) {
            fold(previous.rotate_left(23).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ hash);
        }
    }
    previous.is_some()
}

/// Runs of letters and digits; in scripts written without spaces, each character.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).flat_map(|run| {
        let mut rest = run;
        std::iter::from_fn(move || {
            let mut characters = rest.char_indices();
            let (_, first) = characters.next()?;
            let end = if is_spaceless(first) {
                first.len_utf8()
            } else {
                characters.find(|(_, c)| is_spaceless(*c)).map_or(rest.len(), |(index, _)| index)
            };
            let (word, tail) = rest.split_at(end);
            rest = tail;
            Some(word)
        })
    })
}

/// Chinese and Japanese characters, and Hangul.
fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

fn hash_lower_case(word: &str, buffer: &mut String) -> u64 {
    buffer.clear();
    if word.is_ascii() {
        buffer.push_str(word);
        buffer.make_ascii_lowercase();
    } else {
        buffer.extend(word.chars().flat_map(char::to_lowercase));
    }
    xxh3_64(buffer.as_bytes())
}

/// The text after prefixes such as `UPDATE 2-`, `CORRECTED:` or `RPT-UPDATE 1-`.
fn without_wire_prefix(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let word_end = rest.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(rest.len());
        if !WIRE_PREFIXES.contains(&&rest[..word_end]) {
            return rest;
        }
        let after = rest[word_end..].trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
        let Some(after) = after.strip_prefix(['-', ':', '\u{2013}']) else { return rest };
        rest = after.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_prefixes_with_their_mark_are_dropped() {
        assert_eq!(without_wire_prefix("UPDATE of the map"), "UPDATE of the map");
        assert_eq!(without_wire_prefix("ALERTED-by noise"), "ALERTED-by noise");
        assert_eq!(without_wire_prefix("RPT-UPDATE 12-Lehman"), "Lehman");
    }

    #[test]
    fn resemblance_is_counted_by_hand() {
        #[track_caller]
        fn check(a: &str, b: &str, expected: f64) {
            let (a, b) = (Shingles::of(a).unwrap(), Shingles::of(b).unwrap());
            assert!((a.resemblance(&b) - expected).abs() < 1e-12, "{}", a.resemblance(&b));
            assert!((b.resemblance(&a) - expected).abs() < 1e-12);
        }
        check("shares fall sharply", "Shares FALL, sharply!", 1.0);
        // {shares, fall, shares fall} of {shares, fall, today, shares fall, fall today}.
        check("shares fall", "shares fall today", 3.0 / 5.0);
        // {a, b} of {a, b, a b, b a}: word order counts.
        check("a b", "b a", 2.0 / 4.0);
        check("up up up", "up up", 1.0);
        check("profit rises", "loss widens", 0.0);
        assert_eq!(Shingles::of("-- !"), None);
    }
}
