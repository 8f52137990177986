//! A producer whose every message is acknowledged by all replicas, once, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::{DeliveryFuture, FutureProducer, FutureRecord};

use crate::connection::ConnectionConfig;
use crate::context::{Outage, Quiet, REMIND_EVERY};
use crate::error::StreamingError;

const FULL_QUEUE_WAIT: Duration = Duration::from_millis(10);

/// A message to produce.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub topic: &'a str,
    pub key: Option<&'a [u8]>,
    pub payload: &'a [u8],
    pub headers: &'a [(String, Bytes)],
}

/// Produces messages; cheap to clone. Brokers that are down are waited for, with a warning every few seconds.
#[derive(Clone)]
pub(crate) struct Producer {
    brokers: String,
    outage: Arc<Outage>,
    inner: FutureProducer<Quiet>,
}

impl Producer {
    pub(crate) fn connect(connection: &ConnectionConfig) -> Result<Self, StreamingError> {
        connection.validate()?;
        let outage = Outage::of_kafka(&connection.brokers);
        let inner = connection
            .client(&[
                ("linger.ms", "5"),
                ("compression.type", "lz4"),
                // The broker and the topic decide what is too large.
                ("message.max.bytes", "67108864"),
                ("queue.buffering.max.kbytes", "131072"),
            ])
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // Never given up by itself: the caller decides how long to wait.
            .set("message.timeout.ms", "0")
            .create_with_context(Quiet { outage: Arc::clone(&outage) })
            .map_err(|source| StreamingError::kafka(&connection.brokers, "cannot make a producer", source))?;
        Ok(Self { brokers: connection.brokers.clone(), outage, inner })
    }

    /// Queues a message, waiting for room; the future tells when it is acknowledged.
    pub(crate) async fn queue(&self, message: Outgoing<'_>) -> Result<DeliveryFuture, KafkaError> {
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
        for (name, value) in message.headers {
            headers = headers.insert(Header { key: name, value: Some(value.as_ref()) });
        }
        let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(message.topic).payload(message.payload);
        if let Some(key) = message.key {
            record = record.key(key);
        }
        if !message.headers.is_empty() {
            record = record.headers(headers);
        }
        loop {
            match self.inner.send_result(record) {
                Ok(delivery) => return Ok(delivery),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    tokio::time::sleep(FULL_QUEUE_WAIT).await;
                    record = refused;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Waits for one message's acknowledgement.
    pub(crate) async fn acknowledged(&self, mut delivery: DeliveryFuture) -> Result<(), KafkaError> {
        loop {
            match tokio::time::timeout(REMIND_EVERY, &mut delivery).await {
                Ok(Ok(Ok(_))) => {
                    self.outage.over();
                    return Ok(());
                }
                Ok(Ok(Err((error, _)))) => return Err(error),
                Ok(Err(_)) => return Err(KafkaError::Canceled),
                Err(_) => self.outage.warn(&"it has not acknowledged a message yet"),
            }
        }
    }

    pub(crate) fn failed(&self, topic: &str, source: KafkaError) -> StreamingError {
        StreamingError::kafka(&self.brokers, format!("writing to {topic}"), source)
    }
}

/// Whether a broker or the client refused a message for its size.
pub(crate) fn is_too_large(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
}

/// Messages that wait for their acknowledgement, in the order in which they were sent.
pub(crate) struct Unacknowledged<T> {
    waiting: VecDeque<(T, DeliveryFuture)>,
    limit: usize,
}

impl<T> Unacknowledged<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: VecDeque::new(), limit }
    }

    pub(crate) fn len(&self) -> u64 {
        self.waiting.len() as u64
    }

    pub(crate) fn push(&mut self, message: T, delivery: DeliveryFuture) {
        self.waiting.push_back((message, delivery));
    }

    /// Waits for the oldest while there are more than allowed (or any, at the end) and tells of each.
    pub(crate) async fn settle(
        &mut self,
        producer: &Producer,
        all: bool,
        mut tell: impl FnMut(T, Result<(), KafkaError>),
    ) {
        while self.waiting.len() > if all { 0 } else { self.limit } {
            if let Some((message, delivery)) = self.waiting.pop_front() {
                tell(message, producer.acknowledged(delivery).await);
            }
        }
    }
}
