//! Every change of every alert's state, with its evidence.

use clickhouse::Row;
use foundation::EventTime;
use serde::{Deserialize, Serialize};

use crate::tables::conditions::Conditions;
use crate::{StorageError, Store, columns};

const TABLE: &str = "alert_transitions";
const DEFAULT_LIMIT: u64 = 1000;

/// One change of an alert's state. The same change stored again replaces itself.
#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
pub struct AlertTransition {
    /// The alert's identity: rule, entity and window.
    pub alert_id: String,
    /// `firing` or `resolved`.
    pub state: String,
    /// The rule.
    pub rule: String,
    /// What the rule watches: `entity`, `topic` or `all`.
    pub scope: String,
    /// Whom it is about.
    pub entity: String,
    /// The rule's severity.
    pub severity: String,
    /// When it happened, in event time.
    #[serde(with = "columns::event_time")]
    pub at: EventTime,
    /// Where the window begins.
    #[serde(with = "columns::event_time")]
    pub window_start: EventTime,
    /// Where the window ends.
    #[serde(with = "columns::event_time")]
    pub window_end: EventTime,
    /// What was measured.
    pub value: f64,
    /// What it was held against.
    pub threshold: f64,
    /// What a baseline led to expect, for rules that have one.
    pub expected: Option<f64>,
    /// The messages behind it, as a JSON array.
    pub evidence: String,
    /// When the row was written.
    #[serde(with = "columns::event_time")]
    pub inserted_at: EventTime,
}

/// Which transitions to list; everything that is `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransitionFilter {
    /// Of this rule only.
    pub rule: Option<String>,
    /// About this entity only.
    pub entity: Option<String>,
    /// Of this state only.
    pub state: Option<String>,
    /// At this event time or later.
    pub from: Option<EventTime>,
    /// Before this event time.
    pub until: Option<EventTime>,
    /// At most so many of the latest; 1,000 where it is not said.
    pub limit: Option<u64>,
}

impl Store {
    /// Stores transitions, atomically and once for one token. Waits for the server.
    pub async fn insert_alert_transitions(
        &self,
        transitions: &[AlertTransition],
        token: &str,
    ) -> Result<(), StorageError> {
        self.insert_block(TABLE, transitions, token).await
    }

    /// Lists the latest transitions that pass the filter, oldest first. Waits for the server.
    pub async fn alert_transitions(&self, filter: &TransitionFilter) -> Result<Vec<AlertTransition>, StorageError> {
        let query = Conditions::default()
            .text("rule = ?", filter.rule.as_ref())
            .text("entity = ?", filter.entity.as_ref())
            .text("state = ?", filter.state.as_ref())
            .number("at >= fromUnixTimestamp64Milli(?)", filter.from.map(EventTime::millis))
            .number("at < fromUnixTimestamp64Milli(?)", filter.until.map(EventTime::millis))
            .query(
                self,
                "SELECT ?fields FROM alert_transitions FINAL",
                "ORDER BY at DESC, rule DESC, entity DESC, state DESC",
                filter.limit.unwrap_or(DEFAULT_LIMIT),
            );
        let mut latest_first: Vec<AlertTransition> = self.fetch_all(query).await?;
        latest_first.reverse();
        Ok(latest_first)
    }
}
