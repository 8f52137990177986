//! Reads what is new of each partition, in the order of its offsets.

use std::collections::BTreeMap;
use std::time::Instant;

use foundation::EventTime;
use storage::Store;
use streaming::{Offsets, StreamingError, TopicPartition};

use crate::error::MonitorError;
use crate::row::EvaluationRow;
use crate::watermark::PartitionProgress;

/// Rows read of one partition at once.
const CHUNK: u32 = 10_000;

/// What Kafka says of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// The group's committed offset; the partition's first one where there is none.
    committed: i64,
    /// The offset that the next message will get.
    end: i64,
}

impl Extent {
    /// Whether every message is stored. An owner that was killed may have stored a block without committing it; dead
    /// letters at the end are committed without a row.
    fn is_stored(self, read: Option<&Read>) -> bool {
        self.committed >= self.end || read.is_some_and(|read| read.offset + 1 >= self.end)
    }
}

/// What was read of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    pub(super) offset: i64,
    pub(super) newest: EventTime,
}

/// How far each partition was read.
#[derive(Default)]
pub(super) struct Reader {
    read: BTreeMap<TopicPartition, Read>,
    /// When something new came last, on this process' clock.
    active: BTreeMap<TopicPartition, Instant>,
}

impl Reader {
    pub(super) fn resume(read: BTreeMap<TopicPartition, Read>) -> Self {
        Self { read, active: BTreeMap::new() }
    }

    pub(super) fn read_so_far(&self) -> &BTreeMap<TopicPartition, Read> {
        &self.read
    }

    /// Hands all new rows to `take`, partition by partition.
    ///
    /// A row that was stored twice (by an owner that had lost its partition without knowing) comes once.
    pub(super) async fn read(
        &mut self,
        store: &Store,
        extents: &BTreeMap<TopicPartition, Extent>,
        mut take: impl FnMut(EvaluationRow),
    ) -> Result<(), MonitorError> {
        let heads = heads(store, extents.keys()).await?;
        for partition in extents.keys() {
            let highest = heads.get(partition).copied().unwrap_or(-1);
            while self.read.get(partition).is_none_or(|read| read.offset < highest) && highest >= 0 {
                let after = self.read.get(partition).map_or(-1, |read| read.offset);
                let rows = chunk(store, partition, after).await?;
                if rows.is_empty() {
                    break;
                }
                self.active.insert(partition.clone(), Instant::now());
                for row in rows {
                    let read =
                        self.read.entry(partition.clone()).or_insert(Read { offset: -1, newest: EventTime::MIN });
                    if row.offset > read.offset {
                        *read = Read { offset: row.offset, newest: read.newest.max(row.event_time) };
                        take(row);
                    }
                }
            }
        }
        Ok(())
    }

    /// What the watermark is made from.
    pub(super) fn progress(&mut self, extents: &BTreeMap<TopicPartition, Extent>) -> Vec<PartitionProgress> {
        extents
            .iter()
            .map(|(partition, extent)| {
                let read = self.read.get(partition);
                PartitionProgress {
                    newest: read.map(|read| read.newest),
                    caught_up: extent.is_stored(read),
                    quiet_for: self.active.entry(partition.clone()).or_insert_with(Instant::now).elapsed(),
                }
            })
            .collect()
    }
}

/// Asks Kafka, before any row is read: what is stored by then is read in the same round.
pub(super) async fn extents(
    offsets: &Offsets,
    topics: &[String],
) -> Result<BTreeMap<TopicPartition, Extent>, MonitorError> {
    let mut ends = BTreeMap::new();
    for topic in topics {
        let watermarks = match offsets.topic_watermarks(topic).await {
            // The consumer says that it waits for the topic.
            Err(StreamingError::NoTopic { .. }) => continue,
            watermarks => watermarks?,
        };
        let of_partition = |(partition, ends)| (TopicPartition::new(topic.as_str(), partition), ends);
        ends.extend(watermarks.into_iter().map(of_partition));
    }
    let partitions: Vec<TopicPartition> = ends.keys().cloned().collect();
    let committed = offsets.committed(&partitions).await?;
    let extent = |(partition, ends): (TopicPartition, streaming::offsets::Watermarks)| {
        let committed = committed.get(&partition).copied().unwrap_or(ends.low);
        (partition, Extent { committed, end: ends.high })
    };
    Ok(ends.into_iter().map(extent).collect())
}

async fn heads(
    store: &Store,
    partitions: impl Iterator<Item = &TopicPartition>,
) -> Result<BTreeMap<TopicPartition, i64>, MonitorError> {
    let mut heads = BTreeMap::new();
    for partition in partitions {
        let highest = store.highest_offset(crate::row::TABLE, &partition.topic, partition.partition).await?;
        heads.extend(highest.map(|offset| (partition.clone(), offset)));
    }
    Ok(heads)
}

async fn chunk(store: &Store, partition: &TopicPartition, after: i64) -> Result<Vec<EvaluationRow>, MonitorError> {
    let sql = "
        SELECT topic, `partition`, `offset`, event_time, entities, relevance, subject, source, positive, negative, score,
            gravity, if(title = '', text, title) AS headline
        FROM sentiment_scores
        WHERE topic = ? AND `partition` = ? AND `offset` > ?
        ORDER BY `offset` LIMIT ?";
    let query = store.query(sql).bind(&*partition.topic).bind(partition.partition).bind(after).bind(CHUNK);
    Ok(store.fetch_all(query).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(committed: i64, read: Option<i64>, expected: bool) {
        let read = read.map(|offset| Read { offset, newest: EventTime::MIN });
        assert_eq!(Extent { committed, end: 10 }.is_stored(read.as_ref()), expected, "{committed} {read:?}");
    }

    #[test]
    fn what_is_stored_counts_whether_or_not_it_was_committed() {
        check(10, Some(9), true);
        check(7, Some(9), true);
        check(10, Some(7), true);
        check(10, None, true);
        check(7, Some(8), false);
        check(7, None, false);
    }
}
