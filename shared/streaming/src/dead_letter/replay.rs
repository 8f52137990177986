//! Dead letters looked at, and sent back to where they came from.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use super::{DeadLetter, REPLAYS, is_kept};
use crate::connection::ConnectionConfig;
use crate::context::Quiet;
use crate::error::StreamingError;
use crate::offsets::Offsets;
use crate::producer::{Outgoing, Producer, Unacknowledged};
use crate::record::TopicPartition;
use crate::topic_reader::{ReadFrom, ReadUntil, TopicReader};

/// The group whose committed offsets say which letters were sent back.
const GROUP: &str = "pulsewire-replay";
const UNACKNOWLEDGED_AT_MOST: usize = 1000;

/// Which letters are meant; an empty filter means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Letters of this stage: `decode` means every `decode.…` too.
    pub stage: Option<String>,
    /// Letters whose error contains this.
    pub error: Option<String>,
    /// Letters from this source topic.
    pub topic: Option<String>,
}

impl LetterFilter {
    /// Whether a letter is meant.
    pub fn admits(&self, letter: &DeadLetter) -> bool {
        let is_stage = |wanted: &str| {
            letter.stage.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.stage.as_deref().is_none_or(is_stage)
            && self.error.as_deref().is_none_or(|wanted| letter.error.contains(wanted))
            && self.topic.as_deref().is_none_or(|wanted| &*letter.record.topic == wanted)
    }

    fn admits_all(&self) -> bool {
        *self == Self::default()
    }
}

/// Shows the letters of a dead-letter topic, oldest first in each partition, until its end or until `each` breaks.
pub async fn list(
    connection: &ConnectionConfig,
    topic: &str,
    filter: &LetterFilter,
    mut each: impl FnMut(&TopicPartition, i64, DeadLetter) -> ControlFlow<()>,
) -> Result<(), StreamingError> {
    let mut reader = TopicReader::open(connection, topic, ReadFrom::Beginning, ReadUntil::End).await?;
    while let Some(record) = reader.next().await {
        let record = record?;
        let (partition, offset) = (TopicPartition::new(record.topic.clone(), record.partition), record.offset);
        let letter = DeadLetter::from_record(record);
        if filter.admits(&letter) && each(&partition, offset, letter).is_break() {
            break;
        }
    }
    Ok(())
}

/// What to send back.
#[derive(Debug, Clone, Default)]
pub struct ReplayOptions {
    /// Which letters.
    pub filter: LetterFilter,
    /// Also those that an earlier replay has sent back.
    pub again: bool,
    /// At most this many.
    pub limit: Option<u64>,
}

/// What was sent back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Letters that were read.
    pub read: u64,
    /// Letters that are on their source topic again, acknowledged.
    pub replayed: u64,
    /// Letters that the filter left out.
    pub left_out: u64,
    /// Letters without a source topic, or of which only the payload's beginning is left.
    pub impossible: u64,
}

/// Sends letters back to their source topics with their key and headers; `pulsewire-replays` counts how often.
///
/// A replay of everything remembers how far it came, and the next one begins there; one with a filter begins at the
/// beginning and remembers nothing, so that it leaves out no letter for a later one.
pub async fn replay(
    connection: &ConnectionConfig,
    topic: &str,
    options: &ReplayOptions,
    shutdown: &CancellationToken,
    mut progress: impl FnMut(&ReplayReport),
) -> Result<ReplayReport, StreamingError> {
    let remembers = options.filter.admits_all();
    let from =
        if remembers && !options.again { replayed_so_far(connection, topic).await? } else { ReadFrom::Beginning };
    let mut reader = TopicReader::open(connection, topic, from, ReadUntil::End).await?;
    let producer = Producer::connect(connection)?;
    let mut report = ReplayReport::default();
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    let mut waiting = Unacknowledged::new(UNACKNOWLEDGED_AT_MOST);
    let mut failure = None;
    while options.limit.is_none_or(|limit| report.replayed + waiting.len() < limit) && failure.is_none() {
        let Some(Some(record)) = shutdown.run_until_cancelled(reader.next()).await else { break };
        let record = record?;
        let at = (record.partition, record.offset + 1);
        report.read += 1;
        let letter = DeadLetter::from_record(record);
        if !options.filter.admits(&letter) {
            report.left_out += 1;
        } else if letter.record.topic.is_empty() || letter.is_cut() {
            report.impossible += 1;
        } else {
            let headers = headers_for_another_try(&letter);
            let message = Outgoing {
                topic: &letter.record.topic,
                key: letter.record.key.as_deref(),
                payload: &letter.record.payload,
                headers: &headers,
            };
            match producer.queue(message).await {
                Ok(delivery) => waiting.push((at, letter.record.topic.clone()), delivery),
                Err(error) => failure = Some(producer.failed(&letter.record.topic, error)),
            }
        }
        waiting
            .settle(&producer, false, |to, outcome| {
                settle(&producer, &mut report, &mut next, &mut failure, to, outcome)
            })
            .await;
        progress(&report);
    }
    waiting
        .settle(&producer, true, |to, outcome| settle(&producer, &mut report, &mut next, &mut failure, to, outcome))
        .await;
    progress(&report);
    if remembers {
        remember(connection, topic, next).await?;
    }
    failure.map_or(Ok(report), Err)
}

type Sent = ((i32, i64), std::sync::Arc<str>);

fn settle(
    producer: &Producer,
    report: &mut ReplayReport,
    next: &mut BTreeMap<i32, i64>,
    failure: &mut Option<StreamingError>,
    ((partition, offset), topic): Sent,
    outcome: Result<(), KafkaError>,
) {
    match outcome {
        // Acknowledgements come in the order of the letters, so that nothing before this one is missing.
        Ok(()) if failure.is_none() => {
            report.replayed += 1;
            next.insert(partition, offset);
        }
        Ok(()) => report.replayed += 1,
        Err(error) => {
            failure.get_or_insert(producer.failed(&topic, error));
        }
    }
}

fn headers_for_another_try(letter: &DeadLetter) -> Vec<(String, Bytes)> {
    let mut headers: Vec<_> =
        letter.record.headers.iter().filter(|(name, _)| is_kept(name) && name != REPLAYS).cloned().collect();
    headers.push((REPLAYS.to_owned(), Bytes::from((letter.replays() + 1).to_string())));
    headers
}

async fn replayed_so_far(connection: &ConnectionConfig, topic: &str) -> Result<ReadFrom, StreamingError> {
    let offsets = Offsets::connect(connection, GROUP)?;
    let partitions: Vec<_> =
        offsets.partitions(topic).await?.into_iter().map(|id| TopicPartition::new(topic, id)).collect();
    let committed = offsets.committed(&partitions).await?;
    Ok(ReadFrom::Offsets(committed.into_iter().map(|(at, offset)| (at.partition, offset)).collect()))
}

async fn remember(connection: &ConnectionConfig, topic: &str, next: BTreeMap<i32, i64>) -> Result<(), StreamingError> {
    if next.is_empty() {
        return Ok(());
    }
    let failed = {
        let brokers = connection.brokers.clone();
        move |source| StreamingError::kafka(&brokers, "remembering which letters were sent back", source)
    };
    let consumer: BaseConsumer<Quiet> = connection
        .client(&[])
        .set("group.id", GROUP)
        .set("enable.auto.commit", "false")
        .create_with_context(Quiet::new(&connection.brokers))
        .map_err(&failed)?;
    let mut list = TopicPartitionList::new();
    for (partition, offset) in next {
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).map_err(&failed)?;
    }
    tokio::task::spawn_blocking(move || consumer.commit(&list, CommitMode::Sync))
        .await
        .map_err(|error| crate::lane::task_ended("a commit", error))?
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn letter(stage: &str) -> DeadLetter {
        let record = Record {
            topic: "news".into(),
            partition: 0,
            offset: 0,
            timestamp: None,
            key: None,
            payload: Bytes::new(),
            headers: Vec::new(),
        };
        DeadLetter { record, stage: stage.into(), error: "expected value at line 1".into() }
    }

    #[test]
    fn a_stage_admits_its_parts_and_no_namesake() {
        let filter = LetterFilter { stage: Some("decode".into()), ..LetterFilter::default() };
        assert!(filter.admits(&letter("decode")) && filter.admits(&letter("decode.json")));
        assert!(!filter.admits(&letter("decoder")) && !filter.admits(&letter("store")));
        let both = LetterFilter { error: Some("no such".into()), ..filter };
        assert!(!both.admits(&letter("decode.json")));
    }

    #[test]
    fn each_replay_counts() {
        let mut letter = letter("decode.json");
        letter.record.headers = headers_for_another_try(&letter);
        letter.record.headers = headers_for_another_try(&letter);
        assert_eq!((letter.replays(), letter.record.headers.len()), (2, 1));
    }
}
