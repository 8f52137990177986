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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use foundation::{Failure, FailureKind};
    use proptest::prelude::*;

    use super::*;

    /// Yields as told by a list of numbers, which makes tasks interleave in many ways without a clock.
    struct Scripted {
        transform: Vec<u8>,
        store: Vec<u8>,
        fail: Option<(bool, i64)>,
        log: Mutex<Vec<Step>>,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Step {
        Taken,
        Transformed(i64),
        Durable(i64),
        Acknowledged(Span),
    }

    #[derive(Debug, thiserror::Error)]
    #[error("scripted")]
    struct Scheduled;

    impl Failure for Scheduled {
        fn kind(&self) -> FailureKind {
            FailureKind::Internal
        }
    }

    impl Scripted {
        fn note(&self, step: Step) {
            self.log.lock().unwrap().push(step);
        }

        async fn pause(script: &[u8], turn: i64) {
            for _ in 0..script.get(turn as usize % script.len().max(1)).copied().unwrap_or(0) {
                tokio::task::yield_now().await;
            }
        }
    }

    impl PartitionProcessor for Scripted {
        type Partition = i64;
        type Block = (i64, Vec<Record>);
        type Error = Scheduled;

        async fn assign(&self, _: TopicPartition) -> Result<(i64, Option<i64>), Scheduled> {
            Ok((0, None))
        }

        async fn transform(&self, turn: &mut i64, records: Vec<Record>) -> Result<(i64, Vec<Record>), Scheduled> {
            let block = *turn;
            *turn += 1;
            Self::pause(&self.transform, block).await;
            if self.fail == Some((true, block)) {
                return Err(Scheduled);
            }
            self.note(Step::Transformed(block));
            Ok((block, records))
        }

        async fn store(&self, (block, _): (i64, Vec<Record>)) -> Result<(), Scheduled> {
            Self::pause(&self.store, block).await;
            if self.fail == Some((false, block)) {
                return Err(Scheduled);
            }
            self.note(Step::Durable(block));
            Ok(())
        }
    }

    impl LaneEvents for Scripted {
        fn taken(&self) {
            self.note(Step::Taken);
        }

        fn stored(&self, span: Span) {
            self.note(Step::Acknowledged(span));
        }
    }

    fn record(offset: i64) -> Record {
        Record {
            topic: "news".into(),
            partition: 0,
            offset,
            timestamp: None,
            key: None,
            payload: Bytes::new(),
            headers: Vec::new(),
        }
    }

    /// Blocks of these sizes; every third offset is missing, as after compaction.
    fn blocks(sizes: &[u8]) -> Vec<Vec<Record>> {
        let mut offsets = (0..).filter(|offset| offset % 3 != 2);
        sizes.iter().map(|size| offsets.by_ref().take(usize::from(*size)).map(record).collect()).collect()
    }

    proptest! {
        #[test]
        fn acknowledgements_follow_durability_in_order(
            sizes in prop::collection::vec(1..5_u8, 1..12),
            transform in prop::collection::vec(0..6_u8, 1..5),
            store in prop::collection::vec(0..6_u8, 1..5),
            fail in prop::option::of((any::<bool>(), 0..12_i64)),
            drain_after in prop::option::of(0..40_u8),
        ) {
            let blocks = blocks(&sizes);
            let spans: Vec<_> = blocks.iter().filter_map(|block| Span::of(block)).collect();
            let scripted = Arc::new(Scripted { transform, store, fail, log: Mutex::default() });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let result = runtime.block_on(async {
                let (queue, received) = mpsc::channel(2);
                let drain = CancellationToken::new();
                let feeding = tokio::spawn(async move {
                    for block in blocks {
                        if queue.send(block).await.is_err() {
                            break;
                        }
                    }
                });
                if let Some(turns) = drain_after {
                    let drain = drain.clone();
                    tokio::spawn(async move {
                        Scripted::pause(&[turns], 0).await;
                        drain.cancel();
                    });
                }
                let partition = TopicPartition::new("news", 0);
                let ended = run(Arc::clone(&scripted), partition, 0, received, drain, Arc::clone(&scripted)).await;
                feeding.await.unwrap();
                ended
            });
            let log = scripted.log.lock().unwrap().clone();
            let count = |wanted: fn(&Step) -> bool| log.iter().filter(|step| wanted(step)).count();
            let taken = count(|step| matches!(step, Step::Taken));
            let acknowledged: Vec<_> =
                log.iter().filter_map(|step| if let Step::Acknowledged(span) = step { Some(*span) } else { None }).collect();

            // In order, without a gap, from the beginning, and each right after it became durable.
            prop_assert_eq!(&acknowledged[..], &spans[..acknowledged.len()]);
            let durable: Vec<_> =
                log.iter().filter_map(|step| if let Step::Durable(block) = step { Some(*block) } else { None }).collect();
            prop_assert_eq!(durable, (0..acknowledged.len() as i64).collect::<Vec<_>>());
            for (at, step) in log.iter().enumerate() {
                if let Step::Acknowledged(_) = step {
                    prop_assert!(matches!(log[at - 1], Step::Durable(_)));
                }
            }
            // All that was taken is stored, up to a failure.
            let expected = match fail {
                Some((_, block)) if (block as usize) < taken => block as usize,
                _ => taken,
            };
            prop_assert_eq!(acknowledged.len(), expected);
            prop_assert_eq!(result.is_err(), expected < taken);
            if drain_after.is_none() && result.is_ok() {
                prop_assert_eq!(taken, spans.len());
            }
        }
    }
}
