//! One leader among many processes, elected by a consumer group: who owns partition 0 of a topic leads.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::connection::ConnectionConfig;
use crate::context::{self, Outage};
use crate::error::StreamingError;
use crate::lane::task_ended;
use crate::offsets::Offsets;

const POLL_FOR: Duration = Duration::from_millis(100);
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A candidate. Dropping it resigns in the background.
///
/// A leader that loses touch with Kafka steps down after the session timeout by its own clock; another may have been
/// elected a moment before. What leaders do must therefore bear being done twice.
pub struct Leadership {
    leading: watch::Receiver<bool>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Leadership {
    /// Stands for election in `group` over `topic`, which is created with one partition if it is not there.
    ///
    /// Brokers that are down are waited for; until one answers nobody leads.
    pub async fn elect(
        connection: &ConnectionConfig,
        topic: &str,
        group: &str,
        session_timeout: Duration,
    ) -> Result<Self, StreamingError> {
        let offsets = Offsets::connect(connection, group)?;
        let (leads, leading) = watch::channel(false);
        let session = session_timeout.as_millis();
        let consumer: BaseConsumer<Candidate> = connection
            .client(&[("allow.auto.create.topics", "true"), ("topic.metadata.refresh.interval.ms", "5000")])
            .set("group.id", group)
            .set("session.timeout.ms", session.to_string())
            .set("heartbeat.interval.ms", (session / 10).clamp(100, 3000).to_string())
            .set("enable.auto.commit", "false")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .create_with_context(Candidate {
                leads,
                outage: Outage::of(format!("Kafka at {} (election on {topic})", connection.brokers)),
            })
            .map_err(|source| StreamingError::kafka(&connection.brokers, "cannot stand for election", source))?;
        let (name, election) = (topic.to_owned(), topic.to_owned());
        tokio::spawn(async move {
            // Only so that the topic has a single partition: the client itself asks for the topic as well.
            if let Err(error) = offsets.ensure_topic(&name, 1).await {
                tracing::debug!("the election's topic is left to the broker: {error}");
            }
        });
        consumer
            .subscribe(&[topic])
            .map_err(|source| StreamingError::kafka(&connection.brokers, "cannot stand for election", source))?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("leadership".to_owned())
            .spawn(move || {
                while !stopped.is_cancelled() {
                    if let Some(Err(error)) = consumer.poll(POLL_FOR) {
                        tracing::debug!("the election: {error}");
                    }
                    let outage = &consumer.context().outage;
                    // An outage shorter than the session ends without a word of the group.
                    if outage.is_down() && consumer.fetch_metadata(Some(&election), ANSWER_WITHIN).is_ok() {
                        outage.over();
                    }
                    outage.remind();
                }
                let context = Arc::clone(consumer.context());
                context.leads.send_replace(false);
                // Leaves the group, so that another is elected at once.
                drop(consumer);
            })
            .map_err(|source| StreamingError::io("the thread leadership", source))?;
        Ok(Self { leading, stop, thread: Some(thread) })
    }

    /// Whether this process leads now.
    pub fn is_leader(&self) -> bool {
        *self.leading.borrow()
    }

    /// Follows whether this process leads.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.leading.clone()
    }

    /// Steps down and leaves the group.
    pub async fn resign(mut self) -> Result<(), StreamingError> {
        self.stop.cancel();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        tokio::task::spawn_blocking(move || thread.join())
            .await
            .map_err(|error| task_ended("the resignation", error))?
            .map_err(|panic| StreamingError::TaskEnded {
                task: "the thread leadership".to_owned(),
                reason: crate::lane::panic_message(panic.as_ref()),
            })
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Candidate {
    leads: watch::Sender<bool>,
    outage: Outage,
}

impl ClientContext for Candidate {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::note_error(&self.outage, &error, reason);
    }
}

impl ConsumerContext for Candidate {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let has_zero = list.elements().iter().any(|element| element.partition() == 0);
        let answered = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.outage.over();
            let answered = consumer.incremental_assign(list);
            if has_zero {
                self.leads.send_replace(true);
            }
            answered
        } else {
            if has_zero {
                self.leads.send_replace(false);
            }
            consumer.incremental_unassign(list)
        };
        if let Err(error) = answered {
            tracing::debug!("the election: {error}");
        }
    }
}
