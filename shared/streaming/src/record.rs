//! One message as Kafka or a file delivers it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// One message. The bytes of all records of a block lie in one buffer, which lives until its last record is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The topic; a file's name where the source is a file.
    pub topic: Arc<str>,
    /// The partition; 0 for a file.
    pub partition: i32,
    /// The offset; the row number from 0 for a file.
    pub offset: i64,
    /// Kafka's timestamp in milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; empty for a tombstone.
    pub payload: Bytes,
    /// The headers in their order.
    pub headers: Vec<(String, Bytes)>,
}

impl Record {
    /// The value of the last header of this name, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().rev().find(|(key, _)| key == name)?;
        std::str::from_utf8(value).ok()
    }

    /// Bytes of key, value and headers.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.payload.len() + self.key.as_ref().map_or(0, Bytes::len) + headers
    }
}

/// A partition of a topic; shown as `topic[3]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition by its topic's name and its number.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}
