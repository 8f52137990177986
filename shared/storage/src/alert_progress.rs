//! How far an alert evaluator has come, so that it resumes exactly where it was.

use bytes::Bytes;
use clickhouse::Row;
use foundation::EventTime;
use serde::{Deserialize, Serialize};

use crate::{StorageError, Store, columns};

const TABLE: &str = "alert_progress";

/// An evaluator's state at one moment. The highest sequence number counts.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct AlertProgress {
    /// The evaluator's name.
    pub evaluator: String,
    /// Counts up with every stored state.
    pub sequence: u64,
    /// Up to where event time was evaluated.
    #[serde(with = "columns::event_time")]
    pub watermark: EventTime,
    /// The evaluator's own state.
    pub snapshot: Bytes,
    /// When the row was written.
    #[serde(with = "columns::event_time")]
    pub inserted_at: EventTime,
}

impl Store {
    /// Stores an evaluator's state. Waits for the server.
    pub async fn save_alert_progress(&self, progress: &AlertProgress) -> Result<(), StorageError> {
        let token = format!("{} {} {}", progress.evaluator, progress.sequence, progress.inserted_at.millis());
        self.insert_block(TABLE, std::slice::from_ref(progress), &token).await
    }

    /// The latest stored state of an evaluator. Waits for the server.
    pub async fn alert_progress(&self, evaluator: &str) -> Result<Option<AlertProgress>, StorageError> {
        let sql = "SELECT ?fields FROM alert_progress WHERE evaluator = ? ORDER BY sequence DESC LIMIT 1";
        self.fetch_optional(self.query(sql).bind(evaluator)).await
    }
}
