//! What the tests of consumers share: a processor that remembers, a running consumer, numbered messages.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use foundation::{Failure, FailureKind};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use streaming::{
    ConnectionConfig, ConsumerConfig, ConsumerMetrics, MockBroker, PartitionProcessor, Record, StreamingError,
    TopicPartition, consume,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Waits until something holds; a test that waits in vain fails by its name.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Settings that react fast.
pub(crate) fn config_for(connection: ConnectionConfig, topic: &str) -> ConsumerConfig {
    ConsumerConfig {
        connection,
        group: "test".to_owned(),
        topics: vec![topic.to_owned()],
        session_timeout: Duration::from_secs(6),
        drain_deadline: Duration::from_secs(5),
        commit_interval: Duration::from_millis(100),
        lag_interval: Duration::from_millis(200),
        block: streaming::consumer::BlockConfig {
            max_rows: 100.try_into().unwrap(),
            max_age: Duration::from_millis(20),
            ..Default::default()
        },
        ..ConsumerConfig::default()
    }
}

pub(crate) fn config(broker: &MockBroker, topic: &str) -> ConsumerConfig {
    config_for(broker.connection(), topic)
}

/// Produces messages whose payload is their number, spread over the partitions by it.
pub(crate) async fn produce(connection: &ConnectionConfig, topic: &str, numbers: Range<u64>) {
    produce_compressed(connection, topic, numbers, "none").await;
}

pub(crate) async fn produce_compressed(connection: &ConnectionConfig, topic: &str, numbers: Range<u64>, codec: &str) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &connection.brokers)
        .set("enable.idempotence", "true")
        .set("compression.type", codec)
        .set("linger.ms", "5")
        .create()
        .unwrap();
    let mut deliveries = Vec::new();
    for number in numbers {
        let text = number.to_string();
        deliveries.push(producer.send_result(FutureRecord::to(topic).payload(&text).key(&text)).unwrap());
    }
    for delivery in deliveries {
        delivery.await.unwrap().unwrap();
    }
}

/// A store in memory that notes what it is given and in what order.
#[derive(Default)]
pub(crate) struct Ledger {
    rows: Mutex<Vec<Record>>,
    /// Resume after what is stored, as a real store does.
    remembers: bool,
    resume: Option<i64>,
    fail_at: Option<i64>,
    panic_at: Option<i64>,
    /// How many more assignments find the store down.
    down_for: AtomicUsize,
    stores_begun: AtomicUsize,
    gate: Mutex<Option<watch::Receiver<bool>>>,
}

/// Holds stores back until it is opened.
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("told to fail")]
pub(crate) struct ToldToFail(FailureKind);

impl Failure for ToldToFail {
    fn kind(&self) -> FailureKind {
        self.0
    }
}

impl Ledger {
    pub(crate) fn remembering() -> Self {
        Self { remembers: true, ..Self::default() }
    }

    pub(crate) fn resuming_at(offset: i64) -> Self {
        Self { resume: Some(offset), ..Self::default() }
    }

    pub(crate) fn failing_at(offset: i64) -> Self {
        Self { fail_at: Some(offset), ..Self::default() }
    }

    pub(crate) fn panicking_at(offset: i64) -> Self {
        Self { panic_at: Some(offset), ..Self::default() }
    }

    pub(crate) fn down_for(assignments: usize) -> Self {
        Self { down_for: assignments.into(), ..Self::default() }
    }

    pub(crate) fn hold_stores(&self) -> Gate {
        let (gate, closed) = watch::channel(false);
        *self.gate.lock().unwrap() = Some(closed);
        Gate(gate)
    }

    pub(crate) fn stores_begun(&self) -> usize {
        self.stores_begun.load(Ordering::SeqCst)
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.rows.lock().unwrap().clone()
    }

    pub(crate) fn stored_ids(&self) -> BTreeSet<u64> {
        let number = |row: &Record| std::str::from_utf8(&row.payload).unwrap().parse().unwrap();
        self.rows.lock().unwrap().iter().map(number).collect()
    }

    pub(crate) fn duplicates(&self) -> usize {
        self.records().len() - self.stored_ids().len()
    }

    pub(crate) fn first_offset(&self) -> Option<i64> {
        self.rows.lock().unwrap().first().map(|row| row.offset)
    }

    /// Every partition's offsets were stored in order and without a gap.
    pub(crate) fn assert_contiguous(&self) {
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for row in self.rows.lock().unwrap().iter() {
            let expected = next.insert(row.partition, row.offset + 1).unwrap_or(row.offset);
            assert_eq!(row.offset, expected, "partition {}", row.partition);
        }
    }
}

impl PartitionProcessor for Ledger {
    type Partition = ();
    type Block = Vec<Record>;
    type Error = ToldToFail;

    async fn assign(&self, partition: TopicPartition) -> Result<((), Option<i64>), ToldToFail> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.down_for.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Err(ToldToFail(FailureKind::Unavailable));
        }
        if self.remembers {
            let rows = self.rows.lock().unwrap();
            let last = rows.iter().filter(|row| row.partition == partition.partition).map(|row| row.offset).max();
            return Ok(((), last.map(|offset| offset + 1)));
        }
        Ok(((), self.resume))
    }

    async fn transform(&self, (): &mut (), records: Vec<Record>) -> Result<Vec<Record>, ToldToFail> {
        assert!(!records.iter().any(|row| Some(row.offset) == self.panic_at), "told to panic");
        Ok(records)
    }

    async fn store(&self, block: Vec<Record>) -> Result<(), ToldToFail> {
        self.stores_begun.fetch_add(1, Ordering::SeqCst);
        let gate = self.gate.lock().unwrap().clone();
        if let Some(mut gate) = gate {
            drop(gate.wait_for(|open| *open).await);
        }
        if block.iter().any(|row| Some(row.offset) == self.fail_at) {
            return Err(ToldToFail(FailureKind::Internal));
        }
        self.rows.lock().unwrap().extend(block);
        Ok(())
    }
}

/// A consumer in a task of its own.
pub(crate) struct Consumer {
    task: JoinHandle<Result<(), StreamingError>>,
    stop: CancellationToken,
    metrics: Arc<ConsumerMetrics>,
}

impl Consumer {
    pub(crate) fn start(config: ConsumerConfig, ledger: &Arc<Ledger>) -> Self {
        let (stop, metrics) = (CancellationToken::new(), ConsumerMetrics::new());
        let (ledger, token, counted) = (Arc::clone(ledger), stop.clone(), Arc::clone(&metrics));
        let task = tokio::spawn(async move { consume(&config, ledger, token, counted).await });
        Self { task, stop, metrics }
    }

    pub(crate) fn metrics(&self) -> Arc<ConsumerMetrics> {
        Arc::clone(&self.metrics)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub(crate) async fn stop(self) -> Result<(), StreamingError> {
        self.stop.cancel();
        self.ended().await
    }

    pub(crate) async fn ended(self) -> Result<(), StreamingError> {
        within(self.task, "the consumer's end").await.unwrap()
    }
}

async fn within<T>(future: impl Future<Output = T>, what: &str) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
