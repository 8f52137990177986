//! Against a real Kafka: what the built-in broker cannot show.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use streaming::feed::{Pace, SendOptions, Speed};
use streaming::file::FileFormat;
use streaming::topic_reader::{ReadFrom, ReadUntil};
use streaming::{DeadLetter, DeadLetters, Leadership, Offsets, Record, TopicPartition, TopicReader};
use tokio_util::sync::CancellationToken;

use crate::server::Server;
use crate::support::{Consumer, Ledger, config_for, eventually, produce, produce_compressed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_compression_is_read() {
    let server = Server::shared();
    let connection = server.connection();
    Offsets::connect(&connection, "test").unwrap().ensure_topic("codecs", 3).await.unwrap();
    for (round, codec) in (0..).zip(["none", "gzip", "snappy", "lz4", "zstd"]) {
        produce_compressed(&connection, "codecs", round * 500..(round + 1) * 500, codec).await;
    }
    let ledger = Arc::new(Ledger::default());
    let consumer = Consumer::start(config_for(connection, "codecs"), &ledger);
    eventually("2500 records", || ledger.stored_ids().len() == 2500).await;
    consumer.stop().await.unwrap();
    assert_eq!(ledger.duplicates(), 0);
    ledger.assert_contiguous();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aborted_transactions_are_not_read_and_their_gaps_do_no_harm() {
    let server = Server::shared();
    let connection = server.connection();
    Offsets::connect(&connection, "test").unwrap().ensure_topic("transactions", 1).await.unwrap();
    let brokers = connection.brokers.clone();
    tokio::task::spawn_blocking(move || {
        let producer: ThreadedProducer<DefaultProducerContext> =
            ClientConfig::new().set("bootstrap.servers", &brokers).set("transactional.id", "test").create().unwrap();
        let wait = Duration::from_secs(30);
        producer.init_transactions(wait).unwrap();
        for round in 0..10_u64 {
            producer.begin_transaction().unwrap();
            for number in round * 10..(round + 1) * 10 {
                let text = number.to_string();
                producer
                    .send(BaseRecord::to("transactions").payload(&text).key("k"))
                    .map_err(|(error, _)| error)
                    .unwrap();
            }
            match round % 2 {
                0 => producer.commit_transaction(wait).unwrap(),
                _ => producer.abort_transaction(wait).unwrap(),
            }
        }
    })
    .await
    .unwrap();
    let ledger = Arc::new(Ledger::default());
    let consumer = Consumer::start(config_for(connection.clone(), "transactions"), &ledger);
    eventually("50 records", || ledger.stored_ids().len() == 50).await;
    consumer.stop().await.unwrap();
    assert!(ledger.stored_ids().iter().all(|number| number / 10 % 2 == 0));
    assert_eq!(ledger.duplicates(), 0);

    // The last offsets are a marker of an aborted transaction: a reader must still find the end.
    let mut reader = TopicReader::open(&connection, "transactions", ReadFrom::Beginning, ReadUntil::End).await.unwrap();
    let mut read = 0;
    while let Some(record) = tokio::time::timeout(Duration::from_secs(30), reader.next()).await.unwrap() {
        record.unwrap();
        read += 1;
    }
    assert_eq!(read, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_members_come_and_go() {
    let server = Server::shared();
    let connection = server.connection();
    Offsets::connect(&connection, "test").unwrap().ensure_topic("rebalances", 6).await.unwrap();
    let ledger = Arc::new(Ledger::remembering());
    let mut config = config_for(connection.clone(), "rebalances");
    config.group = "rebalances".to_owned();
    let steady = Consumer::start(config.clone(), &ledger);
    let mut produced = 0;
    for _ in 0..5 {
        let joining = Consumer::start(config.clone(), &ledger);
        produce(&connection, "rebalances", produced..produced + 2000).await;
        produced += 2000;
        eventually("the second member's partitions", || !joining.metrics().snapshot().partitions.is_empty()).await;
        produce(&connection, "rebalances", produced..produced + 2000).await;
        produced += 2000;
        joining.stop().await.unwrap();
    }
    eventually("all records", || ledger.stored_ids().len() as u64 == produced).await;
    steady.stop().await.unwrap();
    assert_eq!(ledger.duplicates(), 0);
    ledger.assert_contiguous();
    let partitions: Vec<_> = (0..6).map(|id| TopicPartition::new("rebalances", id)).collect();
    let offsets = Offsets::connect(&connection, "rebalances").unwrap();
    let committed: i64 = offsets.committed(&partitions).await.unwrap().values().sum();
    assert_eq!(committed, i64::try_from(produced).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_broker_is_waited_for() {
    let server = Arc::new(Server::own());
    let connection = server.connection();
    produce(&connection, "outage", 0..100).await;
    let ledger = Arc::new(Ledger::default());
    let consumer = Consumer::start(config_for(connection.clone(), "outage"), &ledger);
    eventually("100 records", || ledger.stored_ids().len() == 100).await;
    let stopping = Arc::clone(&server);
    tokio::task::spawn_blocking(move || stopping.stop()).await.unwrap();
    assert!(!consumer.has_ended());
    let starting = Arc::clone(&server);
    tokio::task::spawn_blocking(move || starting.restart()).await.unwrap();
    produce(&connection, "outage", 100..200).await;
    eventually("200 records", || ledger.stored_ids().len() == 200).await;
    consumer.stop().await.unwrap();
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_leader_is_followed_by_another() {
    let server = Server::shared();
    let connection = server.connection();
    let elect = || async { Leadership::elect(&connection, "leader", "monitor", Duration::from_secs(6)).await.unwrap() };
    let first = elect().await;
    eventually("a leader", || first.is_leader()).await;
    assert_eq!(Offsets::connect(&connection, "test").unwrap().partitions("leader").await.unwrap(), [0]);
    let second = elect().await;
    drop(first);
    eventually("the next leader", || second.is_leader()).await;
    second.resign().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_that_a_topic_does_not_take_is_kept_in_part() {
    let server = Server::shared();
    let connection = server.connection();
    let record = Record {
        topic: "large".into(),
        partition: 0,
        offset: 1,
        timestamp: None,
        key: None,
        payload: Bytes::from(incompressible(20 << 20)),
        headers: Vec::new(),
    };
    let letter = DeadLetter { record, stage: "decode.size".into(), error: "too large".into() };
    DeadLetters::connect(&connection, None).unwrap().send(&[letter]).await.unwrap();
    let mut reader = TopicReader::open(&connection, "large.dlq", ReadFrom::Beginning, ReadUntil::End).await.unwrap();
    let kept = reader.next().await.unwrap().unwrap();
    assert_eq!(kept.payload.len(), 256 * 1024);
    assert_eq!(kept.header("pulsewire-cut-from-bytes"), Some("20971520"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_sent_resumed_and_read_back() {
    let server = Server::shared();
    let connection = server.connection();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("feed.csv");
    let rows: String = (0..1000)
        .map(|row| format!("2006-10-20 20:{:02}:{:02},key{},row {row}\n", row / 60, row % 60, row % 7))
        .collect();
    std::fs::write(&path, format!("published_utc,ticker,headline\n{rows}")).unwrap();
    let options = |first_row, limit| SendOptions {
        path: path.clone(),
        format: FileFormat::of(&path).unwrap(),
        topic: "feed".into(),
        key_column: Some("ticker".into()),
        // A thousand seconds in a tenth of one.
        pace: Pace::Timed(Speed { time_column: "published_utc".into(), factor: 10_000.0 }),
        first_row,
        limit,
    };
    let never = CancellationToken::new();
    let first = streaming::feed::send(&connection, &options(0, Some(400)), &never, |_| {}).await.unwrap();
    assert_eq!((first.acknowledged, first.next_row), (400, 400));
    let second = streaming::feed::send(&connection, &options(first.next_row, None), &never, |_| {}).await.unwrap();
    assert_eq!((second.acknowledged, second.next_row), (600, 1000));

    let mut reader = TopicReader::open(&connection, "feed", ReadFrom::Beginning, ReadUntil::End).await.unwrap();
    let mut headlines = Vec::new();
    while let Some(record) = reader.next().await {
        let record = record.unwrap();
        let row: serde_json::Value = serde_json::from_slice(&record.payload).unwrap();
        assert_eq!(record.key.unwrap(), row["ticker"].as_str().unwrap());
        headlines.push(row["headline"].as_str().unwrap().trim_start_matches("row ").parse::<u32>().unwrap());
    }
    headlines.sort_unstable();
    assert_eq!(headlines, (0..1000).collect::<Vec<_>>());
}

/// Bytes of a linear congruential generator.
fn incompressible(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(|_| next()).collect()
}
