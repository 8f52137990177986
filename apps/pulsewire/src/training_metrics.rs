//! What a training run measures, into the store while it runs.
//!
//! Training neither waits for the store nor fails with it: figures pass through a bounded queue, and those that find it full are
//! counted and left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use foundation::{EventTime, Failure as _};
use service::CancellationToken;
use storage::training_metrics::TrainingMetric;
use storage::{StorageError, Store, StoreConfig};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use training::{CurvePoint, TrainingRun};

/// Figures that wait for the store: an hour or so of a run without it.
const QUEUE_FIGURES: usize = 65_536;
/// The most figures of one insert.
const BLOCK_FIGURES: usize = 16_384;
/// How long figures are gathered, so that steps of milliseconds do not make an insert each.
const GATHER_FOR: Duration = Duration::from_secs(2);
/// How long after a failure the store is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long the last figures may take when training is over.
const FINISHED_WITHIN: Duration = Duration::from_secs(20);

/// Writes the figures of one run to `training_metrics`.
pub(crate) struct MetricsWriter {
    queue: mpsc::Sender<TrainingMetric>,
    closing: CancellationToken,
    /// Why the last figures could not be stored, if they could not.
    writing: JoinHandle<Option<StorageError>>,
    stored: Arc<AtomicUsize>,
    model: String,
    seed: u64,
    started: EventTime,
    measured: usize,
}

impl MetricsWriter {
    /// Begins to write. A store that is away is written to when it is back; one that refuses is an error.
    pub(crate) async fn start(
        config: StoreConfig,
        run: &TrainingRun,
        started: EventTime,
    ) -> Result<Self, StorageError> {
        let mut target = Target { config, store: None };
        let away = match target.connect().await {
            Err(error) if error.is_retryable() => {
                warn(&error);
                true
            }
            other => other.map(|_| false)?,
        };
        let (queue, figures) = mpsc::channel(QUEUE_FIGURES);
        let closing = CancellationToken::new();
        let stored = Arc::<AtomicUsize>::default();
        let writing = tokio::spawn(write(target, figures, closing.clone(), Arc::clone(&stored), away));
        Ok(Self { queue, closing, writing, stored, model: run.name.clone(), seed: run.seed, started, measured: 0 })
    }

    /// Takes a figure, without waiting.
    pub(crate) fn add(&mut self, point: CurvePoint<'_>) {
        self.measured += 1;
        let metric = TrainingMetric {
            model: self.model.clone(),
            seed: self.seed,
            started: self.started,
            metric: point.curve.to_owned(),
            step: point.step as u64,
            epoch: u32::try_from(point.epoch).unwrap_or(u32::MAX),
            value: point.value,
            at: EventTime::now(),
        };
        // Those that find no room are missed when all are counted.
        drop(self.queue.try_send(metric));
    }

    /// Writes what is left, and tells if some figures could not be written.
    pub(crate) async fn finish(self) {
        drop(self.queue);
        self.closing.cancel();
        let reason = match tokio::time::timeout(FINISHED_WITHIN, self.writing).await {
            Ok(Ok(None)) => "the store was away too long".to_owned(),
            Ok(Ok(Some(error))) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the store does not answer".to_owned(),
        };
        let measured = self.measured;
        let missed = measured - self.stored.load(Ordering::Relaxed).min(measured);
        if missed > 0 {
            tracing::warn!("{missed} of the run's {measured} figures are not in training_metrics: {reason}");
        }
    }
}

async fn write(
    mut target: Target,
    mut figures: mpsc::Receiver<TrainingMetric>,
    closing: CancellationToken,
    stored: Arc<AtomicUsize>,
    mut warned: bool,
) -> Option<StorageError> {
    let (mut block, mut tries) = (Vec::new(), 0_u64);
    let begun = EventTime::now().millis();
    loop {
        if block.is_empty() && figures.recv_many(&mut block, BLOCK_FIGURES).await == 0 {
            return None;
        }
        pause(&closing, GATHER_FOR).await;
        while block.len() < BLOCK_FIGURES
            && let Ok(figure) = figures.try_recv()
        {
            block.push(figure);
        }
        tries += 1;
        match target.insert(&block, &format!("training {begun} {} {tries}", std::process::id())).await {
            Ok(()) => {
                stored.fetch_add(block.len(), Ordering::Relaxed);
                block.clear();
            }
            Err(error) if error.is_retryable() && !closing.is_cancelled() => {
                if !std::mem::replace(&mut warned, true) {
                    warn(&error);
                }
                pause(&closing, AGAIN_AFTER).await;
            }
            Err(error) => return Some(error),
        }
    }
}

fn warn(error: &StorageError) {
    tracing::warn!("{error}; training goes on, and its figures are stored when the store is back");
}

/// Waits, unless training is over.
async fn pause(closing: &CancellationToken, time: Duration) {
    drop(tokio::time::timeout(time, closing.cancelled()).await);
}

/// The store, as soon as it has the table.
struct Target {
    config: StoreConfig,
    store: Option<Store>,
}

impl Target {
    /// Tries once. The table is made where it is missing.
    async fn connect(&mut self) -> Result<Store, StorageError> {
        // Everything is tried at once and never again by itself.
        let at_once = CancellationToken::new();
        at_once.cancel();
        let probe = match &self.store {
            Some(store) => store.clone(),
            None => Store::new(&self.config, at_once.clone())?,
        };
        match (probe.check().await, &self.store) {
            (Err(error), _) if error.is_retryable() => Err(error),
            (_, Some(_)) => Ok(probe),
            // A database that is not there yet is made.
            (_, None) => {
                let store = Store::connect_when_up(&self.config, at_once).await?;
                self.store = Some(store.clone());
                Ok(store)
            }
        }
    }

    async fn insert(&mut self, block: &[TrainingMetric], token: &str) -> Result<(), StorageError> {
        self.connect().await?.insert_training_metrics(block, token).await
    }
}
