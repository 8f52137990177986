//! Feeds whose every message has an issued id.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

/// One message to be sent.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Its id, once in the whole feed.
    pub id: String,
    /// Its event time, milliseconds.
    pub time: i64,
    /// JSON.
    pub payload: Vec<u8>,
}

/// A folder of this workspace's sources.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The sample feed, `cycles` times one after the other in event time, every message with an id of its own.
pub fn sample_cycles(cycles: usize) -> anyhow::Result<Vec<Issued>> {
    let path = workspace().join("apps/sentiment-monitor/samples/feed.csv");
    let mut reader = csv::Reader::from_path(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rows: Vec<HashMap<String, String>> = reader.deserialize().collect::<Result<_, _>>()?;
    let times: Vec<i64> = rows
        .iter()
        .map(|row| Ok(foundation::EventTime::parse(&row["published_utc"])?.millis()))
        .collect::<anyhow::Result<_>>()?;
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
        bail!("{} is empty", path.display())
    };
    // A whole number of weeks, so that the rhythm of the week stays.
    let week = 7 * 24 * 3600 * 1000;
    let length = ((last - first) / week + 1) * week;
    let start = 1_600_000_000_000 - (1_600_000_000_000 - first) % week;
    let mut issued = Vec::with_capacity(rows.len() * cycles);
    for cycle in 0..cycles {
        for (row, time) in rows.iter().zip(&times) {
            let id = format!("{cycle}-{}", row["id"]);
            let time = time - first + start + cycle as i64 * length;
            let text = &row["headline"];
            let source = &row["source"];
            let payload = serde_json::json!({ "id": id, "time": time, "text": text, "source": source });
            issued.push(Issued { id, time, payload: serde_json::to_vec(&payload)? });
        }
    }
    issued.sort_by_key(|message| message.time);
    Ok(issued)
}

/// Creates a topic.
pub async fn create_topic(brokers: &str, topic: &str, partitions: i32) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for result in admin.create_topics([&topic], &AdminOptions::new()).await? {
        result.map_err(|(topic, code)| anyhow::anyhow!("cannot create {topic}: {code}"))?;
    }
    Ok(())
}

/// Sends messages in order, spread evenly over the partitions, and returns when the broker has all of them.
///
/// `pause` is slept after every `batch` messages.
pub fn send(
    brokers: &str,
    topic: &str,
    partitions: i32,
    messages: &[Issued],
    (batch, pause): (usize, Duration),
) -> anyhow::Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .create()?;
    for (index, message) in messages.iter().enumerate() {
        let partition = i32::try_from(index)? % partitions;
        let mut record = BaseRecord::<str, [u8]>::to(topic).partition(partition).payload(&message.payload);
        while let Err((error, back)) = producer.send(record) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                    producer.poll(Duration::from_millis(20));
                    record = back;
                }
                other => return Err(other.into()),
            }
        }
        if (index + 1) % batch == 0 {
            producer.poll(pause);
        }
    }
    producer.flush(Duration::from_secs(60)).context("the broker did not take the feed within a minute")
}
