//! Transitions to send.

use std::path::Path;
use std::sync::Arc;

use alerting::{Evaluator, Mention, Observation, RuleSet, Transition};
use foundation::EventTime;

const RULES: &str = r#"
    [[rule]]
    name = "negative headlines"
    kind = "threshold"
    scope = "entity"
    severity = "critical"
    metric = "negative_count"
    window = "2h"
    at_least = 2
    labels = { team = "credit" }
    group_by = ["alertname", "team"]

    [[rule]]
    name = "bad headline"
    kind = "message"
    scope = "entity"
    max_score = -0.9
"#;

fn time(text: &str) -> EventTime {
    EventTime::parse(text).unwrap()
}

/// Two entities of one group fire and one of them ends; a third alert is in a group of its own.
pub(crate) fn transitions() -> Vec<Transition> {
    let rules = Arc::new(RuleSet::parse(RULES, Path::new("rules.toml")).unwrap());
    let mut evaluator = Evaluator::new(rules);
    let headlines = [
        ("2008-09-15T13:23:00Z", "AIG", 0.97, "AIG shares plummet, debt protection costs surge"),
        ("2008-09-15T14:22:00Z", "AIG", 0.80, "AIG may take \"huge\" markdowns on Lehman impact"),
        ("2008-09-15T14:30:00Z", "HBOS", 0.75, "HBOS shares slide as funding worries mount"),
        ("2008-09-15T14:50:00Z", "HBOS", 0.85, "Savers ask HBOS \u{1b}[31mabout deposits"),
    ];
    for (offset, (at, entity, negative, text)) in headlines.into_iter().enumerate() {
        evaluator.offer(Observation {
            topic: "news".into(),
            partition: 0,
            offset: offset as i64,
            time: time(at),
            entities: vec![Mention { name: entity.into(), relevance: 1.0 }],
            label_topic: None,
            positive: 0.01,
            negative,
            score: 0.01 - negative,
            gravity: 1.0,
            title_or_text: text.into(),
            source: Some("wire".into()),
        });
    }
    evaluator.advance(time("2008-09-15T16:00:00Z"))
}
