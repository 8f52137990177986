//! An evaluator's state as bytes, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use foundation::EventTime;
use foundation::similarity::NoveltyIndex;
use serde::{Deserialize, Serialize};

use super::track::{Track, TrackState};
use super::{Evaluator, Position, Statistics};
use crate::error::AlertingError;
use crate::observation::Observation;
use crate::rule::RuleSet;

/// Changes whenever the form does.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    watermark: Option<EventTime>,
    statistics: Statistics,
    buffer: Vec<(i64, &'a Observation)>,
    novelty: &'a NoveltyIndex,
    /// By the rule's name, with the rule's fingerprint.
    tracks: BTreeMap<&'a str, (String, &'a TrackState)>,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Deserialize)]
struct Read {
    watermark: Option<EventTime>,
    statistics: Statistics,
    buffer: Vec<(i64, Observation)>,
    novelty: NoveltyIndex,
    tracks: BTreeMap<String, (String, TrackState)>,
}

pub(super) fn take(evaluator: &Evaluator) -> Result<Vec<u8>, AlertingError> {
    let rules = evaluator.rules.rules().iter();
    let written = Written {
        format: FORMAT,
        watermark: evaluator.watermark,
        statistics: evaluator.statistics,
        buffer: evaluator.buffer.iter().map(|(position, observation)| (position.instant, observation)).collect(),
        novelty: &evaluator.novelty,
        tracks: rules
            .zip(&evaluator.tracks)
            .map(|(rule, track)| (&*rule.name, (rule.fingerprint(), &track.state)))
            .collect(),
    };
    serde_json::to_vec(&written).map_err(AlertingError::Snapshot)
}

pub(super) fn restore(rules: Arc<RuleSet>, snapshot: &[u8]) -> Result<Evaluator, AlertingError> {
    let Format { format } = serde_json::from_slice(snapshot).map_err(AlertingError::Snapshot)?;
    if format != FORMAT {
        return Err(AlertingError::SnapshotFormat { expected: FORMAT, found: format });
    }
    let mut read: Read = serde_json::from_slice(snapshot).map_err(AlertingError::Snapshot)?;
    let mut evaluator = Evaluator::new(rules);
    evaluator.watermark = read.watermark;
    evaluator.statistics = read.statistics;
    if read.novelty.config() == evaluator.rules.novelty() {
        evaluator.novelty = read.novelty;
    }
    for (index, rule) in evaluator.rules.rules().iter().enumerate() {
        match read.tracks.remove(&*rule.name) {
            Some((fingerprint, state)) if fingerprint == rule.fingerprint() => {
                for (scope, state) in &state.scopes {
                    evaluator.timers.extend(state.timer.map(|timer| (timer, index, scope.clone())));
                }
                if let Some(track) = evaluator.tracks.get_mut(index) {
                    *track = Track::with_state(rule, state);
                }
            }
            Some(_) => evaluator.statistics.rules_reset += 1,
            None => {}
        }
    }
    for (instant, observation) in read.buffer {
        let (topic, partition, offset) = observation.position();
        let position = Position { instant, topic: topic.clone(), partition, offset };
        evaluator.buffer.insert(position, observation);
    }
    Ok(evaluator)
}
