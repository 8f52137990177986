//! A sliding window of event time: open at its start, closed at its end.

use std::collections::VecDeque;
use std::sync::Arc;

use foundation::EventTime;
use serde::{Deserialize, Serialize};

use crate::observation::Observation;
use crate::transition::Evidence;

/// Probabilities are summed as whole multiples of 2⁻³²: exact, in any order, and taken out again without residue.
const UNIT: f64 = 4_294_967_296.0;

/// What a message weighs under a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weighing {
    /// From this weighed probability of the negative class on a message is negative.
    pub(crate) min_negative: f32,
    /// What a message's neutral probability counts.
    pub(crate) neutral_weight: f32,
    /// What bad news that is not grave weighs.
    pub(crate) ordinary_weight: f32,
}

impl Weighing {
    /// Only the negative class counts, grave or not.
    pub(crate) fn of_negative(min_negative: f32) -> Self {
        Self { min_negative, neutral_weight: 0.0, ordinary_weight: 1.0 }
    }

    /// p(negative), weighed by how grave the news is.
    pub(crate) fn negative(self, observation: &Observation) -> f32 {
        let gravity = observation.gravity;
        observation.negative * (gravity + (1.0 - gravity) * self.ordinary_weight)
    }
}

/// One message in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) time: i64,
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    text: Arc<str>,
    source: Option<Arc<str>>,
    relevance: f32,
    score: f32,
    negative: f32,
    /// What it adds to the window's mass.
    mass: f32,
    /// Whether it counts as a negative message.
    is_negative: bool,
}

impl Entry {
    pub(crate) fn new(observation: &Observation, relevance: f32, weighing: Weighing) -> Self {
        let negative = weighing.negative(observation);
        let neutral = (1.0 - observation.positive - observation.negative).max(0.0);
        Self {
            time: observation.time.millis(),
            topic: observation.topic.clone(),
            partition: observation.partition,
            offset: observation.offset,
            text: observation.title_or_text.clone(),
            source: observation.source.clone(),
            relevance,
            score: observation.score,
            negative,
            mass: (negative + weighing.neutral_weight * neutral) * relevance,
            is_negative: negative >= weighing.min_negative,
        }
    }

    /// (weighed p(negative) + what neutral counts · p(neutral)) · relevance.
    pub(crate) fn mass(&self) -> f64 {
        fixed(self.mass) as f64 / UNIT
    }

    pub(crate) fn score(&self) -> f32 {
        self.score
    }

    /// Tells apart messages of one instant.
    pub(crate) fn trigger(&self) -> String {
        format!("{}/{}/{}", self.topic, self.partition, self.offset)
    }

    fn position(&self) -> (i64, &Arc<str>, i32, i64) {
        (self.time, &self.topic, self.partition, self.offset)
    }

    pub(crate) fn evidence(&self) -> Option<Evidence> {
        Some(Evidence {
            text: self.text.clone(),
            score: self.score,
            relevance: self.relevance,
            time: EventTime::from_millis(self.time).ok()?,
            source: self.source.clone(),
            topic: self.topic.clone(),
            partition: self.partition,
            offset: self.offset,
        })
    }
}

fn fixed(number: f32) -> i64 {
    (f64::from(number) * UNIT) as i64
}

/// The entries of one scope's window, in order of event time, with running sums.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub(crate) struct Window {
    entries: VecDeque<Entry>,
    negatives: u64,
    mass: i64,
    scores: i64,
    relevances: i64,
}

impl Window {
    /// Takes a message in at its place; one that is there already changes nothing.
    pub(crate) fn insert(&mut self, entry: Entry) -> bool {
        let place = self.entries.partition_point(|other| other.position() < entry.position());
        if self.entries.get(place).is_some_and(|other| other.position() == entry.position()) {
            return false;
        }
        self.count(&entry, 1);
        self.entries.insert(place, entry);
        true
    }

    /// Drops what has left the window (now − length, now].
    pub(crate) fn expire(&mut self, now: i64, length: i64) {
        while self.entries.front().is_some_and(|entry| entry.time.saturating_add(length) <= now) {
            if let Some(entry) = self.entries.pop_front() {
                self.count(&entry, -1);
            }
        }
    }

    /// When the oldest entry leaves.
    pub(crate) fn next_expiry(&self, length: i64) -> Option<i64> {
        self.entries.front().map(|entry| entry.time.saturating_add(length))
    }

    /// When the newest entry leaves.
    pub(crate) fn last_expiry(&self, length: i64) -> Option<i64> {
        self.entries.back().map(|entry| entry.time.saturating_add(length))
    }

    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Messages that count as negative.
    pub(crate) fn negatives(&self) -> u64 {
        self.negatives
    }

    /// Sum of the entries' masses.
    pub(crate) fn mass(&self) -> f64 {
        self.mass as f64 / UNIT
    }

    /// Mean score weighted by relevance; `None` where the weights are all zero.
    pub(crate) fn mean_score(&self) -> Option<f64> {
        (self.relevances > 0).then(|| self.scores as f64 / self.relevances as f64)
    }

    /// Negative messages among all; `None` for an empty window.
    pub(crate) fn negative_share(&self) -> Option<f64> {
        (!self.entries.is_empty()).then(|| self.negatives as f64 / self.entries.len() as f64)
    }

    /// The strongest entries: the most negative ones, or the most positive.
    pub(crate) fn evidence(&self, most: usize, positive: bool) -> Vec<Evidence> {
        let strength =
            |entry: &Entry| if positive { entry.score * entry.relevance } else { entry.negative * entry.relevance };
        let mut strongest: Vec<&Entry> = self.entries.iter().collect();
        strongest.sort_by(|a, b| strength(b).total_cmp(&strength(a)).then_with(|| a.position().cmp(&b.position())));
        let mut evidence: Vec<Evidence> = Vec::with_capacity(most);
        for found in strongest.into_iter().filter_map(Entry::evidence) {
            if evidence.len() == most {
                break;
            }
            if evidence.iter().all(|other| other.text != found.text) {
                evidence.push(found);
            }
        }
        evidence
    }

    fn count(&mut self, entry: &Entry, sign: i64) {
        self.negatives = self.negatives.saturating_add_signed(if entry.is_negative { sign } else { 0 });
        self.mass += sign * fixed(entry.mass);
        self.scores += sign * fixed(entry.score * entry.relevance);
        self.relevances += sign * fixed(entry.relevance);
    }
}

impl From<Vec<Entry>> for Window {
    fn from(entries: Vec<Entry>) -> Self {
        let mut window = Self::default();
        for entry in entries {
            window.count(&entry, 1);
            window.entries.push_back(entry);
        }
        window
    }
}

impl From<Window> for Vec<Entry> {
    fn from(window: Window) -> Self {
        window.entries.into()
    }
}
