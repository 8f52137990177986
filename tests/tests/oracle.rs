//! The oracle: messages with issued ids go in, consumers and the store are killed at random, and at the end every id is
//! in ClickHouse exactly once, with the alerts of a run that nobody disturbed.

#![expect(clippy::print_stdout, reason = "figures and the seed belong into the log")]

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use testkit::wait::try_until;
use testkit::{Kafka, StoreServer};
use tests::monitor::{MonitorOptions, MonitorProcess};
use tests::{feed, fixture, outcome};

const MESSAGES: usize = 50_000;
const PARTITIONS: i32 = 4;
const MONITOR_KILLS: usize = 20;
const STORE_KILLS: usize = 2;
const FIRST_ROW: Duration = Duration::from_secs(300);

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
    let model = fixture::train(folder)?;
    let kafka = Kafka::start(&folder.join("kafka"))?;
    let mut store = StoreServer::start(&folder.join("store"))?;
    let brokers = kafka.brokers();
    feed::create_topic(&brokers, "news", PARTITIONS).await?;
    let mut messages = feed::sample_cycles(MESSAGES.div_ceil(1900))?;
    messages.truncate(MESSAGES);
    ensure!(messages.len() == MESSAGES, "the sample feed is too short: {} messages", messages.len());

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
    let sender = std::thread::spawn({
        let (brokers, messages) = (brokers.clone(), messages.clone());
        move || feed::send(&brokers, "news", PARTITIONS, &messages, (500, Duration::from_millis(300)))
    });
    disturbed(&options("disturbed"), &mut store, folder)?;
    sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;

    for (group, name) in [("disturbed", "last"), ("undisturbed", "reference")] {
        let mut monitor = MonitorProcess::start(name, &options(group), store.connection(), folder)?;
        outcome::settled(group, MESSAGES, &store, &mut monitor)?;
        let raw = outcome::every_id_once(group, &messages, &store)?;
        println!("{group}: {MESSAGES} rows, {raw} before deduplication");
    }
    let alerts = outcome::same_alerts("disturbed", "undisturbed", &store)?;
    println!("{alerts} alert transitions, the same in both runs");
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
    try_until("the first row", FIRST_ROW, || {
        for monitor in &mut monitors {
            monitor.check()?;
        }
        Ok(outcome::rows(&options.database, store).filter(|rows| *rows > 0))
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
