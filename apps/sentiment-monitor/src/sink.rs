//! Where scored blocks go: ClickHouse, or memory for a backtest.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clickhouse::Row;
use foundation::EventTime;
use serde::{Deserialize, Serialize};
use storage::{Store, columns};
use streaming::dead_letter::{DeadLetter, DeadLetters};
use streaming::{Record, TopicPartition};

use crate::error::MonitorError;
use crate::row::{ScoreRow, TABLE};
use crate::scoring::ScoredRange;

/// What a new owner of a partition has to know of it.
#[derive(Debug, Default)]
pub struct Resume {
    /// The offset after the highest stored one.
    pub offset: Option<i64>,
    /// Times and headlines of the last stored rows, in the order of their offsets.
    pub recent: Vec<(EventTime, String)>,
    /// Offsets from `offset` on that are dead letters already.
    pub dead_letters: HashSet<i64>,
}

/// Makes blocks durable, and knows where each partition was left.
pub trait Sink: Send + Sync + 'static {
    /// Where to resume, with the rows of the last `horizon` of event time.
    fn resume(
        &self,
        partition: &TopicPartition,
        horizon: Duration,
    ) -> impl Future<Output = Result<Resume, MonitorError>> + Send;

    /// Makes a block durable: its dead letters first, then its rows at once.
    fn write(&self, block: ScoredRange) -> impl Future<Output = Result<(), MonitorError>> + Send;
}

/// The most rows that are read back for novelty on assignment.
const RECENT_ROWS: u32 = 65_536;

/// Rows into `sentiment_scores`; dead letters to their topic and into `dead_letters`.
pub struct ClickHouseSink {
    store: Store,
    dead_letters: DeadLetters,
}

#[derive(Row, Serialize, Deserialize)]
struct RecentRow {
    #[serde(with = "columns::event_time")]
    event_time: EventTime,
    headline: String,
}

impl ClickHouseSink {
    /// A sink into a store that has the monitor's tables.
    pub fn new(store: Store, dead_letters: DeadLetters) -> Self {
        Self { store, dead_letters }
    }

    async fn recent(&self, partition: &TopicPartition, horizon: Duration) -> Result<Vec<RecentRow>, MonitorError> {
        let sql = "
            SELECT event_time, if(title = '', text, title) AS headline
            FROM (
                SELECT event_time, title, text, `offset` FROM sentiment_scores
                WHERE topic = ? AND `partition` = ?
                ORDER BY `offset` DESC LIMIT ?
            )
            WHERE event_time >= (SELECT max(event_time) FROM sentiment_scores WHERE topic = ? AND `partition` = ?)
                - toIntervalSecond(?)
            ORDER BY `offset`";
        let (topic, number) = (&*partition.topic, partition.partition);
        let query = self.store.query(sql).bind(topic).bind(number).bind(RECENT_ROWS).bind(topic).bind(number);
        Ok(self.store.fetch_all(query.bind(horizon.as_secs())).await?)
    }
}

impl Sink for ClickHouseSink {
    async fn resume(&self, partition: &TopicPartition, horizon: Duration) -> Result<Resume, MonitorError> {
        let (topic, number) = (&*partition.topic, partition.partition);
        let highest = self.store.highest_offset(TABLE, topic, number).await?;
        let dead = self.store.dead_offsets_after(topic, number, highest.unwrap_or(-1)).await?;
        let recent = match highest {
            Some(_) => self.recent(partition, horizon).await?,
            None => Vec::new(),
        };
        Ok(Resume {
            offset: highest.map(|offset| offset + 1),
            recent: recent.into_iter().map(|row| (row.event_time, row.headline)).collect(),
            dead_letters: dead.into_iter().collect(),
        })
    }

    async fn write(&self, block: ScoredRange) -> Result<(), MonitorError> {
        let token = format!("{} {}-{}", block.partition, block.first, block.last);
        if !block.dead.is_empty() {
            for letter in &block.dead {
                let Record { topic, partition, offset, .. } = &letter.record;
                tracing::warn!(%topic, partition, offset, stage = letter.stage, "dead letter: {}", letter.error);
            }
            self.dead_letters.send(&block.dead).await?;
            let letters: Vec<_> = block.dead.into_iter().map(dead_letter).collect();
            self.store.insert_dead_letters(&letters, &token).await?;
        }
        self.store.insert_block(TABLE, &block.rows, &token).await?;
        Ok(())
    }
}

fn dead_letter(letter: DeadLetter) -> storage::dead_letters::DeadLetter {
    let DeadLetter { record, stage, error } = letter;
    storage::dead_letters::DeadLetter {
        topic: record.topic.to_string(),
        partition: record.partition,
        offset: record.offset,
        event_time: None,
        record_time: record.timestamp.and_then(|millis| EventTime::from_millis(millis).ok()),
        stage,
        error,
        payload: record.payload,
        key: record.key,
        headers: record.headers,
        inserted_at: EventTime::now(),
    }
}

/// Keeps everything in memory, in the order of arrival: what a backtest evaluates.
#[derive(Default)]
pub struct MemorySink {
    scored: Mutex<Scored>,
}

/// What a [`MemorySink`] has taken.
#[derive(Default)]
pub struct Scored {
    /// Rows.
    pub rows: Vec<ScoreRow>,
    /// Records set aside.
    pub dead: Vec<DeadLetter>,
}

impl MemorySink {
    /// Takes out what has come so far.
    pub fn take(&self) -> Scored {
        std::mem::take(&mut *self.scored.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for MemorySink {
    async fn resume(&self, _: &TopicPartition, _: Duration) -> Result<Resume, MonitorError> {
        Ok(Resume::default())
    }

    async fn write(&self, block: ScoredRange) -> Result<(), MonitorError> {
        let mut scored = self.scored.lock().unwrap_or_else(PoisonError::into_inner);
        scored.rows.extend(block.rows);
        scored.dead.extend(block.dead);
        Ok(())
    }
}
