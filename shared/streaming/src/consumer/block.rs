//! Collects one partition's records until they make a block.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::config::BlockConfig;
use crate::record::{Record, TopicPartition};

/// One message while librdkafka still owns its bytes.
pub(crate) struct Incoming<'a> {
    pub offset: i64,
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub payload: &'a [u8],
    pub headers: Vec<(String, Bytes)>,
}

/// The block that is being collected. Keys and values go into one buffer, so that a block costs few allocations.
pub(crate) struct BlockBuilder {
    topic: Arc<str>,
    partition: i32,
    limits: BlockConfig,
    collected: Vec<Collected>,
    buffer: BytesMut,
    header_bytes: usize,
    opened: Option<Instant>,
}

struct Collected {
    offset: i64,
    timestamp: Option<i64>,
    key: Option<Range<usize>>,
    payload: Range<usize>,
    headers: Vec<(String, Bytes)>,
}

impl BlockBuilder {
    pub(crate) fn new(partition: &TopicPartition, limits: &BlockConfig) -> Self {
        Self {
            topic: Arc::clone(&partition.topic),
            partition: partition.partition,
            limits: limits.clone(),
            collected: Vec::new(),
            buffer: BytesMut::new(),
            header_bytes: 0,
            opened: None,
        }
    }

    pub(crate) fn push(&mut self, incoming: Incoming<'_>, now: Instant) {
        self.opened.get_or_insert(now);
        let key = incoming.key.map(|key| self.copy(key));
        let payload = self.copy(incoming.payload);
        self.header_bytes += incoming.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let Incoming { offset, timestamp, headers, .. } = incoming;
        self.collected.push(Collected { offset, timestamp, key, payload, headers });
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        start..self.buffer.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.collected.is_empty()
    }

    /// Whether no further record fits.
    pub(crate) fn is_full(&self) -> bool {
        self.collected.len() >= self.limits.max_rows.get() || self.size() >= self.limits.max_bytes.get()
    }

    /// Bytes of keys, values and headers.
    pub(crate) fn size(&self) -> usize {
        self.buffer.len() + self.header_bytes
    }

    /// When the block is to be handed on even if it is not full.
    pub(crate) fn due(&self) -> Option<Instant> {
        Some(self.opened? + self.limits.max_age)
    }

    /// The records so far, and an empty builder.
    pub(crate) fn take(&mut self) -> Vec<Record> {
        self.opened = None;
        self.header_bytes = 0;
        let bytes = std::mem::take(&mut self.buffer).freeze();
        let rows = self.collected.len();
        let records = self
            .collected
            .drain(..)
            .map(|collected| Record {
                topic: Arc::clone(&self.topic),
                partition: self.partition,
                offset: collected.offset,
                timestamp: collected.timestamp,
                key: collected.key.map(|range| bytes.slice(range)),
                payload: bytes.slice(collected.payload),
                headers: collected.headers,
            })
            .collect();
        self.buffer.reserve(bytes.len().min(self.limits.max_bytes.get()));
        self.collected.reserve(rows);
        records
    }

    /// The timestamp of the oldest record that waits here.
    pub(crate) fn first_timestamp(&self) -> Option<i64> {
        self.collected.first()?.timestamp
    }
}
