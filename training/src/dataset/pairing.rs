//! Pairs of texts that are almost the same, without comparing every text with every other.
//!
//! MinHash signatures propose pairs (Broder, "On the resemblance and containment of documents", 1997) by banding (Leskovec,
//! Rajaraman and Ullman, "Mining of Massive Datasets", 2014, section 3.4); the exact resemblance of their word shingles
//! decides.

use foundation::progress::{Progress, Unit};
use foundation::similarity::{PERMUTATIONS, Shingles, Signature};

/// From this Jaccard similarity of word shingles on, two texts are near-duplicates.
pub const SIMILARITY: f64 = 0.8;

/// Places of a signature in one band: of pairs at [`SIMILARITY`], 15 bands of 4 miss one in 2,700.
const BAND_ROWS: usize = 4;
const BANDS: usize = PERMUTATIONS / BAND_ROWS;

/// A lower estimate saves the exact comparison: it is four standard errors below [`SIMILARITY`].
const LOWEST_ESTIMATE: f32 = 0.6;

/// Texts of one bucket whose signatures a text's is compared with, so that a full bucket does not cost the square of its size.
const CANDIDATES: usize = 1024;
/// Near-duplicates of a text that are taken from one bucket; beyond these, its texts are copies of a template.
const MATCHES: usize = 128;

/// What is compared of a text.
pub(super) struct Sketch {
    /// The text's index among those that were sketched.
    text: usize,
    signature: Signature,
    shingles: Shingles,
}

/// Two texts that are near-duplicates, by their indices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    pub(super) left: usize,
    pub(super) right: usize,
    /// Their exact resemblance.
    pub(super) similarity: f64,
}

/// A sketch under one band's hash.
struct Placed<'a> {
    hash: u64,
    is_right: bool,
    sketch: &'a Sketch,
}

/// Sketches texts; those without a letter or digit have none.
pub(super) fn sketches<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Vec<Sketch> {
    let progress = Progress::start("sketching texts", Some(texts.len() as u64), Unit::Items("texts"));
    let sketch = |(index, text): (usize, &str)| {
        progress.advance(1);
        Some(Sketch { text: index, signature: Signature::of(text)?, shingles: Shingles::of(text)? })
    };
    texts.enumerate().filter_map(sketch).collect()
}

/// Hands on each pair of near-duplicates once. False if a bucket was so full that pairs may have been passed over.
pub(super) fn within(sketches: &[Sketch], mut each: impl FnMut(Pair)) -> bool {
    let mut complete = true;
    for_each_bucket(sketches, &[], |band, bucket| {
        for (place, right) in bucket.iter().enumerate() {
            complete &= offer(bucket[..place].iter().rev(), right, band, &mut each);
        }
    });
    complete
}

/// As [`within`], for pairs of a left and a right text.
pub(super) fn across(left: &[Sketch], right: &[Sketch], mut each: impl FnMut(Pair)) -> bool {
    let mut complete = true;
    for_each_bucket(left, right, |band, bucket| {
        let (lefts, rights) = bucket.split_at(bucket.partition_point(|placed| !placed.is_right));
        for right in rights {
            complete &= offer(lefts.iter(), right, band, &mut each);
        }
    });
    complete
}

/// Hands on the pairs of `right` with the texts of its bucket; false if some of these were not looked at.
fn offer<'a>(
    mut lefts: impl Iterator<Item = &'a Placed<'a>>,
    right: &Placed<'_>,
    band: usize,
    each: &mut impl FnMut(Pair),
) -> bool {
    let candidates = lefts.by_ref().take(CANDIDATES);
    candidates.filter_map(|left| compared(left, right, band)).take(MATCHES).for_each(each);
    lefts.next().is_none()
}

/// The texts that share a band's hash, left before right, each in order.
fn for_each_bucket(left: &[Sketch], right: &[Sketch], mut each: impl FnMut(usize, &[Placed<'_>])) {
    let progress = Progress::start("comparing texts", Some(BANDS as u64), Unit::Items("bands"));
    for band in 0..BANDS {
        let mut placed: Vec<Placed<'_>> = placed(left, band, false).chain(placed(right, band, true)).collect();
        placed.sort_unstable_by_key(|placed| (placed.hash, placed.is_right, placed.sketch.text));
        let buckets = placed.chunk_by(|a, b| a.hash == b.hash);
        buckets.filter(|bucket| bucket.len() > 1).for_each(|bucket| each(band, bucket));
        progress.advance(1);
    }
}

fn placed(sketches: &[Sketch], band: usize, is_right: bool) -> impl Iterator<Item = Placed<'_>> {
    sketches.iter().filter_map(move |sketch| Some(Placed { hash: sketch.bands().nth(band)?, is_right, sketch }))
}

/// The pair, if the two are near-duplicates and have not met in an earlier band.
fn compared(left: &Placed<'_>, right: &Placed<'_>, band: usize) -> Option<Pair> {
    let (left, right) = (left.sketch, right.sketch);
    if left.signature.similarity(&right.signature) < LOWEST_ESTIMATE {
        return None;
    }
    if left.bands().zip(right.bands()).take(band).any(|(left, right)| left == right) {
        return None;
    }
    let similarity = left.shingles.resemblance(&right.shingles);
    (similarity >= SIMILARITY).then_some(Pair { left: left.text, right: right.text, similarity })
}

impl Sketch {
    fn bands(&self) -> impl Iterator<Item = u64> + '_ {
        self.signature.bands(BAND_ROWS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nine words that no other number shares: 17 shingles.
    fn text(number: usize) -> String {
        (0..9).map(|word| format!("w{number}x{word}")).collect::<Vec<_>>().join(" ")
    }

    fn of(texts: &[String]) -> Vec<Sketch> {
        sketches(texts.iter().map(String::as_str))
    }

    fn pairs_within(texts: &[String]) -> (Vec<(usize, usize)>, bool) {
        let mut pairs = Vec::new();
        let complete = within(&of(texts), |pair| pairs.push((pair.left, pair.right)));
        pairs.sort_unstable();
        (pairs, complete)
    }

    #[test]
    fn a_near_duplicate_is_found_and_distinct_texts_are_not() {
        let mut texts: Vec<String> = (0..500).map(text).collect();
        // One more word: 17 of 19 shingles.
        texts.push(format!("{} today", text(7)));
        texts.push(text(9).to_uppercase() + "!");
        // Half of the words.
        texts.push(text(11).split(' ').take(4).collect::<Vec<_>>().join(" "));
        texts.push("!!!".to_owned());
        assert_eq!(pairs_within(&texts), (vec![(7, 500), (9, 501)], true));
    }

    #[test]
    fn what_banding_finds_is_what_comparing_all_finds() {
        // A chain: each text has 19 of its 21 words in common with the next one.
        let words = |from: usize| (from..from + 21).map(|word| format!("w{word}")).collect::<Vec<_>>().join(" ");
        let texts: Vec<String> = (0..60).map(|step| words(step * 2)).collect();
        let shingles: Vec<Shingles> = texts.iter().filter_map(|text| Shingles::of(text)).collect();
        let mut expected = Vec::new();
        for (left, a) in shingles.iter().enumerate() {
            let later = shingles.iter().enumerate().skip(left + 1);
            expected.extend(later.filter(|(_, b)| a.resemblance(b) >= SIMILARITY).map(|(right, _)| (left, right)));
        }
        assert_eq!(expected.len(), 59);
        assert_eq!(pairs_within(&texts), (expected, true));
    }

    #[test]
    fn a_full_bucket_costs_a_bounded_number_of_comparisons_and_says_so() {
        let texts: Vec<String> = (0..300).map(|number| format!("{}{}", text(1), "!".repeat(number))).collect();
        let (pairs, complete) = pairs_within(&texts);
        assert_eq!((pairs.len(), complete), (128 * 127 / 2 + 172 * 128, false));
    }

    #[test]
    fn across_compares_only_left_with_right() {
        let left = [text(1), format!("{} now", text(1)), text(2)];
        let right = [text(3), format!("{} today", text(2)), text(2)];
        let mut pairs = Vec::new();
        assert!(across(&of(&left), &of(&right), |pair| pairs.push(pair)));
        pairs.sort_by_key(|pair| pair.right);
        assert_eq!(
            pairs,
            [Pair { left: 2, right: 1, similarity: 17.0 / 19.0 }, Pair { left: 2, right: 2, similarity: 1.0 }]
        );
    }
}
