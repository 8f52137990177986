//! Fresh answers from the brokers about partitions and offsets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;

use crate::connection::ConnectionConfig;
use crate::context::{Asking, Outage, Quiet, is_outage};
use crate::error::StreamingError;
use crate::lane::task_ended;
use crate::record::TopicPartition;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Polls after a question; more errors than these do not come between two questions for long.
const SERVED_AT_ONCE: usize = 64;

/// The extent of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The oldest offset that is still there.
    pub low: i64,
    /// The offset that the next message will get.
    pub high: i64,
}

/// Asks brokers; cheap to clone. Every call is a fresh query and answers within ten seconds or fails.
#[derive(Clone)]
pub struct Offsets {
    brokers: Arc<str>,
    consumer: Arc<BaseConsumer<Asking>>,
    connection: Arc<ConnectionConfig>,
    answer_within: Duration,
}

impl Offsets {
    /// A client for questions, on behalf of a group that it does not join. Opens no connection yet.
    pub fn connect(connection: &ConnectionConfig, group: &str) -> Result<Self, StreamingError> {
        connection.validate()?;
        let consumer = connection
            .client(&[("allow.auto.create.topics", "false")])
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create_with_context(Asking { outage: Outage::of_kafka(&connection.brokers) })
            .map_err(|source| StreamingError::kafka(&connection.brokers, "cannot make a client", source))?;
        Ok(Self {
            brokers: connection.brokers.as_str().into(),
            consumer: Arc::new(consumer),
            connection: Arc::new(connection.clone()),
            answer_within: ANSWER_WITHIN,
        })
    }

    /// The same, with less patience.
    pub(crate) fn answering_within(self, answer_within: Duration) -> Self {
        Self { answer_within, ..self }
    }

    pub(crate) fn outage(&self) -> Arc<Outage> {
        Arc::clone(&self.consumer.context().outage)
    }

    /// The partitions of a topic, in order; an error if there is no such topic.
    pub async fn partitions(&self, topic: &str) -> Result<Vec<i32>, StreamingError> {
        let name = topic.to_owned();
        let metadata = self
            .ask(format!("asking for the partitions of {topic}"), move |consumer, within| {
                let metadata = consumer.fetch_metadata(Some(&name), within)?;
                let mut partitions = Vec::new();
                for topic in metadata.topics() {
                    match topic.error() {
                        None | Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => {}
                        Some(error) => return Err(KafkaError::MetadataFetch(error.into())),
                    }
                    partitions.extend(topic.partitions().iter().map(rdkafka::metadata::MetadataPartition::id));
                }
                partitions.sort_unstable();
                Ok(partitions)
            })
            .await?;
        if metadata.is_empty() {
            return Err(StreamingError::NoTopic { brokers: self.brokers.to_string(), topic: topic.to_owned() });
        }
        Ok(metadata)
    }

    /// The extent of one partition.
    pub async fn watermarks(&self, partition: &TopicPartition) -> Result<Watermarks, StreamingError> {
        let wanted = partition.clone();
        self.ask(format!("asking for the ends of {partition}"), move |consumer, within| {
            let (low, high) = consumer.fetch_watermarks(&wanted.topic, wanted.partition, within)?;
            Ok(Watermarks { low, high })
        })
        .await
    }

    /// The extents of all partitions of a topic.
    pub async fn topic_watermarks(&self, topic: &str) -> Result<BTreeMap<i32, Watermarks>, StreamingError> {
        let partitions = self.partitions(topic).await?;
        let name = topic.to_owned();
        self.ask(format!("asking for the ends of {topic}"), move |consumer, within| {
            let ends = |partition| consumer.fetch_watermarks(&name, partition, within);
            partitions.into_iter().map(|id| ends(id).map(|(low, high)| (id, Watermarks { low, high }))).collect()
        })
        .await
    }

    /// The offset that the next message of each partition will get.
    pub async fn end_offsets(&self, topic: &str) -> Result<BTreeMap<i32, i64>, StreamingError> {
        Ok(self.topic_watermarks(topic).await?.into_iter().map(|(id, ends)| (id, ends.high)).collect())
    }

    /// The group's committed offset of each of these partitions, where there is one.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, StreamingError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let wanted = partitions.to_vec();
        self.ask("asking for committed offsets".to_owned(), move |consumer, within| {
            let mut list = TopicPartitionList::with_capacity(wanted.len());
            for partition in &wanted {
                list.add_partition(&partition.topic, partition.partition);
            }
            let answer = consumer.committed_offsets(list, within)?;
            let mut committed = BTreeMap::new();
            for element in answer.elements() {
                element.error()?;
                if let Offset::Offset(offset) = element.offset() {
                    committed.insert(TopicPartition::new(element.topic(), element.partition()), offset);
                }
            }
            Ok(committed)
        })
        .await
    }

    /// Creates a topic if it is not there; true if it was created now.
    ///
    /// A broker without the admin interface (the built-in one) creates it with its own number of partitions.
    pub async fn ensure_topic(&self, topic: &str, partitions: i32) -> Result<bool, StreamingError> {
        match self.partitions(topic).await {
            Ok(_) => return Ok(false),
            Err(StreamingError::NoTopic { .. }) => {}
            Err(error) => return Err(error),
        }
        let failed = |source| StreamingError::kafka(&self.brokers, format!("creating the topic {topic}"), source);
        let admin: AdminClient<Quiet> =
            self.connection.client(&[]).create_with_context(Quiet::new(&self.brokers)).map_err(failed)?;
        let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        let options = AdminOptions::new().operation_timeout(Some(ANSWER_WITHIN)).request_timeout(Some(ANSWER_WITHIN));
        let results = admin.create_topics([&wanted], &options).await;
        match results.map(|results| results.into_iter().next()) {
            Ok(None | Some(Ok(_))) => Ok(true),
            Ok(Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)))) => Ok(false),
            Ok(Some(Err((_, code)))) => Err(failed(KafkaError::AdminOp(code))),
            // Brokers answer here: one that never names its controller has no admin interface.
            Err(KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::OperationTimedOut)) => {
                self.ask_for_topic(topic).await
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Brokers that create topics by themselves do so when a client asks for one.
    async fn ask_for_topic(&self, topic: &str) -> Result<bool, StreamingError> {
        let failed = |source| StreamingError::kafka(&self.brokers, format!("asking for the topic {topic}"), source);
        let asking: BaseConsumer<Quiet> = self
            .connection
            .client(&[("allow.auto.create.topics", "true")])
            .create_with_context(Quiet::new(&self.brokers))
            .map_err(failed)?;
        let name = topic.to_owned();
        tokio::task::spawn_blocking(move || asking.fetch_metadata(Some(&name), ANSWER_WITHIN).map(drop))
            .await
            .map_err(|error| task_ended("a question to Kafka", error))?
            .map_err(failed)?;
        self.partitions(topic).await.map(|_| true)
    }

    async fn ask<T: Send + 'static>(
        &self,
        action: String,
        question: impl FnOnce(&BaseConsumer<Asking>, Duration) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, StreamingError> {
        let consumer = Arc::clone(&self.consumer);
        let answer_within = self.answer_within;
        let answer = tokio::task::spawn_blocking(move || {
            let answer = question(&consumer, answer_within);
            match &answer {
                Ok(_) => consumer.context().outage.over(),
                Err(error) if is_outage(error) => consumer.context().outage.warn(error),
                Err(_) => {}
            }
            // The client's own errors and logs wait in its queue; a poll serves one or some.
            (0..SERVED_AT_ONCE).for_each(|_| drop(consumer.poll(Duration::ZERO)));
            answer
        })
        .await
        .map_err(|error| task_ended("a question to Kafka", error))?;
        answer.map_err(|source| StreamingError::kafka(&self.brokers, action, source))
    }
}
