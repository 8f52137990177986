//! Collects one partition's records until they make a block.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

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

impl<'a> Incoming<'a> {
    pub(crate) fn of(message: &'a BorrowedMessage<'_>) -> Self {
        Self {
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key(),
            payload: message.payload().unwrap_or_default(),
            headers: headers_of(message),
        }
    }
}

/// A message's headers, copied.
pub(crate) fn headers_of(message: &BorrowedMessage<'_>) -> Vec<(String, Bytes)> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let owned = |value: Option<&[u8]>| Bytes::copy_from_slice(value.unwrap_or_default());
    headers.iter().map(|header| (header.key.to_owned(), owned(header.value))).collect()
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn limits(max_rows: usize, max_bytes: usize) -> BlockConfig {
        BlockConfig {
            max_rows: max_rows.try_into().unwrap(),
            max_bytes: max_bytes.try_into().unwrap(),
            max_age: Duration::from_secs(1),
        }
    }

    fn incoming<'a>(offset: i64, key: Option<&'a [u8]>, payload: &'a [u8]) -> Incoming<'a> {
        Incoming { offset, timestamp: Some(offset * 10), key, payload, headers: Vec::new() }
    }

    proptest! {
        #[test]
        fn blocks_hold_the_records_unchanged_and_within_the_limits(
            records in prop::collection::vec(
                (prop::option::of(prop::collection::vec(any::<u8>(), 0..4)), prop::collection::vec(any::<u8>(), 0..12)),
                0..60,
            ),
            max_rows in 1..9_usize,
            max_bytes in 1..64_usize,
        ) {
            let mut builder = BlockBuilder::new(&TopicPartition::new("news", 3), &limits(max_rows, max_bytes));
            let mut blocks = Vec::new();
            for (offset, (key, payload)) in (0..).zip(&records) {
                builder.push(incoming(offset, key.as_deref(), payload), Instant::now());
                if builder.is_full() {
                    blocks.push(builder.take());
                    prop_assert!(builder.is_empty() && builder.due().is_none());
                }
            }
            blocks.push(builder.take());
            for block in &blocks {
                prop_assert!(block.len() <= max_rows);
                let before_last: usize = block.iter().rev().skip(1).map(Record::size).sum();
                prop_assert!(before_last < max_bytes, "a block was full before its last record");
            }
            let collected: Vec<_> = blocks.into_iter().flatten().collect();
            prop_assert_eq!(collected.len(), records.len());
            for (offset, (found, (key, payload))) in (0..).zip(collected.iter().zip(&records)) {
                prop_assert_eq!((found.offset, found.partition, found.timestamp), (offset, 3, Some(offset * 10)));
                prop_assert_eq!(found.key.as_deref(), key.as_deref());
                prop_assert_eq!(&found.payload[..], &payload[..]);
            }
        }
    }

    #[test]
    fn a_block_is_due_by_the_age_of_its_first_record() {
        let mut builder = BlockBuilder::new(&TopicPartition::new("news", 0), &limits(10, 1000));
        let first = Instant::now();
        builder.push(incoming(0, None, b"a"), first);
        builder.push(incoming(1, None, b"b"), first + Duration::from_millis(900));
        assert_eq!(builder.due(), Some(first + Duration::from_secs(1)));
        assert_eq!(builder.first_timestamp(), Some(0));
    }
}
