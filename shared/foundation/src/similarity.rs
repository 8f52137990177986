//! Near-duplicates: how new a text is against those of the last hours.
//!
//! Texts become MinHash [`Signature`]s; locality-sensitive hashing over bands of them finds the candidates (Indyk and Motwani
//! 1998; Broder 1997), so that a headline costs microseconds however many came before it.

mod shingles;
mod signature;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use shingles::Shingles;
pub use signature::{PERMUTATIONS, Signature};

use crate::time::{EventTime, duration_text};

/// Places of a signature in one band: at a similarity of 0.6 two texts meet in one of the 20 bands with probability 0.99.
const BAND_ROWS: usize = 3;
const BANDS: usize = PERMUTATIONS / BAND_ROWS;
/// Candidates looked at in one band; beyond these, a band's texts are copies of one another.
const CANDIDATES_PER_BAND: usize = 4;
const NONE: u64 = u64::MAX;

/// Which texts belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoryId(pub u64);

/// How new a text is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Novelty {
    /// 1 − the highest similarity to a text within the horizon: 0 for a copy, 1 for something never seen.
    pub value: f32,
    /// The story that this text belongs to: its own, or the one that it repeats.
    pub story: StoryId,
    /// The story that this text repeats, if it does.
    pub duplicate_of: Option<StoryId>,
}

/// What counts as a near-duplicate, and how much is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoveltyConfig {
    /// Texts further apart in event time are never compared.
    #[serde(with = "duration_text")]
    pub horizon: Duration,
    /// From this estimated Jaccard similarity on, a text repeats another.
    pub similarity: f32,
    /// Texts remembered at most; beyond it the longest held is forgotten. About 500 bytes each.
    pub capacity: usize,
}

impl Default for NoveltyConfig {
    fn default() -> Self {
        Self { horizon: Duration::from_secs(24 * 3600), similarity: 0.6, capacity: 65_536 }
    }
}

/// The texts of the last hours of event time, by similarity.
///
/// The same calls give the same answers on every machine, and a deserialised index goes on as the serialised one would.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Snapshot", into = "Snapshot")]
pub struct NoveltyIndex {
    config: NoveltyConfig,
    entries: VecDeque<Entry>,
    /// Sequence number of the first entry.
    first: u64,
    newest: i64,
    next_story: u64,
    /// The latest entry of each band's hash; older ones are chained through [`Entry::earlier`].
    heads: HashMap<u64, u64, BuildHasherDefault<Prehashed>>,
}

#[derive(Debug, Clone)]
struct Entry {
    time: i64,
    story: StoryId,
    signature: Signature,
    earlier: [u64; BANDS],
}

impl NoveltyIndex {
    /// An empty index.
    pub fn new(config: NoveltyConfig) -> Self {
        let config = NoveltyConfig { capacity: config.capacity.max(1), ..config };
        Self { config, entries: VecDeque::new(), first: 0, newest: i64::MIN, next_story: 0, heads: HashMap::default() }
    }

    /// How new this text is at this time, against all texts observed before within the horizon of it, earlier or later.
    pub fn observe(&mut self, time: EventTime, text: &str) -> Novelty {
        let time = time.millis();
        self.prune(time);
        let Some(signature) = Signature::of(text) else {
            return Novelty { value: 1.0, story: self.new_story(), duplicate_of: None };
        };
        let nearest = self.nearest(time, &signature);
        let similarity = nearest.map_or(0.0, |(similarity, _)| similarity);
        let duplicate_of =
            nearest.filter(|(similarity, _)| *similarity >= self.config.similarity).map(|(_, story)| story);
        let story = duplicate_of.unwrap_or_else(|| self.new_story());
        self.insert(time, story, signature);
        Novelty { value: 1.0 - similarity, story, duplicate_of }
    }

    /// What counts as a near-duplicate here.
    pub fn config(&self) -> &NoveltyConfig {
        &self.config
    }

    /// Texts remembered now.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn new_story(&mut self) -> StoryId {
        let story = StoryId(self.next_story);
        self.next_story += 1;
        story
    }

    /// The most similar candidate, the earliest of equals; a copy ends the search.
    fn nearest(&self, time: i64, signature: &Signature) -> Option<(f32, StoryId)> {
        let horizon = self.horizon();
        let mut best: Option<(f32, u64, StoryId)> = None;
        for (band, hash) in signature.bands(BAND_ROWS).enumerate() {
            let mut sequence = self.heads.get(&hash).copied().unwrap_or(NONE);
            for _ in 0..CANDIDATES_PER_BAND {
                let Some(entry) = self.entry(sequence) else { break };
                let known = best.is_some_and(|(_, known, _)| known == sequence);
                if !known && entry.time.abs_diff(time) <= horizon {
                    let similarity = signature.similarity(&entry.signature);
                    let better = best.is_none_or(|(highest, earliest, _)| {
                        similarity > highest || (similarity == highest && sequence < earliest)
                    });
                    if better {
                        best = Some((similarity, sequence, entry.story));
                    }
                    if similarity == 1.0 {
                        return Some((similarity, entry.story));
                    }
                }
                sequence = entry.earlier[band];
            }
        }
        best.map(|(similarity, _, story)| (similarity, story))
    }

    fn entry(&self, sequence: u64) -> Option<&Entry> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        self.entries.get(index)
    }

    fn insert(&mut self, time: i64, story: StoryId, signature: Signature) {
        let sequence = self.first + self.entries.len() as u64;
        let mut earlier = [NONE; BANDS];
        for (earlier, hash) in earlier.iter_mut().zip(signature.bands(BAND_ROWS)) {
            *earlier = self.heads.insert(hash, sequence).unwrap_or(NONE);
        }
        self.entries.push_back(Entry { time, story, signature, earlier });
    }

    fn prune(&mut self, time: i64) {
        self.newest = self.newest.max(time);
        let horizon = self.horizon();
        while self.entries.len() >= self.config.capacity
            || self.entries.front().is_some_and(|entry| entry.time.abs_diff(self.newest) > horizon)
        {
            let Some(entry) = self.entries.pop_front() else { return };
            for hash in entry.signature.bands(BAND_ROWS) {
                if self.heads.get(&hash) == Some(&self.first) {
                    self.heads.remove(&hash);
                }
            }
            self.first += 1;
        }
    }

    fn horizon(&self) -> u64 {
        u64::try_from(self.config.horizon.as_millis()).unwrap_or(u64::MAX)
    }
}

/// What is written down of an index; the chains are rebuilt from it.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    config: NoveltyConfig,
    newest: i64,
    next_story: u64,
    entries: Vec<(i64, StoryId, Signature)>,
}

impl From<NoveltyIndex> for Snapshot {
    fn from(index: NoveltyIndex) -> Self {
        let entries = index.entries.into_iter().map(|entry| (entry.time, entry.story, entry.signature)).collect();
        Self { config: index.config, newest: index.newest, next_story: index.next_story, entries }
    }
}

impl From<Snapshot> for NoveltyIndex {
    fn from(snapshot: Snapshot) -> Self {
        let mut index = Self::new(snapshot.config);
        index.newest = snapshot.newest;
        index.next_story = snapshot.next_story;
        for (time, story, signature) in snapshot.entries {
            index.insert(time, story, signature);
        }
        index
    }
}

/// Keys are hashes already.
#[derive(Default)]
struct Prehashed(u64);

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> EventTime {
        EventTime::from_millis(1_200_000_000_000 + hours * HOUR).unwrap()
    }

    #[test]
    fn a_syndicated_headline_is_one_story() {
        let mut index = NoveltyIndex::new(NoveltyConfig::default());
        let first = index.observe(at(0), "WaMu is largest U.S. bank failure");
        assert_eq!((first.value, first.duplicate_of), (1.0, None));
        for text in [
            "UPDATE 3-WaMu is largest U.S. bank failure",
            "WaMu is largest ever U.S. bank failure",
            "CORRECTED: WaMu is largest U.S. bank failure",
        ] {
            let again = index.observe(at(1), text);
            assert_eq!(again.duplicate_of, Some(first.story), "{text}: {}", again.value);
        }
        let other = index.observe(at(1), "Wall St. drops as bailout hits snag, WaMu weighs");
        assert!(other.duplicate_of.is_none() && other.value > 0.5, "{}", other.value);
    }

    #[test]
    fn only_the_horizon_counts_whatever_the_order() {
        let mut index = NoveltyIndex::new(NoveltyConfig::default());
        let text = "Savers queue to pull funds from stricken Northern Rock";
        let middle = index.observe(at(20), text);
        assert_eq!(index.observe(at(0), text).duplicate_of, Some(middle.story));
        assert_eq!(index.observe(at(30), text).duplicate_of, Some(middle.story));
        assert_eq!(index.observe(at(60), text).duplicate_of, None);
        assert_eq!(index.observe(at(-40), text).duplicate_of, None);
    }

    #[test]
    fn memory_is_bounded_by_time_and_by_capacity() {
        let mut index = NoveltyIndex::new(NoveltyConfig { capacity: 100, ..NoveltyConfig::default() });
        for number in 0..1000 {
            index.observe(at(0), &format!("headline number {number} of many {}", number * 7919));
        }
        assert_eq!(index.len(), 100);
        assert!(index.heads.len() <= 100 * BANDS);
        index.observe(at(100), "something else entirely");
        assert_eq!(index.len(), 1);
        assert!(index.heads.len() <= BANDS);
    }

    proptest! {
        #[test]
        fn a_restored_index_goes_on_alike(picks in prop::collection::vec((0_u32..12, 0_i64..80), 1..120), cut in 0_usize..120) {
            let text = |pick: u32| format!("company{} shares fall after {} loss in quarter {}", pick % 4, pick % 3, pick);
            let config = NoveltyConfig { capacity: 40, ..NoveltyConfig::default() };
            let mut whole = NoveltyIndex::new(config.clone());
            let mut parts = NoveltyIndex::new(config);
            for (number, (pick, hours)) in picks.iter().enumerate() {
                if number == cut {
                    parts = serde_json::from_str(&serde_json::to_string(&parts).unwrap()).unwrap();
                }
                prop_assert_eq!(whole.observe(at(*hours), &text(*pick)), parts.observe(at(*hours), &text(*pick)));
            }
        }

        #[test]
        fn any_text_is_answered(text in ".{0,400}") {
            let mut index = NoveltyIndex::new(NoveltyConfig::default());
            let first = index.observe(at(0), &text);
            prop_assert!(first.duplicate_of.is_none());
            let second = index.observe(at(0), &text);
            prop_assert!((0.0..=1.0).contains(&second.value));
        }
    }
}
