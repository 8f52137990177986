//! Reads a topic without a group: for listing dead letters and for watching a feed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::connection::ConnectionConfig;
use crate::consumer::block::headers_of;
use crate::context::{Quiet, is_outage};
use crate::error::StreamingError;
use crate::offsets::{Offsets, Watermarks};
use crate::record::Record;

/// Records between the reading thread and its caller.
const QUEUE_RECORDS: usize = 1024;
const POLL_FOR: Duration = Duration::from_millis(100);

/// Where to start reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFrom {
    /// With the oldest message of each partition.
    Beginning,
    /// With the next message that arrives.
    Now,
    /// With these offsets; partitions that are not named start with their oldest message.
    Offsets(BTreeMap<i32, i64>),
}

/// Where to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadUntil {
    /// At what were the ends of the partitions when the reading began.
    End,
    /// Never: wait for more.
    Stopped,
}

/// Reads the partitions of a topic, each in its order. Dropping it stops the reading.
pub struct TopicReader {
    records: mpsc::Receiver<Result<Record, StreamingError>>,
    _stop: DropGuard,
}

impl TopicReader {
    /// Starts reading; an error if there is no such topic.
    pub async fn open(
        connection: &ConnectionConfig,
        topic: &str,
        from: ReadFrom,
        until: ReadUntil,
    ) -> Result<Self, StreamingError> {
        let ends = Offsets::connect(connection, "pulsewire-reader")?.topic_watermarks(topic).await?;
        let (partitions, left) = plan(&ends, &from, until);
        let consumer: BaseConsumer<Quiet> = connection
            .client(&[("fetch.wait.max.ms", "100"), ("queued.max.messages.kbytes", "16384")])
            .set("group.id", "pulsewire-reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .create_with_context(Quiet::new(&connection.brokers))
            .map_err(|source| StreamingError::kafka(&connection.brokers, "cannot make a reader", source))?;
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            list.add_partition_offset(topic, partition, Offset::Offset(offset))
                .map_err(|source| StreamingError::kafka(&connection.brokers, "choosing where to start", source))?;
        }
        let failed = |source| StreamingError::kafka(&connection.brokers, format!("reading {topic}"), source);
        consumer.assign(&list).map_err(failed)?;
        let (queue, records) = mpsc::channel(QUEUE_RECORDS);
        let stop = CancellationToken::new();
        let reading =
            Reading { brokers: connection.brokers.clone(), topic: topic.into(), left, queue, stop: stop.clone() };
        thread::Builder::new()
            .name("topic-reader".to_owned())
            .spawn(move || reading.run(&consumer))
            .map_err(|source| StreamingError::io("the thread topic-reader", source))?;
        Ok(Self { records, _stop: stop.drop_guard() })
    }

    /// The next record; None at the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Record, StreamingError>> {
        self.records.recv().await
    }
}

/// Where each partition starts, and the end of each that is not there yet; no ends where reading goes on.
fn plan(
    ends: &BTreeMap<i32, Watermarks>,
    from: &ReadFrom,
    until: ReadUntil,
) -> (BTreeMap<i32, i64>, Option<BTreeMap<i32, i64>>) {
    let start = |id: i32, ends: &Watermarks| match from {
        ReadFrom::Beginning => ends.low,
        ReadFrom::Now => ends.high,
        ReadFrom::Offsets(offsets) => offsets.get(&id).map_or(ends.low, |offset| (*offset).clamp(ends.low, ends.high)),
    };
    let starts: BTreeMap<i32, i64> = ends.iter().map(|(id, ends)| (*id, start(*id, ends))).collect();
    match until {
        ReadUntil::Stopped => (starts, None),
        ReadUntil::End => {
            let left: BTreeMap<i32, i64> =
                ends.iter().filter(|(id, ends)| starts[*id] < ends.high).map(|(id, ends)| (*id, ends.high)).collect();
            (starts.into_iter().filter(|(id, _)| left.contains_key(id)).collect(), Some(left))
        }
    }
}

struct Reading {
    brokers: String,
    topic: Arc<str>,
    left: Option<BTreeMap<i32, i64>>,
    queue: mpsc::Sender<Result<Record, StreamingError>>,
    stop: CancellationToken,
}

impl Reading {
    fn run(mut self, consumer: &BaseConsumer<Quiet>) {
        while !self.stop.is_cancelled() && !self.left.as_ref().is_some_and(BTreeMap::is_empty) {
            consumer.context().outage.remind();
            let item = match consumer.poll(POLL_FOR) {
                None => continue,
                Some(Ok(message)) => {
                    consumer.context().outage.over();
                    let (partition, next) = (message.partition(), message.offset() + 1);
                    let past = self.left.as_ref().and_then(|left| left.get(&partition)).is_some_and(|end| next > *end);
                    let record = (!past).then(|| to_record(&self.topic, &message));
                    if let Some(left) = &mut self.left
                        && left.get(&partition).is_some_and(|end| next >= *end)
                    {
                        left.remove(&partition);
                    }
                    let Some(record) = record else { continue };
                    Ok(record)
                }
                // Transaction markers may fill the last offsets: then only this tells the end.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(left) = &mut self.left {
                        left.remove(&partition);
                    }
                    continue;
                }
                Some(Err(error)) if is_outage(&error) => continue,
                Some(Err(source)) => {
                    Err(StreamingError::kafka(&self.brokers, format!("reading {}", self.topic), source))
                }
            };
            let ends = item.is_err();
            if self.queue.blocking_send(item).is_err() || ends {
                return;
            }
        }
    }
}

fn to_record(topic: &Arc<str>, message: &BorrowedMessage<'_>) -> Record {
    Record {
        topic: Arc::clone(topic),
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(Bytes::copy_from_slice),
        payload: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
        headers: headers_of(message),
    }
}
