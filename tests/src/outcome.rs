//! What a run has left in the store, and when it is complete.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use testkit::wait::try_until;
use testkit::{StoreServer, wait_until};

use crate::feed::Issued;
use crate::monitor::MonitorProcess;

const ROWS_DEADLINE: Duration = Duration::from_secs(900);
const EVALUATOR_DEADLINE: Duration = Duration::from_secs(180);

/// Distinct ids stored; none while the store is down or the table is not there.
pub fn rows(database: &str, store: &StoreServer) -> Option<u64> {
    store.number(&format!("SELECT uniqExact(id) FROM {database}.sentiment_scores")).ok()
}

/// Waits until so many messages are stored.
pub fn stored(
    database: &str,
    messages: usize,
    store: &StoreServer,
    monitor: &mut MonitorProcess,
) -> anyhow::Result<()> {
    try_until(&format!("{messages} messages in {database}"), ROWS_DEADLINE, || {
        monitor.check()?;
        Ok(rows(database, store).filter(|rows| *rows >= messages as u64))
    })
    .map(|_| ())
    .with_context(|| monitor.log())
}

/// Waits until all messages are stored and the evaluator has passed the last of them.
pub fn settled(
    database: &str,
    messages: usize,
    store: &StoreServer,
    monitor: &mut MonitorProcess,
) -> anyhow::Result<()> {
    stored(database, messages, store, monitor)?;
    let newest = format!("SELECT toUnixTimestamp64Milli(max(event_time)) FROM {database}.sentiment_scores");
    let newest = store.number(&newest)?;
    wait_until(&format!("the evaluator of {database}"), EVALUATOR_DEADLINE, || {
        let watermark = format!("SELECT toUnixTimestamp64Milli(max(watermark)) FROM {database}.alert_progress");
        store.number(&watermark).ok().filter(|watermark| *watermark >= newest)
    })
    .map(|_| ())
    .with_context(|| monitor.log())
}

/// An error unless every issued id is stored once; answers the rows before deduplication.
pub fn every_id_once(database: &str, messages: &[Issued], store: &StoreServer) -> anyhow::Result<u64> {
    let issued: BTreeSet<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    let stored = store.query(&format!("SELECT id FROM {database}.sentiment_scores FINAL FORMAT TSV"))?;
    let rows = stored.lines().count();
    let ids: BTreeSet<&str> = stored.lines().collect();
    let lost: Vec<_> = issued.difference(&ids).take(5).collect();
    ensure!(lost.is_empty(), "{database}: lost {lost:?} and more");
    ensure!(rows == issued.len(), "{database}: {rows} rows for {} ids", issued.len());
    store.number(&format!("SELECT count() FROM {database}.sentiment_scores"))
}

/// How many alert transitions two databases have; an error unless they are the same, and at least one.
pub fn same_alerts(disturbed: &str, undisturbed: &str, store: &StoreServer) -> anyhow::Result<usize> {
    let (disturbed, undisturbed) = (alerts(disturbed, store)?, alerts(undisturbed, store)?);
    ensure!(!undisturbed.is_empty(), "the feed raised no alert, so the comparison says nothing");
    let missing: Vec<_> = undisturbed.difference(&disturbed).take(5).collect();
    let extra: Vec<_> = disturbed.difference(&undisturbed).take(5).collect();
    ensure!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}, extra {extra:#?}");
    Ok(undisturbed.len())
}

fn alerts(database: &str, store: &StoreServer) -> anyhow::Result<BTreeSet<String>> {
    let columns = "rule, entity, alert_id, state, at";
    let stored = store.query(&format!("SELECT {columns} FROM {database}.alert_transitions FINAL FORMAT TSV"))?;
    let alerts: BTreeSet<String> = stored.lines().map(str::to_owned).collect();
    ensure!(alerts.len() == stored.lines().count(), "{database}: a transition is stored twice");
    Ok(alerts)
}
