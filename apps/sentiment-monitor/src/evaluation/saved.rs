//! The evaluator's state as it stands in `alert_progress`: a line of JSON that says what was read, then the state itself.

use std::collections::BTreeMap;

use alerting::Evaluator;
use foundation::EventTime;
use serde::{Deserialize, Serialize};
use streaming::TopicPartition;

use super::reader::{Read, Reader};
use crate::error::MonitorError;

const VERSION: u32 = 1;

/// A state read back.
pub(super) struct Saved<'a> {
    pub(super) read: BTreeMap<TopicPartition, Read>,
    pub(super) evaluator: &'a [u8],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    read: Vec<ReadPartition>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadPartition {
    topic: String,
    partition: i32,
    offset: i64,
    newest: EventTime,
}

impl<'a> Saved<'a> {
    pub(super) fn read(bytes: &'a [u8], evaluator: &str) -> Result<Self, MonitorError> {
        let broken = |source| MonitorError::Snapshot { evaluator: evaluator.to_owned(), source };
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let header: Header = serde_json::from_slice(&bytes[..end]).map_err(broken)?;
        if header.version != VERSION {
            let message = format!("version {}, this program reads {VERSION}", header.version);
            return Err(broken(serde::de::Error::custom(message)));
        }
        let read = header.read.into_iter().map(|read| {
            let partition = TopicPartition::new(read.topic, read.partition);
            (partition, Read { offset: read.offset, newest: read.newest })
        });
        Ok(Self { read: read.collect(), evaluator: bytes.get(end + 1..).unwrap_or_default() })
    }

    pub(super) fn bytes(reader: &Reader, evaluator: &Evaluator) -> Result<Vec<u8>, MonitorError> {
        let read = reader.read_so_far().iter().map(|(partition, read)| ReadPartition {
            topic: partition.topic.to_string(),
            partition: partition.partition,
            offset: read.offset,
            newest: read.newest,
        });
        let header = Header { version: VERSION, read: read.collect() };
        let unwritable = |source| MonitorError::Snapshot { evaluator: String::new(), source };
        let mut bytes = serde_json::to_vec(&header).map_err(unwritable)?;
        bytes.push(b'\n');
        bytes.extend(evaluator.snapshot()?);
        Ok(bytes)
    }
}
