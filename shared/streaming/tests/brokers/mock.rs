//! Against the built-in broker.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Consumer, Ledger, config, eventually, produce};
use bytes::Bytes;
use streaming::dead_letter::{LetterFilter, ReplayOptions};
use streaming::{DeadLetter, DeadLetters, Leadership, MockBroker, Offsets, Record, StreamingError, TopicPartition};
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "news";

fn broker(partitions: i32) -> MockBroker {
    let broker = MockBroker::start().unwrap();
    broker.create_topic(TOPIC, partitions).unwrap();
    broker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_stored_once_and_in_order_and_then_committed() {
    let broker = broker(3);
    produce(&broker.connection(), TOPIC, 0..3000).await;
    let ledger = Arc::new(Ledger::default());
    let consumer = Consumer::start(config(&broker, TOPIC), &ledger);
    eventually("3000 records", || ledger.stored_ids().len() == 3000).await;
    let metrics = consumer.metrics();
    consumer.stop().await.unwrap();

    assert_eq!(ledger.stored_ids(), (0..3000).collect());
    assert_eq!(ledger.duplicates(), 0);
    ledger.assert_contiguous();
    assert_eq!(metrics.snapshot().stored_messages, 3000);
    let offsets = Offsets::connect(&broker.connection(), "test").unwrap();
    let ends = offsets.end_offsets(TOPIC).await.unwrap();
    let partitions: Vec<_> = ends.keys().map(|id| TopicPartition::new(TOPIC, *id)).collect();
    let committed = offsets.committed(&partitions).await.unwrap();
    assert_eq!(
        committed.into_iter().map(|(at, offset)| (at.partition, offset)).collect::<Vec<_>>(),
        Vec::from_iter(ends)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stores_offset_wins_over_the_committed_one() {
    let broker = broker(1);
    produce(&broker.connection(), TOPIC, 0..100).await;
    let first = Arc::new(Ledger::default());
    let consumer = Consumer::start(config(&broker, TOPIC), &first);
    eventually("100 records", || first.stored_ids().len() == 100).await;
    consumer.stop().await.unwrap();

    // Kafka says 100; this store knows of 40.
    let behind = Arc::new(Ledger::resuming_at(40));
    let consumer = Consumer::start(config(&broker, TOPIC), &behind);
    eventually("60 records", || behind.stored_ids().len() == 60).await;
    consumer.stop().await.unwrap();
    assert_eq!(behind.first_offset(), Some(40));

    // A store that knows nothing goes by what Kafka says.
    let unaware = Arc::new(Ledger::default());
    let consumer = Consumer::start(config(&broker, TOPIC), &unaware);
    produce(&broker.connection(), TOPIC, 100..110).await;
    eventually("10 records", || unaware.stored_ids().len() == 10).await;
    consumer.stop().await.unwrap();
    assert_eq!(unaware.first_offset(), Some(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recreated_topic_is_refused_with_advice() {
    let broker = broker(1);
    produce(&broker.connection(), TOPIC, 0..5).await;
    let ledger = Arc::new(Ledger::resuming_at(6));
    let error = Consumer::start(config(&broker, TOPIC), &ledger).ended().await.unwrap_err();
    assert!(matches!(error, StreamingError::Recreated { resume: 6, end: 5, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_over_many_rebalances() {
    let broker = broker(6);
    let ledger = Arc::new(Ledger::remembering());
    let steady = Consumer::start(config(&broker, TOPIC), &ledger);
    let mut produced = 0;
    for _ in 0..3 {
        let joining = Consumer::start(config(&broker, TOPIC), &ledger);
        produce(&broker.connection(), TOPIC, produced..produced + 600).await;
        produced += 600;
        eventually("the second member's partitions", || !joining.metrics().snapshot().partitions.is_empty()).await;
        produce(&broker.connection(), TOPIC, produced..produced + 600).await;
        produced += 600;
        joining.stop().await.unwrap();
        eventually("all partitions again", || steady.metrics().snapshot().partitions.len() == 6).await;
    }
    eventually("all records", || ledger.stored_ids().len() == produced as usize).await;
    let rebalances = steady.metrics().snapshot().rebalances;
    steady.stop().await.unwrap();
    assert!(rebalances >= 7, "{rebalances} rebalances");
    assert_eq!(ledger.stored_ids(), (0..produced).collect());
    assert_eq!(ledger.duplicates(), 0);
    ledger.assert_contiguous();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_partition_is_handed_over_only_after_its_block_is_stored() {
    let broker = broker(2);
    let ledger = Arc::new(Ledger::remembering());
    let gate = ledger.hold_stores();
    produce(&broker.connection(), TOPIC, 0..200).await;
    let first = Consumer::start(config(&broker, TOPIC), &ledger);
    eventually("a store of each partition", || ledger.stores_begun() == 2).await;
    let second = Consumer::start(config(&broker, TOPIC), &ledger);
    // The second member is in the group, and gets nothing while the first still stores.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(second.metrics().snapshot().partitions, []);
    gate.open();
    eventually("a partition for the second", || second.metrics().snapshot().partitions.len() == 1).await;
    eventually("all records", || ledger.stored_ids().len() == 200).await;
    first.stop().await.unwrap();
    second.stop().await.unwrap();
    assert_eq!(ledger.duplicates(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_delays_a_stop_by_the_drain_deadline_only() {
    let broker = broker(1);
    let ledger = Arc::new(Ledger::default());
    let _gate = ledger.hold_stores();
    produce(&broker.connection(), TOPIC, 0..10).await;
    let mut config = config(&broker, TOPIC);
    config.drain_deadline = Duration::from_millis(300);
    let consumer = Consumer::start(config, &ledger);
    eventually("a store", || ledger.stores_begun() == 1).await;
    consumer.stop().await.unwrap();
    let offsets = Offsets::connect(&broker.connection(), "test").unwrap();
    assert!(offsets.committed(&[TopicPartition::new(TOPIC, 0)]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_store_pauses_intake_and_bounds_what_waits() {
    let broker = broker(1);
    let ledger = Arc::new(Ledger::default());
    let gate = ledger.hold_stores();
    produce(&broker.connection(), TOPIC, 0..5000).await;
    let mut config = config(&broker, TOPIC);
    config.block.max_rows = 10.try_into().unwrap();
    config.queue_blocks = 2.try_into().unwrap();
    let consumer = Consumer::start(config, &ledger);
    eventually("a pause", || consumer.metrics().snapshot().partitions.first().is_some_and(|at| at.paused)).await;
    let waiting = consumer.metrics().snapshot();
    // One being stored, one before the store, one in transform, two in the queue.
    assert!(waiting.received_messages <= 50, "{} taken", waiting.received_messages);
    eventually("the lag", || consumer.metrics().snapshot().partitions[0].lag_messages == Some(5000)).await;
    assert!(consumer.metrics().snapshot().partitions[0].lag_seconds.is_some_and(|lag| lag > 0.0));
    gate.open();
    eventually("5000 records", || ledger.stored_ids().len() == 5000).await;
    eventually("no lag", || consumer.metrics().snapshot().partitions[0].lag_messages == Some(0)).await;
    consumer.stop().await.unwrap();
    assert_eq!(ledger.duplicates(), 0);
    ledger.assert_contiguous();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_error_ends_the_consumer_and_says_where() {
    let broker = broker(1);
    let ledger = Arc::new(Ledger::failing_at(30));
    produce(&broker.connection(), TOPIC, 0..100).await;
    let mut config = config(&broker, TOPIC);
    config.block.max_rows = 10.try_into().unwrap();
    let error = Consumer::start(config, &ledger).ended().await.unwrap_err();
    assert_eq!(error.to_string(), "news[0] at offset 30: store failed");
    assert_eq!(ledger.stored_ids(), (0..30).collect());
    let offsets = Offsets::connect(&broker.connection(), "test").unwrap();
    let committed = offsets.committed(&[TopicPartition::new(TOPIC, 0)]).await.unwrap();
    assert_eq!(committed.into_values().collect::<Vec<_>>(), [30]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_down_at_the_start_is_waited_for() {
    let broker = broker(1);
    let ledger = Arc::new(Ledger::down_for(3));
    produce(&broker.connection(), TOPIC, 0..10).await;
    let consumer = Consumer::start(config(&broker, TOPIC), &ledger);
    eventually("10 records", || ledger.stored_ids().len() == 10).await;
    consumer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_the_processor_ends_the_consumer() {
    let broker = broker(1);
    let ledger = Arc::new(Ledger::panicking_at(0));
    produce(&broker.connection(), TOPIC, 0..1).await;
    let error = Consumer::start(config(&broker, TOPIC), &ledger).ended().await.unwrap_err();
    assert!(matches!(&error, StreamingError::TaskEnded { reason, .. } if reason == "told to panic"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_goes_down_is_waited_for() {
    let broker = broker(1);
    let ledger = Arc::new(Ledger::default());
    produce(&broker.connection(), TOPIC, 0..10).await;
    let consumer = Consumer::start(config(&broker, TOPIC), &ledger);
    eventually("10 records", || ledger.stored_ids().len() == 10).await;
    broker.go_down().unwrap();
    let producing = tokio::spawn({
        let connection = broker.connection();
        async move { produce(&connection, TOPIC, 10..20).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!producing.is_finished() && !consumer.has_ended());
    broker.come_up().unwrap();
    producing.await.unwrap();
    eventually("20 records", || ledger.stored_ids().len() == 20).await;
    consumer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_may_start_before_its_broker_answers() {
    let broker = broker(1);
    broker.go_down().unwrap();
    let ledger = Arc::new(Ledger::default());
    let consumer = Consumer::start(config(&broker, TOPIC), &ledger);
    tokio::time::sleep(Duration::from_millis(300)).await;
    broker.come_up().unwrap();
    produce(&broker.connection(), TOPIC, 0..10).await;
    eventually("10 records", || ledger.stored_ids().len() == 10).await;
    consumer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_stops_although_its_broker_is_down() {
    let broker = broker(1);
    let ledger = Arc::new(Ledger::default());
    let gate = ledger.hold_stores();
    produce(&broker.connection(), TOPIC, 0..10).await;
    let consumer = Consumer::start(config(&broker, TOPIC), &ledger);
    eventually("a store", || ledger.stores_begun() == 1).await;
    broker.go_down().unwrap();
    // What is stored now cannot be committed.
    gate.open();
    eventually("10 records", || ledger.stored_ids().len() == 10).await;
    consumer.stop().await.unwrap();
}

fn letter(offset: i64, stage: &str) -> DeadLetter {
    let record = Record {
        topic: TOPIC.into(),
        partition: 0,
        offset,
        timestamp: Some(1_161_375_900_000),
        key: Some(Bytes::from_static(b"key")),
        payload: Bytes::from_static(b"\xff\xfe{"),
        headers: vec![("trace".to_owned(), Bytes::from_static(b"abc"))],
    };
    DeadLetter { record, stage: stage.to_owned(), error: "not UTF-8".to_owned() }
}

async fn letters(broker: &MockBroker, filter: &LetterFilter) -> Vec<DeadLetter> {
    let mut found = Vec::new();
    streaming::dead_letter::list(&broker.connection(), "news.dlq", filter, |_, _, letter| {
        found.push(letter);
        std::ops::ControlFlow::Continue(())
    })
    .await
    .unwrap();
    found.sort_by_key(|letter| letter.record.offset);
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_and_sent_back_once() {
    let broker = broker(1);
    broker.create_topic("news.dlq", 2).unwrap();
    let sent: Vec<_> = (0..5).map(|offset| letter(offset, if offset < 2 { "decode.json" } else { "score" })).collect();
    DeadLetters::connect(&broker.connection(), None).unwrap().send(&sent).await.unwrap();
    assert_eq!(letters(&broker, &LetterFilter::default()).await, sent);
    let decode = LetterFilter { stage: Some("decode".into()), ..LetterFilter::default() };
    assert_eq!(letters(&broker, &decode).await, sent[..2]);

    let stop = CancellationToken::new();
    let replay = async |options: &ReplayOptions| {
        streaming::dead_letter::replay(&broker.connection(), "news.dlq", options, &stop, |_| {}).await.unwrap()
    };
    let filtered = replay(&ReplayOptions { filter: decode, ..ReplayOptions::default() }).await;
    assert_eq!((filtered.replayed, filtered.left_out), (2, 3));
    assert_eq!(replay(&ReplayOptions::default()).await.replayed, 5);
    assert_eq!(replay(&ReplayOptions::default()).await.replayed, 0);
    assert_eq!(replay(&ReplayOptions { again: true, ..ReplayOptions::default() }).await.replayed, 5);

    let ledger = Arc::new(Ledger::default());
    let consumer = Consumer::start(config(&broker, TOPIC), &ledger);
    eventually("12 records", || ledger.records().len() == 12).await;
    consumer.stop().await.unwrap();
    for record in ledger.records() {
        assert_eq!((&record.payload[..], record.key.as_deref()), (&b"\xff\xfe{"[..], Some(&b"key"[..])));
        assert_eq!((record.header("trace"), record.header("pulsewire-replays")), (Some("abc"), Some("1")));
        assert_eq!(record.header("pulsewire-error"), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_candidate_leads_and_another_follows_when_it_resigns() {
    let broker = MockBroker::start().unwrap();
    broker.create_topic("leader", 1).unwrap();
    let elect = || async {
        Leadership::elect(&broker.connection(), "leader", "monitor", Duration::from_secs(6)).await.unwrap()
    };
    let (first, second) = (elect().await, elect().await);
    eventually("a leader", || first.is_leader() || second.is_leader()).await;
    // Whoever came first may lead for a moment, until the group has settled: never both.
    for _ in 0..20 {
        assert!(!(first.is_leader() && second.is_leader()));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (leader, other) = if first.is_leader() { (first, second) } else { (second, first) };
    assert!(leader.is_leader());
    leader.resign().await.unwrap();
    eventually("the other's election", || other.is_leader()).await;
    other.resign().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_without_an_admin_interface_still_makes_topics() {
    let broker = MockBroker::start().unwrap();
    let offsets = Offsets::connect(&broker.connection(), "test").unwrap();
    offsets.ensure_topic("fresh", 1).await.unwrap();
    assert!(!offsets.partitions("fresh").await.unwrap().is_empty());
    assert!(!offsets.ensure_topic("fresh", 1).await.unwrap());
}
