//! MinHash signatures of short texts.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::shingles::each_shingle;

/// Hash functions in a signature.
pub const PERMUTATIONS: usize = 60;

/// The low 16 bits of each permutation's minimum over the text's word shingles.
///
/// The share of equal places estimates the Jaccard similarity of two texts' shingle sets, with a standard error of at most
/// 0.065 (Broder, "On the resemblance and containment of documents", 1997; 16 of each minimum's bits suffice: Li and König,
/// "b-bit minwise hashing", 2010). Shingles are single words and pairs of neighbouring words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature([u16; PERMUTATIONS]);

impl Signature {
    /// The signature of a text; `None` if there is no letter or digit in it.
    pub fn of(text: &str) -> Option<Self> {
        let mut minima = [u32::MAX; PERMUTATIONS];
        each_shingle(text, |shingle| lower(&mut minima, shingle)).then(|| Self(minima.map(|minimum| minimum as u16)))
    }

    /// The estimated Jaccard similarity, from 0 to 1.
    pub fn similarity(&self, other: &Self) -> f32 {
        let equal = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        equal as f32 / PERMUTATIONS as f32
    }

    /// One hash of each group of `rows` places; texts with an equal one are candidates for being near-duplicates.
    ///
    /// Two texts of similarity `s` share at least one of `PERMUTATIONS / rows` bands with probability
    /// `1 - (1 - s^rows)^(PERMUTATIONS / rows)`.
    pub fn bands(&self, rows: usize) -> impl Iterator<Item = u64> + '_ {
        self.0.chunks_exact(rows).enumerate().map(|(band, places)| {
            let packed = places.iter().fold(band as u64 + 1, |packed, place| {
                (packed ^ u64::from(*place)).wrapping_mul(0xBF58_476D_1CE4_E5B9).rotate_left(29)
            });
            packed ^ (packed >> 32)
        })
    }
}

/// Takes the shingle's image under each permutation into the minima.
fn lower(minima: &mut [u32; PERMUTATIONS], shingle: u32) {
    for (minimum, (flip, factor)) in minima.iter_mut().zip(&SEEDS) {
        let image = (shingle ^ flip).wrapping_mul(*factor);
        *minimum = (*minimum).min(image ^ (image >> 15));
    }
}

/// For each permutation of the 32-bit numbers: what is flipped, and the odd factor.
const SEEDS: [(u32, u32); PERMUTATIONS] = {
    let mut seeds = [(0, 0); PERMUTATIONS];
    let mut state = 0x5EED_0F5E_7C1A_11E5_u64;
    let mut index = 0;
    while index < PERMUTATIONS {
        // SplitMix64 (Steele, Lea and Flood 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        seeds[index] = (mixed as u32, (mixed >> 32) as u32 | 1);
        index += 1;
    }
    seeds
};

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(PERMUTATIONS * 4);
        for place in &self.0 {
            write!(text, "{place:04x}").map_err(serde::ser::Error::custom)?;
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !text.is_ascii() || text.len() != PERMUTATIONS * 4 {
            return Err(serde::de::Error::custom("a signature is 240 hexadecimal digits"));
        }
        let mut places = [0; PERMUTATIONS];
        for (index, place) in places.iter_mut().enumerate() {
            *place = u16::from_str_radix(&text[index * 4..index * 4 + 4], 16).map_err(serde::de::Error::custom)?;
        }
        Ok(Self(places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similarity(a: &str, b: &str) -> f32 {
        Signature::of(a).unwrap().similarity(&Signature::of(b).unwrap())
    }

    #[test]
    fn prefixes_case_and_punctuation_do_not_count() {
        let headline = "Lehman shares plunge on sale's uncertainty";
        for other in [
            "UPDATE 1-Lehman shares plunge on sale's uncertainty",
            "RPT-UPDATE 12-Lehman shares plunge on sale's uncertainty",
            "CORRECTED: Lehman shares plunge on sale\u{2019}s uncertainty",
            "LEHMAN SHARES PLUNGE ON SALE'S UNCERTAINTY!",
        ] {
            assert_eq!(similarity(headline, other), 1.0, "{other}");
        }
    }

    #[test]
    fn estimates_the_jaccard_similarity() {
        let text = |from: usize| (from..from + 30).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        for shift in [0, 3, 10, 20, 30] {
            let kept = (30 - shift) + (29_usize.saturating_sub(shift));
            let exact = kept as f32 / (59 + 59 - kept) as f32;
            let estimate = similarity(&text(0), &text(shift));
            assert!((estimate - exact).abs() < 0.17, "shift {shift}: {estimate} for {exact}");
        }
    }

    #[test]
    fn scripts_without_spaces_are_compared_by_character() {
        assert!(similarity("雷曼兄弟申请破产保护", "雷曼兄弟已申请破产保护") > 0.5);
        assert!(similarity("雷曼兄弟申请破产保护", "今天天气很好我们去公园") < 0.2);
    }

    #[test]
    fn texts_without_words_have_no_signature() {
        assert_eq!(Signature::of(" -- \0 !"), None);
        assert_eq!(Signature::of(""), None);
    }
}
