//! Alert transitions as rows.

use std::collections::HashSet;

use alerting::Transition;
use foundation::{EventTime, digest};
use storage::Store;
use storage::alert_progress::AlertProgress;
use storage::alert_transitions::AlertTransition;

use crate::error::MonitorError;

/// Transitions looked up and stored at once: their identities must fit into one query, whose size ClickHouse limits.
const CHUNK: usize = 1000;

/// Stores the transitions that are not stored yet.
pub(super) async fn store(store: &Store, transitions: &[Transition]) -> Result<(), MonitorError> {
    for transitions in transitions.chunks(CHUNK) {
        store_chunk(store, transitions).await?;
    }
    Ok(())
}

async fn store_chunk(store: &Store, transitions: &[Transition]) -> Result<(), MonitorError> {
    let ids: Vec<&str> = transitions.iter().map(|transition| transition.alert_id.as_str()).collect();
    let query = store.query("SELECT alert_id, state FROM alert_transitions WHERE alert_id IN ?").bind(ids);
    let known: HashSet<(String, String)> = store.fetch_all(query).await?.into_iter().collect();
    let is_new = |row: &AlertTransition| !known.contains(&(row.alert_id.clone(), row.state.clone()));
    let rows: Vec<AlertTransition> = transitions.iter().map(row).filter(is_new).collect();
    let identities: Vec<u8> =
        rows.iter().flat_map(|row| format!("{} {}\n", row.alert_id, row.state).into_bytes()).collect();
    store.insert_alert_transitions(&rows, &digest::sha256(&identities)).await?;
    Ok(())
}

/// A row of `alert_progress`.
pub(super) fn progress(evaluator: &str, sequence: u64, watermark: EventTime, snapshot: Vec<u8>) -> AlertProgress {
    let inserted_at = EventTime::now();
    AlertProgress { evaluator: evaluator.to_owned(), sequence, watermark, snapshot: snapshot.into(), inserted_at }
}

fn row(transition: &Transition) -> AlertTransition {
    AlertTransition {
        alert_id: transition.alert_id.clone(),
        state: transition.state.as_str().to_owned(),
        rule: transition.rule.to_string(),
        scope: transition.scope.as_str().to_owned(),
        entity: transition.entity.to_string(),
        severity: transition.severity.as_str().to_owned(),
        at: transition.at,
        window_start: transition.window_start,
        window_end: transition.window_end,
        value: transition.value,
        threshold: transition.threshold,
        expected: transition.expected,
        // Numbers and texts always have a JSON form.
        evidence: serde_json::to_string(&transition.evidence).unwrap_or_default(),
        inserted_at: EventTime::now(),
    }
}
