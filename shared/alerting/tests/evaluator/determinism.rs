//! The alerts are a function of the observations and of the watermark's lateness: not of arrival order within it, of batches,
//! of the watermark's steps or of restarts.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{HOUR, MINUTE, MONDAY, at, message, rules, run, unlike};
use alerting::{Evaluator, Observation, RuleSet, State, Transition};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

const LATENESS: Duration = Duration::from_secs(2 * 3600);

fn every_kind() -> Arc<RuleSet> {
    rules(
        r#"
        [[rule]]
        name = "bad message"
        kind = "message"
        scope = "entity"
        max_score = -0.85
        cool_down = "30m"
        resolve_after = "40m"

        [[rule]]
        name = "bad topic"
        kind = "threshold"
        scope = "topic"
        metric = "mean_score"
        window = "2h"
        at_most = -0.3
        resolve_above = 0.0
        min_messages = 3
        for = "10m"

        [[rule]]
        name = "share"
        kind = "threshold"
        scope = "entity"
        metric = "negative_share"
        window = "90m"
        at_least = 0.7
        min_messages = 2
        resolve_after = "15m"

        [[rule]]
        name = "everything"
        kind = "threshold"
        scope = "all"
        metric = "negative_mass"
        window = "1h"
        at_least = 4
        resolve_below = 2.5
        duplicates = "each"

        [[rule]]
        name = "surge"
        kind = "surge"
        scope = "entity"
        window = "3h"
        probability = 0.01
        min_mass = 1.2
        half_life = "1d"
        cool_down = "1h"
        escalation = 1.5
        "#,
    )
}

prop_compose! {
    fn observations()(
        picks in prop::collection::vec((0_i64..40 * 60, 0_usize..5, 0.0_f32..1.0, 0_i64..60, any::<bool>()), 1..160),
    ) -> Vec<Observation> {
        picks
            .into_iter()
            .enumerate()
            .map(|(offset, (minute, entity, negative, story, multiple))| {
                let name = ["Acme", "Bolt", "Core", "Dune", "Echo"][entity];
                // Many on the same minute, so that ties are tried.
                let time = MONDAY + minute / 5 * 5 * MINUTE;
                let mut observation = message(offset as i64, time, name, negative, &unlike(story));
                if multiple {
                    observation.entities.push(alerting::Mention { name: "Both".into(), relevance: 0.6 });
                }
                observation
            })
            .collect()
    }
}

/// Feeds observations in an order of arrival in which none comes more than the lateness after a later one.
fn stream(rules: &Arc<RuleSet>, arrivals: &[Observation], batch: usize, restart_every: usize) -> Vec<Transition> {
    let mut evaluator = Evaluator::new(rules.clone());
    let mut answers = Vec::new();
    let mut newest = at(0);
    for (number, chunk) in arrivals.chunks(batch).enumerate() {
        for observation in chunk {
            newest = newest.max(observation.time);
            evaluator.offer(observation.clone());
        }
        answers.extend(evaluator.advance(newest.minus(LATENESS)));
        if number % restart_every == restart_every - 1 {
            evaluator = Evaluator::restore(rules.clone(), &evaluator.snapshot().unwrap()).unwrap();
        }
    }
    assert_eq!(evaluator.statistics().late, 0);
    // The rest, in steps of its own.
    for step in 1..=50 {
        answers.extend(evaluator.advance(at(MONDAY + step * 2 * HOUR)));
    }
    answers
}

/// Sorts by time plus a delay below the lateness.
fn arrive_late(observations: &[Observation], delays: &[i64]) -> Vec<Observation> {
    let mut arrivals: Vec<(i64, Observation)> = observations
        .iter()
        .zip(delays.iter().cycle())
        .map(|(observation, delay)| (observation.time.millis() + delay * MINUTE, observation.clone()))
        .collect();
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    arrivals.into_iter().map(|(_, observation)| observation).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn arrival_batches_steps_and_restarts_change_nothing(
        observations in observations(),
        delays in prop::collection::vec(0_i64..120, 1..20),
        batch in 1_usize..30,
        restart_every in 1_usize..20,
    ) {
        let rules = every_kind();
        let expected = run(&rules, &observations);
        let answers = stream(&rules, &arrive_late(&observations, &delays), batch, restart_every);
        prop_assert_eq!(answers, expected);
    }

    #[test]
    fn repeated_offers_before_the_release_count_once(observations in observations()) {
        let rules = every_kind();
        let twice: Vec<Observation> = observations.iter().chain(&observations).cloned().collect();
        prop_assert_eq!(run(&rules, &twice), run(&rules, &observations));
    }

    #[test]
    fn every_alert_starts_once_and_ends_once(observations in observations()) {
        let transitions = run(&every_kind(), &observations);
        let mut open = std::collections::BTreeMap::new();
        let mut last = 0;
        for transition in &transitions {
            prop_assert!(transition.at.millis() >= last);
            last = transition.at.millis();
            match transition.state {
                State::Firing => {
                    prop_assert_eq!(transition.started_at, transition.at);
                    prop_assert!(!transition.evidence.is_empty());
                    prop_assert!(open.insert(transition.alert_id.clone(), transition.at).is_none(), "fired twice");
                }
                State::Resolved => prop_assert_eq!(open.remove(&transition.alert_id), Some(transition.started_at)),
            }
        }
        prop_assert!(open.is_empty(), "everything is over after two months");
    }

    #[test]
    fn a_snapshot_is_the_same_whenever_it_is_taken_of_the_same_state(observations in observations(), cut in 0_usize..160) {
        let rules = every_kind();
        let mut evaluator = Evaluator::new(rules.clone());
        for observation in observations.iter().take(cut) {
            evaluator.offer(observation.clone());
        }
        evaluator.advance(at(MONDAY + 20 * HOUR));
        let snapshot = evaluator.snapshot().unwrap();
        let again = Evaluator::restore(rules, &snapshot).unwrap().snapshot().unwrap();
        prop_assert_eq!(String::from_utf8(snapshot).unwrap(), String::from_utf8(again).unwrap());
    }
}

#[test]
fn the_generated_feeds_fire_every_rule() {
    // Without this, the properties above could hold of nothing.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut fired = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let observations = observations().new_tree(&mut runner).unwrap().current();
        fired.extend(run(&every_kind(), &observations).into_iter().map(|transition| transition.rule.to_string()));
    }
    assert_eq!(fired.len(), every_kind().rules().len(), "{fired:?}");
}
