//! Observations and a watermark in, transitions out.

mod report;
mod scopes;
mod snapshot;
mod stories;
mod track;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foundation::EventTime;
use foundation::similarity::{Novelty, NoveltyIndex};
use serde::{Deserialize, Serialize};

use crate::error::AlertingError;
use crate::observation::Observation;
use crate::rule::RuleSet;
use crate::transition::Transition;
use track::Track;

/// What an evaluator has done since it was new, across restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// Observations released by the watermark and evaluated.
    pub evaluated: u64,
    /// Observations whose time the watermark had passed when they came; they count in windows that are still open.
    pub late: u64,
    /// Observations offered while an equal one (topic, partition, offset) was still waiting.
    pub repeated: u64,
    /// Observations whose text repeats an earlier one's.
    pub near_duplicates: u64,
    /// Alerts fired.
    pub fired: u64,
    /// Alerts resolved.
    pub resolved: u64,
    /// Rules whose state was dropped on restoring, since the rule has changed.
    pub rules_reset: u64,
}

/// Evaluates rules over observations in event time.
///
/// Observations wait until the watermark passes their time and are evaluated in the order of (time, topic, partition, offset);
/// what depends on time alone (`for`, windows that empty, cool-downs) happens at its own event-time instant. Hence the
/// transitions do not depend on the order of offers, on how many come between two advances, or on the steps of the watermark.
///
/// An observation that comes after the watermark has passed its time is late: it is evaluated right after the watermark and
/// counts in the windows that its time still lies in. What was answered before stays.
#[derive(Debug)]
pub struct Evaluator {
    rules: Arc<RuleSet>,
    tracks: Vec<Track>,
    /// Not yet released, by the instant of evaluation.
    buffer: BTreeMap<Position, Observation>,
    watermark: Option<EventTime>,
    /// Scopes to be looked at when time alone may change them: (instant, rule, scope).
    timers: BTreeSet<(i64, usize, Arc<str>)>,
    novelty: NoveltyIndex,
    statistics: Statistics,
}

/// Instant of evaluation, then topic, partition and offset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    instant: i64,
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

impl Evaluator {
    /// An evaluator without any history.
    pub fn new(rules: Arc<RuleSet>) -> Self {
        let tracks = rules.rules().iter().map(Track::new).collect();
        let novelty = NoveltyIndex::new(rules.novelty().clone());
        Self {
            rules,
            tracks,
            buffer: BTreeMap::new(),
            watermark: None,
            timers: BTreeSet::new(),
            novelty,
            statistics: Statistics::default(),
        }
    }

    /// Goes on where [`Evaluator::snapshot`] was taken. Rules that have changed since start without history.
    pub fn restore(rules: Arc<RuleSet>, snapshot: &[u8]) -> Result<Self, AlertingError> {
        snapshot::restore(rules, snapshot)
    }

    /// Everything that [`Evaluator::restore`] needs to answer as this evaluator would.
    pub fn snapshot(&self) -> Result<Vec<u8>, AlertingError> {
        snapshot::take(self)
    }

    /// Takes an observation in; it is evaluated once the watermark reaches its time.
    pub fn offer(&mut self, observation: Observation) {
        let observation = sound(observation);
        let mut instant = observation.time.millis();
        if let Some(watermark) = self.watermark.filter(|watermark| observation.time <= *watermark) {
            self.statistics.late += 1;
            instant = watermark.millis() + 1;
        }
        let (topic, partition, offset) = observation.position();
        let position = Position { instant, topic: topic.clone(), partition, offset };
        if self.buffer.insert(position, observation).is_some() {
            self.statistics.repeated += 1;
        }
    }

    /// Moves the watermark and answers all that happened until then, in order. A watermark that goes back changes nothing.
    pub fn advance(&mut self, watermark: EventTime) -> Vec<Transition> {
        let mut transitions = Vec::new();
        let end = watermark.millis();
        while let Some(instant) = self.next_instant().filter(|instant| *instant <= end) {
            self.evaluate(instant, &mut transitions);
        }
        self.watermark = self.watermark.max(Some(watermark));
        transitions
    }

    /// Up to where the answer is complete.
    pub fn watermark(&self) -> Option<EventTime> {
        self.watermark
    }

    /// Observations that wait for the watermark.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// What was done so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    fn next_instant(&self) -> Option<i64> {
        let arrival = self.buffer.keys().next().map(|position| position.instant);
        let timer = self.timers.first().map(|(instant, ..)| *instant);
        match (arrival, timer) {
            (Some(arrival), Some(timer)) => Some(arrival.min(timer)),
            (one, other) => one.or(other),
        }
    }

    /// Everything of one instant: first what arrives, then, per rule and scope, what follows from it.
    fn evaluate(&mut self, instant: i64, transitions: &mut Vec<Transition>) {
        let mut due: BTreeSet<(usize, Arc<str>)> = BTreeSet::new();
        while let Some(first) = self.buffer.first_entry().filter(|first| first.key().instant == instant) {
            let observation = first.remove();
            self.arrive(instant, &observation, &mut due);
        }
        while let Some((_, rule, scope)) = self.timers.first().filter(|(at, ..)| *at == instant).cloned() {
            self.timers.remove(&(instant, rule, scope.clone()));
            due.insert((rule, scope));
        }
        let before = transitions.len();
        for (index, scope) in due {
            let (Some(rule), Some(track)) = (self.rules.rules().get(index), self.tracks.get_mut(index)) else {
                continue;
            };
            let timer = track.evaluate(rule, &scope, instant, transitions);
            if let Some(stale) = timer.stale {
                self.timers.remove(&(stale, index, scope.clone()));
            }
            if let Some(next) = timer.next {
                self.timers.insert((next, index, scope));
            }
        }
        for transition in transitions.iter().skip(before) {
            match transition.state {
                crate::State::Firing => self.statistics.fired += 1,
                crate::State::Resolved => self.statistics.resolved += 1,
            }
        }
    }

    fn arrive(&mut self, instant: i64, observation: &Observation, due: &mut BTreeSet<(usize, Arc<str>)>) {
        self.statistics.evaluated += 1;
        let mut novelty: Option<Novelty> = None;
        for (index, (rule, track)) in self.rules.rules().iter().zip(&mut self.tracks).enumerate() {
            for (scope, relevance) in scopes::of(rule, observation) {
                let novelty = *novelty.get_or_insert_with(|| {
                    let novelty = self.novelty.observe(observation.time, &observation.title_or_text);
                    self.statistics.near_duplicates += u64::from(novelty.duplicate_of.is_some());
                    novelty
                });
                if track.arrive(rule, &scope, track::Arrival { instant, observation, relevance, novelty }) {
                    due.insert((index, scope));
                }
            }
        }
    }
}

/// The observation with its probabilities and relevances inside their ranges; what is not a number counts as 0.
fn sound(mut observation: Observation) -> Observation {
    let within = |value: f32, low: f32, high: f32| if value.is_nan() { 0.0 } else { value.clamp(low, high) };
    observation.positive = within(observation.positive, 0.0, 1.0);
    observation.negative = within(observation.negative, 0.0, 1.0);
    observation.score = within(observation.score, -1.0, 1.0);
    observation.gravity = within(observation.gravity, 0.0, 1.0);
    for mention in &mut observation.entities {
        mention.relevance = within(mention.relevance, 0.0, 1.0);
    }
    observation
}
