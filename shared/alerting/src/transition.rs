//! What the evaluator answers: an alert starts or ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use foundation::{EventTime, digest};
use serde::{Deserialize, Serialize};

use crate::rule::{Scope, Severity};

/// Whether an alert starts or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It starts.
    Firing,
    /// It ends.
    Resolved,
}

impl State {
    /// `firing` or `resolved`, as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// A message that an alert rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The headline, or the text where there is none.
    pub text: Arc<str>,
    /// p(positive) − p(negative).
    pub score: f32,
    /// How much the message is about the alert's entity.
    pub relevance: f32,
    /// When it happened.
    pub time: EventTime,
    /// Who published it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Arc<str>>,
    /// Kafka topic, or file name.
    pub topic: Arc<str>,
    /// Partition of the topic.
    pub partition: i32,
    /// Offset in the partition, or row of the file.
    pub offset: i64,
}

/// An alert starts or ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Identity of the alert, the same for its firing and its resolved transition, and the same in every replay.
    pub alert_id: String,
    /// The rule's name.
    pub rule: Arc<str>,
    /// What the rule watches.
    pub scope: Scope,
    /// The entity or topic; `*` for scope all.
    pub entity: Arc<str>,
    /// The rule's severity.
    pub severity: Severity,
    /// Whether the alert starts or ends.
    pub state: State,
    /// The event-time instant of the transition.
    pub at: EventTime,
    /// The event-time instant at which the alert started; equal to `at` when it fires.
    pub started_at: EventTime,
    /// The window is (`window_start`, `window_end`].
    pub window_start: EventTime,
    /// End of the window, inclusive.
    pub window_end: EventTime,
    /// What was measured.
    pub value: f64,
    /// What it takes to fire: for a surge, the value that reaches the rule's probability here and now.
    pub threshold: f64,
    /// What was to be expected, for a surge.
    pub expected: Option<f64>,
    /// Messages in the window, near-duplicates counted as the rule says.
    pub messages: u64,
    /// `alertname`, `entity`, `scope`, `severity` and the rule's own labels.
    pub labels: BTreeMap<String, String>,
    /// The labels by which notifications are put together.
    pub group: BTreeMap<String, String>,
    /// The messages that contributed most, the strongest first.
    pub evidence: Vec<Evidence>,
}

/// The identity of an alert: 32 hexadecimal digits.
///
/// `trigger` tells apart the stories that a message rule fires on at one instant.
pub(crate) fn alert_id(rule: &str, scope: Scope, entity: &str, at: i64, trigger: &str) -> String {
    let mut id =
        digest::sha256(format!("{rule}\u{1f}{}\u{1f}{entity}\u{1f}{at}\u{1f}{trigger}", scope.as_str()).as_bytes());
    id.truncate(32);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_differ_by_each_part() {
        let id = |rule, scope, entity, at, trigger| alert_id(rule, scope, entity, at, trigger);
        let ids = [
            id("a", Scope::Entity, "x", 1, ""),
            id("b", Scope::Entity, "x", 1, ""),
            id("a", Scope::Topic, "x", 1, ""),
            id("a", Scope::Entity, "y", 1, ""),
            id("a", Scope::Entity, "x", 2, ""),
            id("a", Scope::Entity, "x", 1, "t/0/7"),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert!(ids.iter().all(|id| id.len() == 32));
        assert_eq!(ids[0], "3aa43464c9a51e796151b054631c8e8f", "stored alerts would no longer be recognised");
    }
}
