//! Observations and rules for the tests of this crate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alerting::{Evaluator, Mention, Observation, RuleSet, Transition};
use foundation::EventTime;

/// A Monday, 2007-01-01T00:00:00Z, so that tests read as hours of a week.
pub(crate) const MONDAY: i64 = 1_167_609_600_000;
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) fn at(millis: i64) -> EventTime {
    EventTime::from_millis(millis).unwrap()
}

pub(crate) fn rules(text: &str) -> Arc<RuleSet> {
    Arc::new(RuleSet::parse(text, Path::new("rules.toml")).unwrap_or_else(|error| panic!("{error}")))
}

/// A message about one entity; `offset` is its identity.
pub(crate) fn message(offset: i64, millis: i64, entity: &str, negative: f32, text: &str) -> Observation {
    Observation {
        topic: "news".into(),
        partition: (offset % 3) as i32,
        offset,
        time: at(millis),
        entities: vec![Mention { name: entity.into(), relevance: 1.0 }],
        label_topic: Some(if offset % 2 == 0 { "earnings" } else { "legal" }.into()),
        positive: (1.0 - negative) * 0.5,
        negative,
        score: (1.0 - negative) * 0.5 - negative,
        gravity: 1.0,
        title_or_text: text.into(),
        source: Some("wire".into()),
    }
}

/// A text that resembles no other one's.
pub(crate) fn unlike(number: i64) -> String {
    let mut state = number as u64;
    let mut word = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        format!("w{:x}", (mixed ^ (mixed >> 27)) & 0xF_FFFF)
    };
    (0..9).map(|_| word()).collect::<Vec<_>>().join(" ")
}

/// Everything offered at once and evaluated to the end.
pub(crate) fn run(rules: &Arc<RuleSet>, observations: &[Observation]) -> Vec<Transition> {
    let mut evaluator = Evaluator::new(rules.clone());
    for observation in observations {
        evaluator.offer(observation.clone());
    }
    let last = observations.iter().map(|observation| observation.time).max().unwrap_or(at(MONDAY));
    evaluator.advance(last.plus(Duration::from_secs(60 * 86_400)))
}

/// Rule, entity, state and minutes after [`MONDAY`].
pub(crate) fn brief(transitions: &[Transition]) -> Vec<(String, String, &'static str, i64)> {
    transitions
        .iter()
        .map(|transition| {
            let minutes = (transition.at.millis() - MONDAY) / MINUTE;
            (transition.rule.to_string(), transition.entity.to_string(), transition.state.as_str(), minutes)
        })
        .collect()
}
