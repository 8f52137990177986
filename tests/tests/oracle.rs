//! The oracle: messages with issued ids go in, consumers and the store are killed at random, and at the end every id is
//! in ClickHouse exactly once, with the alerts of a run that nobody disturbed.

#![expect(clippy::print_stdout, reason = "figures and the seed belong into the log")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use testkit::wait::try_until;
use testkit::{Kafka, StoreServer, binary, wait_until};
use tests::feed;
use tests::monitor::{MonitorOptions, MonitorProcess};

const MESSAGES: usize = 50_000;
const PARTITIONS: i32 = 4;
const MONITOR_KILLS: usize = 20;
const STORE_KILLS: usize = 2;
const DEADLINE: Duration = Duration::from_secs(900);

/// One rule of each kind, loose enough that the sample feed raises many alerts.
const RULES: &str = r#"
[[rule]]
name = "in the news"
kind = "threshold"
scope = "entity"
severity = "info"
metric = "count"
window = "6h"
at_least = 4.0

[[rule]]
name = "one bad story"
kind = "message"
scope = "entity"
severity = "warning"
max_score = -0.2

[[rule]]
name = "surge"
kind = "surge"
scope = "entity"
severity = "critical"
window = "12h"
probability = 0.01
min_mass = 0.5
"#;

/// A reproducible sequence of random numbers (SplitMix64, Steele et al. 2014); the seed is printed, so that a failure can be
/// run again with `PULSEWIRE_SEED`.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_doubled_whatever_is_killed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let model = train(folder)?;
    let kafka = Kafka::start(&folder.join("kafka"))?;
    let mut store = StoreServer::start(&folder.join("store"))?;
    let brokers = kafka.brokers();
    feed::create_topic(&brokers, "news", PARTITIONS).await?;
    let mut messages = feed::sample_cycles(MESSAGES.div_ceil(1900))?;
    messages.truncate(MESSAGES);
    ensure!(messages.len() == MESSAGES, "the sample feed is too short: {} messages", messages.len());

    let rules = folder.join("rules.toml");
    std::fs::write(&rules, RULES)?;
    let options = |group: &str| MonitorOptions {
        rules: rules.clone(),
        brokers: brokers.clone(),
        topic: "news".to_owned(),
        group: group.to_owned(),
        database: group.to_owned(),
        model: (model.clone(), "oracle".to_owned()),
        more: String::new(),
    };
    let sender = std::thread::spawn({
        let (brokers, messages) = (brokers.clone(), messages.clone());
        move || feed::send(&brokers, "news", PARTITIONS, &messages, (500, Duration::from_millis(300)))
    });
    disturbed(&options("disturbed"), &mut store, folder)?;
    sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;

    let issued: BTreeSet<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    let mut monitor = MonitorProcess::start("last", &options("disturbed"), store.connection(), folder)?;
    settle("disturbed", &store, &mut monitor)?;
    let mut reference = MonitorProcess::start("reference", &options("undisturbed"), store.connection(), folder)?;
    settle("undisturbed", &store, &mut reference)?;

    for database in ["disturbed", "undisturbed"] {
        let stored = store.query(&format!("SELECT id FROM {database}.sentiment_scores FINAL FORMAT TSV"))?;
        let rows = stored.lines().count();
        let ids: BTreeSet<&str> = stored.lines().collect();
        let lost: Vec<_> = issued.difference(&ids).take(5).collect();
        ensure!(lost.is_empty(), "{database}: lost {lost:?} and more");
        ensure!(rows == issued.len(), "{database}: {rows} rows for {} ids", issued.len());
        let raw = store.number(&format!("SELECT count() FROM {database}.sentiment_scores"))?;
        println!("{database}: {rows} rows, {raw} before deduplication");
    }
    let (disturbed, undisturbed) = (alerts("disturbed", &store)?, alerts("undisturbed", &store)?);
    ensure!(!undisturbed.is_empty(), "the feed raised no alert, so the comparison says nothing");
    let missing: Vec<_> = undisturbed.difference(&disturbed).take(5).collect();
    let extra: Vec<_> = disturbed.difference(&undisturbed).take(5).collect();
    ensure!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}, extra {extra:#?}");
    println!("{} alert transitions, the same in both runs", undisturbed.len());
    Ok(())
}

/// Two monitors in one group, one of them or the store killed again and again.
fn disturbed(options: &MonitorOptions, store: &mut StoreServer, folder: &Path) -> anyhow::Result<()> {
    let seed = std::env::var("PULSEWIRE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    println!("PULSEWIRE_SEED={seed}");
    let mut random = Random(seed);
    let connection = store.connection().clone();
    let mut monitors = [
        MonitorProcess::start("first", options, &connection, folder)?,
        MonitorProcess::start("second", options, &connection, folder)?,
    ];
    try_until("the first row", DEADLINE, || {
        for monitor in &mut monitors {
            monitor.check()?;
        }
        Ok(rows(&options.database, store).filter(|rows| *rows > 0))
    })?;
    for kill in 1..=MONITOR_KILLS {
        std::thread::park_timeout(Duration::from_millis(500 + random.next(3500)));
        for monitor in &mut monitors {
            monitor.check()?;
        }
        monitors[usize::try_from(random.next(2))?].kill_and_restart()?;
        if kill % (MONITOR_KILLS / STORE_KILLS) == MONITOR_KILLS / STORE_KILLS / 2 {
            store.kill()?;
            std::thread::park_timeout(Duration::from_millis(random.next(2000)));
            store.restart()?;
        }
    }
    Ok(())
}

fn rows(database: &str, store: &StoreServer) -> Option<u64> {
    store.number(&format!("SELECT uniqExact(id) FROM {database}.sentiment_scores")).ok()
}

/// Waits until all messages are stored and the evaluator has passed the last of them.
fn settle(database: &str, store: &StoreServer, monitor: &mut MonitorProcess) -> anyhow::Result<()> {
    let goal = MESSAGES as u64;
    try_until(&format!("{goal} messages in {database}"), DEADLINE, || {
        monitor.check()?;
        Ok(rows(database, store).filter(|rows| *rows >= goal))
    })
    .with_context(|| monitor.log())?;
    let newest = format!("SELECT toUnixTimestamp64Milli(max(event_time)) FROM {database}.sentiment_scores");
    let newest = store.number(&newest)?;
    wait_until(&format!("the evaluator of {database}"), Duration::from_secs(180), || {
        let watermark = format!("SELECT toUnixTimestamp64Milli(max(watermark)) FROM {database}.alert_progress");
        store.number(&watermark).ok().filter(|watermark| *watermark >= newest)
    })
    .with_context(|| monitor.log())?;
    Ok(())
}

fn alerts(database: &str, store: &StoreServer) -> anyhow::Result<BTreeSet<String>> {
    let columns = "rule, entity, alert_id, state, at";
    let stored = store.query(&format!("SELECT {columns} FROM {database}.alert_transitions FINAL FORMAT TSV"))?;
    let alerts: BTreeSet<String> = stored.lines().map(str::to_owned).collect();
    ensure!(alerts.len() == stored.lines().count(), "{database}: a transition is stored twice");
    Ok(alerts)
}

/// A small model of the real encoder, fine-tuned for one epoch on the sample headlines.
fn train(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let registry = folder.join("models");
    let labelled = feed::workspace().join("apps/sentiment-monitor/samples/labelled.csv");
    let mut command: Command = binary::pulsewire()?;
    let trained = command
        .args(["train", "--model", "oracle", "--text", "headline", "--label", "sentiment", "--head", "sentiment"])
        .args(["--epochs", "1", "--data"])
        .arg(labelled)
        .arg("--registry")
        .arg(&registry)
        .output()?;
    ensure!(trained.status.success(), "training failed:\n{}", String::from_utf8_lossy(&trained.stderr));
    Ok(registry)
}
