//! Observations that come after the watermark has passed their time.

use crate::support::{HOUR, MINUTE, MONDAY, at, brief, message, rules, unlike};
use alerting::{Evaluator, Observation};

const RULE: &str = r#"
    [[rule]]
    name = "three"
    kind = "threshold"
    scope = "entity"
    metric = "count"
    window = "1h"
    at_least = 3
"#;

fn acme(offset: i64, minute: i64) -> Observation {
    message(offset, MONDAY + minute * MINUTE, "Acme", 0.9, &unlike(offset))
}

#[test]
fn a_late_observation_counts_in_windows_that_are_still_open_and_rewrites_nothing() {
    let mut evaluator = Evaluator::new(rules(RULE));
    evaluator.offer(acme(1, 0));
    evaluator.offer(acme(2, 30));
    assert_eq!(evaluator.advance(at(MONDAY + 40 * MINUTE)), []);
    evaluator.offer(acme(3, 20));
    assert_eq!(evaluator.statistics().late, 1);
    let answers = evaluator.advance(at(MONDAY + HOUR + 30 * MINUTE));
    // Evaluated right after the watermark, not at its own time; over when the first one leaves the window.
    let name = || ("three".to_owned(), "Acme".to_owned());
    assert_eq!(brief(&answers), [(name().0, name().1, "firing", 40), (name().0, name().1, "resolved", 60)]);
    assert_eq!(answers[0].at, at(MONDAY + 40 * MINUTE + 1));
}

#[test]
fn an_observation_later_than_its_window_only_counts_in_the_statistics() {
    let mut evaluator = Evaluator::new(rules(RULE));
    evaluator.offer(acme(1, 170));
    evaluator.offer(acme(2, 175));
    evaluator.advance(at(MONDAY + 180 * MINUTE));
    evaluator.offer(acme(3, 100));
    assert_eq!(evaluator.advance(at(MONDAY + 600 * MINUTE)), []);
    assert_eq!((evaluator.statistics().late, evaluator.statistics().evaluated), (1, 3));
}

#[test]
fn a_watermark_that_goes_back_changes_nothing() {
    let mut evaluator = Evaluator::new(rules(RULE));
    evaluator.advance(at(MONDAY + HOUR));
    evaluator.advance(at(MONDAY));
    assert_eq!(evaluator.watermark(), Some(at(MONDAY + HOUR)));
    evaluator.offer(acme(1, 30));
    assert_eq!(evaluator.statistics().late, 1);
}

#[test]
fn numbers_that_are_none_count_as_nothing() {
    let mut evaluator = Evaluator::new(rules(RULE));
    for offset in 0..3 {
        let mut observation = acme(offset, 0);
        (observation.negative, observation.score, observation.entities[0].relevance) =
            (f32::NAN, f32::INFINITY, f32::NAN);
        evaluator.offer(observation);
    }
    let answers = evaluator.advance(at(MONDAY + HOUR / 2));
    assert_eq!(answers.len(), 1);
    assert!(answers[0].evidence.iter().all(|evidence| evidence.score.is_finite()));
    evaluator.snapshot().unwrap();
}

#[test]
fn a_changed_rule_starts_without_history_and_the_others_keep_theirs() {
    let both = format!("{RULE}\n{}", RULE.replace("three", "other"));
    let mut evaluator = Evaluator::new(rules(&both));
    evaluator.offer(acme(1, 0));
    evaluator.offer(acme(2, 10));
    evaluator.advance(at(MONDAY + 20 * MINUTE));
    let snapshot = evaluator.snapshot().unwrap();
    let changed = both.replace("name = \"other\"", "name = \"other\"\nseverity = \"critical\"");
    let mut restored = Evaluator::restore(rules(&changed), &snapshot).unwrap();
    assert_eq!(restored.statistics().rules_reset, 1);
    restored.offer(acme(3, 30));
    let answers = restored.advance(at(MONDAY + 31 * MINUTE));
    assert_eq!(brief(&answers), [("three".to_owned(), "Acme".to_owned(), "firing", 30)]);
}

#[test]
fn foreign_snapshots_are_refused() {
    for bytes in [&b"{"[..], b"{\"format\": 99}", b"{\"format\": 1}", b"[]"] {
        assert!(Evaluator::restore(rules(RULE), bytes).is_err());
    }
}
