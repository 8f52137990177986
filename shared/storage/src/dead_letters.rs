//! Records that could not be decoded, scored or stored, kept with their bytes and the reason.

use bytes::Bytes;
use clickhouse::Row;
use foundation::EventTime;
use serde::{Deserialize, Serialize};

use crate::tables::conditions::Conditions;
use crate::{StorageError, Store, columns};

const TABLE: &str = "dead_letters";
const DEFAULT_LIMIT: u64 = 1000;

/// One record that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The topic that it came from.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// What the message says about its time, where that could be read.
    #[serde(with = "columns::event_time_option")]
    pub event_time: Option<EventTime>,
    /// The record's own timestamp.
    #[serde(with = "columns::event_time_option")]
    pub record_time: Option<EventTime>,
    /// Where it failed: `decode`, `score`, `store`.
    pub stage: String,
    /// Why.
    pub error: String,
    /// The record's bytes, untouched.
    pub payload: Bytes,
    /// The record's key.
    pub key: Option<Bytes>,
    /// The record's headers.
    pub headers: Vec<(String, Bytes)>,
    /// When it was set aside.
    #[serde(with = "columns::event_time")]
    pub inserted_at: EventTime,
}

/// Which dead letters to list; everything that is `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// From this topic only.
    pub topic: Option<String>,
    /// From this partition only.
    pub partition: Option<i32>,
    /// Beyond this offset only.
    pub after_offset: Option<i64>,
    /// That failed at this stage only.
    pub stage: Option<String>,
    /// Whose error contains this text only.
    pub error_contains: Option<String>,
    /// Set aside at this time or later.
    pub since: Option<EventTime>,
    /// At most so many, in order of topic, partition and offset; 1,000 where it is not said.
    pub limit: Option<u64>,
}

/// How many dead letters there are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct DeadLetterCount {
    /// The topic.
    pub topic: String,
    /// The stage.
    pub stage: String,
    /// How many.
    pub count: u64,
}

impl Store {
    /// Stores dead letters, atomically and once for one token. Waits for the server.
    pub async fn insert_dead_letters(&self, letters: &[DeadLetter], token: &str) -> Result<(), StorageError> {
        self.insert_block(TABLE, letters, token).await
    }

    /// Lists dead letters in order of topic, partition and offset. Waits for the server.
    pub async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, StorageError> {
        let query = Conditions::default()
            .text("topic = ?", filter.topic.as_ref())
            .number("`partition` = ?", filter.partition.map(i64::from))
            .number("`offset` > ?", filter.after_offset)
            .text("stage = ?", filter.stage.as_ref())
            .text("positionCaseInsensitiveUTF8(error, ?) > 0", filter.error_contains.as_ref())
            .number("inserted_at >= fromUnixTimestamp64Milli(?)", filter.since.map(EventTime::millis))
            .query(
                self,
                "SELECT ?fields FROM dead_letters FINAL",
                "ORDER BY topic, `partition`, `offset`",
                filter.limit.unwrap_or(DEFAULT_LIMIT),
            );
        self.fetch_all(query).await
    }

    /// The offsets of a partition beyond `offset` that are dead letters already, in order: after a crash these are not
    /// to be produced again. Waits for the server.
    pub async fn dead_offsets_after(&self, topic: &str, partition: i32, offset: i64) -> Result<Vec<i64>, StorageError> {
        let sql = "SELECT DISTINCT `offset` FROM dead_letters \
                   WHERE topic = ? AND `partition` = ? AND `offset` > ? ORDER BY `offset`";
        self.fetch_all(self.query(sql).bind(topic).bind(partition).bind(offset)).await
    }

    /// Dead letters counted by topic and stage. Waits for the server.
    pub async fn count_dead_letters(&self) -> Result<Vec<DeadLetterCount>, StorageError> {
        let sql =
            "SELECT topic, stage, count() AS count FROM dead_letters FINAL GROUP BY topic, stage ORDER BY topic, stage";
        self.fetch_all(self.query(sql)).await
    }
}
