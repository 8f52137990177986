//! What a consumer has done and how far behind it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foundation::EventTime;
use tokio_util::sync::CancellationToken;

use super::config::ConsumerConfig;
use crate::lane::Span;
use crate::offsets::Offsets;
use crate::record::TopicPartition;

/// Counters of one consumer, written by it and read by anyone.
#[derive(Debug, Default)]
pub struct ConsumerMetrics {
    received_messages: AtomicU64,
    received_bytes: AtomicU64,
    stored_messages: AtomicU64,
    stored_blocks: AtomicU64,
    rebalances: AtomicU64,
    pauses: AtomicU64,
    partitions: Mutex<BTreeMap<TopicPartition, Position>>,
}

/// A reading of [`ConsumerMetrics`].
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerSnapshot {
    /// Messages taken from Kafka.
    pub received_messages: u64,
    /// Their bytes: keys, values and headers.
    pub received_bytes: u64,
    /// Messages whose block is durable.
    pub stored_messages: u64,
    /// Durable blocks.
    pub stored_blocks: u64,
    /// Changes of the partitions that this member owns.
    pub rebalances: u64,
    /// How often the intake of a partition was paused because its queue was full.
    pub pauses: u64,
    /// The partitions that this member owns now.
    pub partitions: Vec<PartitionSnapshot>,
}

/// How far a partition has come.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionSnapshot {
    /// The partition.
    pub partition: TopicPartition,
    /// The offset after the last durable message; None while the start is being found out.
    pub stored: Option<i64>,
    /// The end of the partition when it was last asked for.
    pub end: Option<i64>,
    /// Messages that are not durable yet.
    pub lag_messages: Option<u64>,
    /// The age of the oldest of them, from Kafka's timestamp where it has been read, else for how long it has been known.
    pub lag_seconds: Option<f64>,
    /// Whether intake is paused because the queue is full.
    pub paused: bool,
}

#[derive(Debug, Default)]
struct Position {
    stored: Option<i64>,
    end: Option<i64>,
    paused: bool,
    /// Blocks in work: the offset after each, and the timestamp of its first record.
    in_work: VecDeque<(i64, Option<i64>)>,
    behind_since: Option<Instant>,
}

impl ConsumerMetrics {
    /// New counters, to be shared with the consumer.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The counters as they stand.
    pub fn snapshot(&self) -> ConsumerSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let now = EventTime::now().millis();
        ConsumerSnapshot {
            received_messages: read(&self.received_messages),
            received_bytes: read(&self.received_bytes),
            stored_messages: read(&self.stored_messages),
            stored_blocks: read(&self.stored_blocks),
            rebalances: read(&self.rebalances),
            pauses: read(&self.pauses),
            partitions: self.with(|partitions| {
                partitions.iter().map(|(partition, position)| position.snapshot(partition, now)).collect()
            }),
        }
    }

    pub(crate) fn rebalanced(&self) {
        self.rebalances.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn assigned(&self, partition: &TopicPartition) {
        self.with(|partitions| partitions.insert(partition.clone(), Position::default()));
    }

    pub(crate) fn released(&self, partition: &TopicPartition) {
        self.with(|partitions| partitions.remove(partition));
    }

    pub(crate) fn started(&self, partition: &TopicPartition, offset: i64) {
        self.at(partition, |position| position.stored = Some(offset));
    }

    pub(crate) fn dispatched(&self, partition: &TopicPartition, span: Span, bytes: u64, first_timestamp: Option<i64>) {
        self.received_messages.fetch_add(span.records, Ordering::Relaxed);
        self.received_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.at(partition, |position| {
            position.in_work.push_back((span.next, first_timestamp));
            position.end = position.end.map(|end| end.max(span.next));
        });
    }

    pub(crate) fn stored(&self, partition: &TopicPartition, span: Span) {
        self.stored_messages.fetch_add(span.records, Ordering::Relaxed);
        self.stored_blocks.fetch_add(1, Ordering::Relaxed);
        self.at(partition, |position| {
            position.stored = Some(span.next);
            while position.in_work.front().is_some_and(|(next, _)| *next <= span.next) {
                position.in_work.pop_front();
            }
            position.behind_since = None;
        });
    }

    pub(crate) fn paused(&self, partition: &TopicPartition, paused: bool) {
        self.pauses.fetch_add(u64::from(paused), Ordering::Relaxed);
        self.at(partition, |position| position.paused = paused);
    }

    fn ended_at(&self, partition: &TopicPartition, end: i64) {
        self.at(partition, |position| {
            position.end = Some(end);
            if position.stored.is_some_and(|stored| stored < end) {
                position.behind_since.get_or_insert_with(Instant::now);
            } else {
                position.behind_since = None;
            }
        });
    }

    fn owned(&self) -> Vec<TopicPartition> {
        self.with(|partitions| partitions.keys().cloned().collect())
    }

    fn at(&self, partition: &TopicPartition, change: impl FnOnce(&mut Position)) {
        self.with(|partitions| partitions.get_mut(partition).map(change));
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<TopicPartition, Position>) -> T) -> T {
        // The map is whole even if a reader panicked while it held the lock.
        act(&mut self.partitions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Position {
    fn snapshot(&self, partition: &TopicPartition, now_millis: i64) -> PartitionSnapshot {
        let lag = self.stored.zip(self.end).map(|(stored, end)| u64::try_from(end - stored).unwrap_or(0));
        PartitionSnapshot {
            partition: partition.clone(),
            stored: self.stored,
            end: self.end,
            lag_messages: lag,
            lag_seconds: lag.map(|lag| if lag == 0 { 0.0 } else { self.oldest_waits_seconds(now_millis) }),
            paused: self.paused,
        }
    }

    fn oldest_waits_seconds(&self, now_millis: i64) -> f64 {
        let known_for = self.behind_since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        let read = self.in_work.front().and_then(|(_, timestamp)| *timestamp);
        read.map_or(known_for, |timestamp| ((now_millis - timestamp) as f64 / 1000.0).max(known_for))
    }
}

/// Asks for the ends of the owned partitions, again and again, until `stop`. During an outage it asks for the
/// first topic, which tells when the outage is over.
pub(crate) async fn watch_ends(
    metrics: Arc<ConsumerMetrics>,
    offsets: Offsets,
    config: ConsumerConfig,
    stop: CancellationToken,
) {
    // A stop waits for a question that is out.
    let offsets = offsets.answering_within(Duration::from_secs(2));
    // The first answer comes soon after the partitions do.
    let mut wait = config.lag_interval.min(Duration::from_millis(500));
    while stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        if offsets.outage().is_down() && offsets.partitions(&config.topics[0]).await.is_err() {
            continue;
        }
        for partition in metrics.owned() {
            // A broker that is down is reported by the client itself.
            if let Ok(ends) = offsets.watermarks(&partition).await {
                metrics.ended_at(&partition, ends.high);
                wait = config.lag_interval;
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag(metrics: &ConsumerMetrics) -> (Option<u64>, Option<f64>) {
        let partition = metrics.snapshot().partitions.remove(0);
        (partition.lag_messages, partition.lag_seconds.map(f64::round))
    }

    #[test]
    fn lag_counts_what_is_not_durable_and_tells_the_age_of_the_oldest() {
        let metrics = ConsumerMetrics::new();
        let partition = TopicPartition::new("news", 0);
        metrics.assigned(&partition);
        assert_eq!(lag(&metrics), (None, None));
        metrics.started(&partition, 10);
        metrics.ended_at(&partition, 10);
        assert_eq!(lag(&metrics), (Some(0), Some(0.0)));
        let an_hour_ago = EventTime::now().millis() - 3_600_000;
        let span = |first, next| Span { first, next, records: 5 };
        metrics.ended_at(&partition, 20);
        metrics.dispatched(&partition, span(10, 15), 100, Some(an_hour_ago));
        metrics.dispatched(&partition, span(15, 20), 100, Some(an_hour_ago + 1_800_000));
        assert_eq!(lag(&metrics), (Some(10), Some(3600.0)));
        metrics.stored(&partition, span(10, 15));
        assert_eq!(lag(&metrics), (Some(5), Some(1800.0)));
        metrics.stored(&partition, span(15, 20));
        assert_eq!(lag(&metrics), (Some(0), Some(0.0)));
        metrics.released(&partition);
        assert_eq!(metrics.snapshot().partitions, []);
    }
}
