//! Files of rows as records: the same blocks, the same processor, for backtests and for filling a topic.

mod rows;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use rows::{FileFormat, Rows, read};

use crate::consumer::BlockConfig;
use crate::error::StreamingError;
use crate::lane::{self, LaneEvents, Span, task_ended};
use crate::processor::PartitionProcessor;
use crate::record::{Record, TopicPartition};

/// Blocks that wait between the reader and the processor.
const QUEUE_BLOCKS: usize = 4;

/// Runs a file through a processor as partition 0 of a topic that is named like the file.
///
/// Begins at the row that the processor resumes from. `progress` is told of every durable block: how many rows of the file
/// are done, those that were done before included. A row that cannot be read ends the run, after all rows before it are
/// stored. Ends early, and well, when `shutdown` is cancelled.
pub async fn process<P: PartitionProcessor>(
    path: &Path,
    format: FileFormat,
    limits: &BlockConfig,
    processor: Arc<P>,
    shutdown: CancellationToken,
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> Result<(), StreamingError> {
    let rows = read(path, format)?;
    let partition = TopicPartition::new(rows.topic(), 0);
    let (state, resume) = processor
        .assign(partition.clone())
        .await
        .map_err(|error| StreamingError::processing(&partition, 0, "assign", error))?;
    let (queue, blocks) = mpsc::channel(QUEUE_BLOCKS);
    let reading = Reading { rows, limits: limits.clone(), queue, shutdown: shutdown.clone() };
    let reader = tokio::task::spawn_blocking(move || reading.run(resume.unwrap_or(0)));
    let events = Arc::new(Told(progress));
    let outcome = lane::run(processor, partition, state, blocks, shutdown, events).await;
    let read = reader.await.map_err(|error| task_ended(format!("the reader of {}", path.display()), error))?;
    outcome.and(read)
}

struct Told<F>(F);

impl<F: Fn(u64) + Send + Sync + 'static> LaneEvents for Told<F> {
    fn taken(&self) {}

    fn stored(&self, span: Span) {
        (self.0)(u64::try_from(span.next).unwrap_or(0));
    }
}

struct Reading {
    rows: Rows,
    limits: BlockConfig,
    queue: mpsc::Sender<Vec<Record>>,
    shutdown: CancellationToken,
}

impl Reading {
    fn run(mut self, resume: i64) -> Result<(), StreamingError> {
        let (mut block, mut bytes) = (Vec::new(), 0);
        let mut outcome = Ok(());
        for row in self.rows.by_ref() {
            match row {
                Ok(record) if record.offset < resume => continue,
                Ok(record) => {
                    bytes += record.size();
                    block.push(record);
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
            if block.len() >= self.limits.max_rows.get() || bytes >= self.limits.max_bytes.get() {
                bytes = 0;
                // The other end is gone after a failure, which it tells itself.
                if self.shutdown.is_cancelled() || self.queue.blocking_send(std::mem::take(&mut block)).is_err() {
                    return outcome;
                }
            }
        }
        if !block.is_empty() && !self.shutdown.is_cancelled() {
            drop(self.queue.blocking_send(block));
        }
        outcome
    }
}
