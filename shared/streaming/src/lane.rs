//! The way of one partition's blocks, whatever their source: transform and store as two tasks, strictly in order.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::error::StreamingError;
use crate::processor::PartitionProcessor;
use crate::record::{Record, TopicPartition};

/// The extent of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first offset.
    pub first: i64,
    /// The offset after the last.
    pub next: i64,
    /// How many records.
    pub records: u64,
}

impl Span {
    /// The extent of these records, which are in order; None if there are none.
    pub(crate) fn of(records: &[Record]) -> Option<Self> {
        let (first, last) = (records.first()?, records.last()?);
        Some(Self { first: first.offset, next: last.offset + 1, records: records.len() as u64 })
    }
}

/// What a lane tells its source.
pub(crate) trait LaneEvents: Send + Sync + 'static {
    /// A block has left the queue, so that there is room for another.
    fn taken(&self);
    /// A block is durable.
    fn stored(&self, span: Span);
}

/// Runs blocks through a processor until the queue is closed and empty, or until `drain` is cancelled and the blocks in
/// work have ended. Dropping the future drops the blocks in work.
pub(crate) async fn run<P: PartitionProcessor>(
    processor: Arc<P>,
    partition: TopicPartition,
    state: P::Partition,
    blocks: mpsc::Receiver<Vec<Record>>,
    drain: CancellationToken,
    events: Arc<impl LaneEvents>,
) -> Result<(), StreamingError> {
    let mut tasks = JoinSet::new();
    let (transformed, to_store) = mpsc::channel(1);
    tasks.spawn(transform_all(
        Arc::clone(&processor),
        partition.clone(),
        state,
        Intake { blocks, drain, events: Arc::clone(&events) },
        transformed,
    ));
    tasks.spawn(store_all(processor, partition.clone(), to_store, events));
    let mut outcome = Ok(());
    // After one task has failed the other ends by itself, with the blocks before the failure.
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(task_ended(format!("the worker of {partition}"), error)));
        outcome = outcome.and(ended);
    }
    outcome
}

struct Intake<E> {
    blocks: mpsc::Receiver<Vec<Record>>,
    drain: CancellationToken,
    events: Arc<E>,
}

async fn transform_all<P: PartitionProcessor>(
    processor: Arc<P>,
    partition: TopicPartition,
    mut state: P::Partition,
    mut intake: Intake<impl LaneEvents>,
    transformed: mpsc::Sender<(P::Block, Span)>,
) -> Result<(), StreamingError> {
    loop {
        let records = tokio::select! {
            biased;
            () = intake.drain.cancelled() => return Ok(()),
            () = transformed.closed() => return Ok(()),
            records = intake.blocks.recv() => records,
        };
        let Some(records) = records else { return Ok(()) };
        intake.events.taken();
        let Some(span) = Span::of(&records) else { continue };
        let block = processor
            .transform(&mut state, records)
            .await
            .map_err(|error| StreamingError::processing(&partition, span.first, "transform", error))?;
        if transformed.send((block, span)).await.is_err() {
            return Ok(());
        }
    }
}

async fn store_all<P: PartitionProcessor>(
    processor: Arc<P>,
    partition: TopicPartition,
    mut to_store: mpsc::Receiver<(P::Block, Span)>,
    events: Arc<impl LaneEvents>,
) -> Result<(), StreamingError> {
    while let Some((block, span)) = to_store.recv().await {
        processor
            .store(block)
            .await
            .map_err(|error| StreamingError::processing(&partition, span.first, "store", error))?;
        events.stored(span);
    }
    Ok(())
}

/// The error for a task that panicked or was cancelled by nobody.
pub(crate) fn task_ended(task: impl Into<String>, error: JoinError) -> StreamingError {
    let reason = match error.try_into_panic() {
        Ok(panic) => panic_message(panic.as_ref()),
        Err(error) => error.to_string(),
    };
    StreamingError::TaskEnded { task: task.into(), reason }
}

/// The text of a panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked".to_owned())
}
