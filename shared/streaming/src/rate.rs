//! How fast a topic can be read when nothing is done with it: the measure that the pipeline's rate stands beside.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::connection::ConnectionConfig;
use crate::context::{Quiet, is_outage};
use crate::error::StreamingError;
use crate::lane::task_ended;
use crate::offsets::Offsets;

/// A measured rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BareRate {
    /// Messages read.
    pub messages: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// From the first request to the last message.
    pub elapsed: Duration,
}

impl BareRate {
    /// Messages in a second.
    pub fn per_second(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Reads all that a topic holds, counts, and does nothing else.
pub async fn bare_consumer(connection: &ConnectionConfig, topic: &str) -> Result<BareRate, StreamingError> {
    let ends = Offsets::connect(connection, "pulsewire-rate")?.topic_watermarks(topic).await?;
    let consumer: BaseConsumer<Quiet> = connection
        .client(&[("queued.min.messages", "100000"), ("fetch.wait.max.ms", "100")])
        .set("group.id", "pulsewire-rate")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create_with_context(Quiet::new(&connection.brokers))
        .map_err(|source| StreamingError::kafka(&connection.brokers, "cannot make a consumer", source))?;
    let failed = {
        let (brokers, topic) = (connection.brokers.clone(), topic.to_owned());
        move |source| StreamingError::kafka(&brokers, format!("reading {topic}"), source)
    };
    let mut list = TopicPartitionList::new();
    let mut left = BTreeMap::new();
    for (id, ends) in ends.into_iter().filter(|(_, ends)| ends.low < ends.high) {
        list.add_partition_offset(topic, id, Offset::Offset(ends.low)).map_err(&failed)?;
        left.insert(id, ends.high);
    }
    tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        consumer.assign(&list)?;
        count(&consumer, left, began)
    })
    .await
    .map_err(|error| task_ended("the measurement", error))?
    .map_err(failed)
}

fn count(consumer: &BaseConsumer<Quiet>, mut left: BTreeMap<i32, i64>, began: Instant) -> Result<BareRate, KafkaError> {
    let (mut messages, mut bytes) = (0, 0);
    while !left.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                messages += 1;
                bytes += (message.payload_len() + message.key_len()) as u64;
                if left.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
                    left.remove(&message.partition());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(left.remove(&partition)),
            Some(Err(error)) if !is_outage(&error) => return Err(error),
            Some(Err(_)) | None => {}
        }
    }
    Ok(BareRate { messages, bytes, elapsed: began.elapsed() })
}
