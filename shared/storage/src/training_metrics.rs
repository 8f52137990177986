//! What a training run measures while it runs: its losses and rates step by step, its validation side epoch by epoch.

use clickhouse::Row;
use foundation::EventTime;
use serde::{Deserialize, Serialize};

use crate::{StorageError, Store, columns};

const TABLE: &str = "training_metrics";

/// One figure of one run.
#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
pub struct TrainingMetric {
    /// The model that is trained.
    pub model: String,
    /// The run's seed.
    pub seed: u64,
    /// When the run began; a run that was interrupted keeps it.
    #[serde(with = "columns::event_time")]
    pub started: EventTime,
    /// What was measured: `train/loss`, `validation/sentiment accuracy`.
    pub metric: String,
    /// The step, from 0; for a figure of an epoch's end the steps until then.
    pub step: u64,
    /// The epoch, from 1.
    pub epoch: u32,
    /// The figure.
    pub value: f64,
    /// When it was measured.
    #[serde(with = "columns::event_time")]
    pub at: EventTime,
}

impl Store {
    /// Stores figures, atomically and once for one token. Waits for the server.
    pub async fn insert_training_metrics(&self, metrics: &[TrainingMetric], token: &str) -> Result<(), StorageError> {
        self.insert_block(TABLE, metrics, token).await
    }
}
