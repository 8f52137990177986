//! The stories that an entity or topic has counted in the last day.

use std::collections::{BTreeMap, VecDeque};

use foundation::similarity::StoryId;
use serde::{Deserialize, Serialize};

/// A story is remembered for so long after its last message.
const MEMORY: i64 = 24 * 3_600_000;
/// Stories remembered at most; beyond it the oldest are forgotten, as the index of texts has forgotten them.
const MOST_STORIES: usize = 65_536;

/// Stories by the time of their last message.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "VecDeque<(i64, StoryId)>", into = "VecDeque<(i64, StoryId)>")]
pub(super) struct Stories {
    last: BTreeMap<StoryId, i64>,
    /// Every message's time and story; all but a story's last are passed over when their turn to be forgotten comes.
    queue: VecDeque<(i64, StoryId)>,
}

impl Stories {
    /// Whether the story was counted within its memory; from now on it was.
    pub(super) fn remember(&mut self, time: i64, now: i64, story: StoryId) -> bool {
        while let Some((first, old)) = self.queue.front().copied() {
            if first.saturating_add(MEMORY) >= now && self.queue.len() < MOST_STORIES {
                break;
            }
            self.queue.pop_front();
            if self.last.get(&old) == Some(&first) {
                self.last.remove(&old);
            }
        }
        let known = self.last.get(&story).copied();
        if known.is_none_or(|last| time > last) {
            self.last.insert(story, time);
            self.queue.push_back((time, story));
        }
        known.is_some_and(|last| last.saturating_add(MEMORY) >= now)
    }

    /// When the last one is forgotten.
    pub(super) fn forgotten_at(&self) -> Option<i64> {
        self.queue.back().map(|(last, _)| last.saturating_add(MEMORY + 1))
    }
}

impl From<VecDeque<(i64, StoryId)>> for Stories {
    fn from(queue: VecDeque<(i64, StoryId)>) -> Self {
        let mut last = BTreeMap::new();
        for (time, story) in &queue {
            last.entry(*story).and_modify(|known: &mut i64| *known = (*known).max(*time)).or_insert(*time);
        }
        Self { last, queue }
    }
}

impl From<Stories> for VecDeque<(i64, StoryId)> {
    fn from(stories: Stories) -> Self {
        stories.queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_known_until_a_day_after_its_last_message() {
        let mut stories = Stories::default();
        assert!(!stories.remember(0, 0, StoryId(1)));
        assert!(stories.remember(MEMORY, MEMORY, StoryId(1)));
        assert!(stories.remember(2 * MEMORY, 2 * MEMORY, StoryId(1)));
        assert!(!stories.remember(3 * MEMORY + 1, 3 * MEMORY + 1, StoryId(1)));
        assert_eq!((stories.last.len(), stories.queue.len()), (1, 1));
    }

    #[test]
    fn memory_is_bounded() {
        let mut stories = Stories::default();
        for story in 0..200_000 {
            assert!(!stories.remember(0, 0, StoryId(story)));
        }
        assert!(stories.queue.len() <= MOST_STORIES && stories.last.len() <= MOST_STORIES);
    }
}
