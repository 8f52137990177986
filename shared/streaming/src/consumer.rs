//! One member of a consumer group.
//!
//! A thread of its own polls librdkafka and collects blocks; each assigned partition has a lane of two tasks that
//! transform and store them. Partitions are handed over one by one (cooperative-sticky): an assigned partition is
//! fetched from only once the processor has said where to resume, and a revoked one is given up only after the blocks in
//! work are stored and committed.

pub(crate) mod block;
mod config;
mod group;
mod intake;
mod mailbox;
mod metrics;
mod slot;
mod start;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub use config::{BlockConfig, ConsumerConfig, Start};
pub use metrics::{ConsumerMetrics, ConsumerSnapshot, PartitionSnapshot};

use crate::error::StreamingError;
use crate::lane::panic_message;
use crate::offsets::Offsets;
use crate::processor::PartitionProcessor;

/// How long a member may take to leave its group once its blocks are stored.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);

/// Consumes until `shutdown` is cancelled or something fails for good.
///
/// Brokers that are down are waited for, with a warning every few seconds. On shutdown intake stops, blocks in work are
/// stored and committed within the drain deadline, and the member leaves its group. `metrics` is for the caller to read.
pub async fn consume<P: PartitionProcessor>(
    config: &ConsumerConfig,
    processor: Arc<P>,
    shutdown: CancellationToken,
    metrics: Arc<ConsumerMetrics>,
) -> Result<(), StreamingError> {
    config.validate()?;
    let offsets = Offsets::connect(&config.connection, &config.group)?;
    // Dropping this future stops the thread as a shutdown does.
    let stop = shutdown.child_token();
    let _stop_on_drop = stop.clone().drop_guard();
    let lag = tokio::spawn(metrics::watch_ends(Arc::clone(&metrics), offsets.clone(), config.clone(), stop.clone()));
    let intake = intake::Intake::new(config, processor, offsets, stop.clone(), metrics)?;
    let (done, outcome) = oneshot::channel();
    let (left, leaving) = oneshot::channel::<()>();
    thread::Builder::new()
        .name("kafka-consumer".to_owned())
        .spawn(move || {
            let mut intake = intake;
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| intake.run()));
            // Nobody listens any more where the caller has dropped the future.
            drop(done.send(ended));
            // Sends the last commit and leaves the group.
            drop(intake);
            drop(left);
        })
        .map_err(|source| StreamingError::io("the thread kafka-consumer", source))?;
    let ended = outcome.await;
    stop.cancel();
    // Only an error could arrive here: nothing is ever sent, and the thread drops its end when it has left.
    if tokio::time::timeout(LEAVE_WITHIN, leaving).await.is_err() {
        tracing::warn!("Kafka does not answer: group {} notices only later that this member has left", config.group);
    }
    lag.await.map_err(|error| crate::lane::task_ended("the lag watcher", error))?;
    match ended {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(ended_unasked(panic_message(panic.as_ref()))),
        Err(_) => Err(ended_unasked("its result is gone".to_owned())),
    }
}

fn ended_unasked(reason: String) -> StreamingError {
    StreamingError::TaskEnded { task: "the consumer's thread".to_owned(), reason }
}
