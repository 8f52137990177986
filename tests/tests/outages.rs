//! Outages: Kafka and the store are away at the start, one after the other and together. One monitor waits for them, says
//! so, never ends, and leaves what a run without outages leaves.

use std::time::Duration;

use testkit::{Kafka, StoreServer};
use tests::feed::{self, Issued};
use tests::monitor::{MonitorOptions, MonitorProcess};
use tests::{fixture, outcome};

const PARTITIONS: i32 = 3;
const NOTICED: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_outlives_every_outage() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let model = fixture::train(folder)?;
    let kafka = Kafka::start(&folder.join("kafka"))?;
    let mut store = StoreServer::start(&folder.join("store"))?;
    let brokers = kafka.brokers();
    feed::create_topic(&brokers, "news", PARTITIONS).await?;
    let messages = feed::sample_cycles(3)?;
    let parts: Vec<&[Issued]> = messages.chunks(messages.len().div_ceil(4)).collect();
    let send = |part: usize| feed::send(&brokers, "news", PARTITIONS, parts[part], (usize::MAX, Duration::ZERO));
    let sent = |part: usize| parts.iter().take(part + 1).map(|part| part.len()).sum::<usize>();

    let rules = fixture::rules(folder)?;
    let options = |group: &str| MonitorOptions {
        rules: rules.clone(),
        brokers: brokers.clone(),
        topic: "news".to_owned(),
        group: group.to_owned(),
        database: group.to_owned(),
        model: (model.clone(), fixture::MODEL.to_owned()),
        more: String::new(),
    };

    // Nothing is there at the start; the store comes first.
    kafka.stop()?;
    store.kill()?;
    let mut monitor = MonitorProcess::start("monitor", &options("disturbed"), store.connection(), folder)?;
    says(&mut monitor, "waiting for the store", 1)?;
    store.restart()?;
    says(&mut monitor, "waiting for Kafka", 1)?;
    kafka.restart()?;
    send(0)?;
    outcome::stored("disturbed", sent(0), &store, &mut monitor)?;

    // Kafka goes, and is back while the store is away.
    let outages = count(&monitor, "waiting for Kafka");
    kafka.kill()?;
    says(&mut monitor, "waiting for Kafka", outages + 1)?;
    let outages = count(&monitor, "waiting for the store");
    store.kill()?;
    kafka.restart()?;
    send(1)?;
    says(&mut monitor, "waiting for the store", outages + 1)?;
    store.restart()?;
    outcome::stored("disturbed", sent(1), &store, &mut monitor)?;

    // Both go in the middle of the work.
    send(2)?;
    outcome::stored("disturbed", sent(1) + 100, &store, &mut monitor)?;
    let outages = count(&monitor, "waiting for Kafka");
    store.kill()?;
    kafka.kill()?;
    says(&mut monitor, "waiting for Kafka", outages + 1)?;
    kafka.restart()?;
    store.restart()?;
    send(3)?;
    outcome::settled("disturbed", messages.len(), &store, &mut monitor)?;

    let mut reference = MonitorProcess::start("reference", &options("undisturbed"), store.connection(), folder)?;
    outcome::settled("undisturbed", messages.len(), &store, &mut reference)?;
    for group in ["disturbed", "undisturbed"] {
        let raw = outcome::every_id_once(group, &messages, &store)?;
        println!("{group}: {} rows, {raw} before deduplication", messages.len());
    }
    let alerts = outcome::same_alerts("disturbed", "undisturbed", &store)?;
    println!("{alerts} alert transitions, the same in both runs");
    Ok(())
}

/// How often the monitor has said this.
fn count(monitor: &MonitorProcess, words: &str) -> usize {
    monitor.log().matches(words).count()
}

/// Waits until the monitor has said this so often.
fn says(monitor: &mut MonitorProcess, words: &str, times: usize) -> anyhow::Result<()> {
    let what = format!("{words:?}, {times} times,");
    let log = monitor.process().log_path().to_owned();
    monitor.process().wait_until(&what, NOTICED, || {
        let log = std::fs::read_to_string(&log).ok()?;
        (log.matches(words).count() >= times).then_some(())
    })
}
