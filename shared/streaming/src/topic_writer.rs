//! Writes messages of an app's own to one topic.

use std::sync::Arc;

use crate::connection::ConnectionConfig;
use crate::error::StreamingError;
use crate::producer::{Outgoing, Producer};

/// Writes to one topic; cheap to clone.
#[derive(Clone)]
pub struct TopicWriter {
    producer: Producer,
    topic: Arc<str>,
}

impl TopicWriter {
    /// A writer; opens no connection yet.
    pub fn connect(connection: &ConnectionConfig, topic: &str) -> Result<Self, StreamingError> {
        Ok(Self { producer: Producer::connect(connection)?, topic: topic.into() })
    }

    /// Writes one message and returns when all replicas have it. Brokers that are down are waited for.
    pub async fn write(&self, key: &str, payload: &[u8]) -> Result<(), StreamingError> {
        let message = Outgoing { topic: &self.topic, key: Some(key.as_bytes()), payload, headers: &[] };
        let failed = |error| self.producer.failed(&self.topic, error);
        let delivery = self.producer.queue(message).await.map_err(failed)?;
        self.producer.acknowledged(delivery).await.map_err(failed)
    }
}
