//! One owned partition as the intake thread sees it: the block that is collected, the queue to its lane, its progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::block::{BlockBuilder, Incoming};
use super::config::{ConsumerConfig, Start};
use super::group::GroupContext;
use super::mailbox::{Mailbox, Note};
use super::metrics::ConsumerMetrics;
use super::start;
use crate::error::StreamingError;
use crate::lane::{self, LaneEvents, Span, task_ended};
use crate::offsets::Offsets;
use crate::processor::PartitionProcessor;
use crate::record::{Record, TopicPartition};

/// What every lane of a consumer needs.
pub(crate) struct Shared<P> {
    pub processor: Arc<P>,
    pub offsets: Offsets,
    pub start: Start,
    pub mailbox: Arc<Mailbox>,
    pub metrics: Arc<ConsumerMetrics>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The lane is finding out where to start.
    Starting,
    /// Messages arrive.
    Reading,
    /// No further block is taken; what is in work ends.
    Draining,
}

/// One owned partition.
pub(crate) struct Slot {
    partition: TopicPartition,
    phase: Phase,
    /// Whether librdkafka has been told to fetch it.
    fetched: bool,
    given_up: bool,
    ended: bool,
    paused: bool,
    builder: BlockBuilder,
    /// The offset below which a message has been seen already.
    next: i64,
    queue: mpsc::Sender<Vec<Record>>,
    drain: CancellationToken,
    lane: JoinHandle<()>,
    metrics: Arc<ConsumerMetrics>,
    stored: Option<i64>,
    committed: Option<i64>,
}

impl Slot {
    /// Starts the lane of a partition that was assigned.
    pub(crate) fn open<P: PartitionProcessor>(
        config: &ConsumerConfig,
        shared: &Arc<Shared<P>>,
        partition: TopicPartition,
        runtime: &Handle,
    ) -> Self {
        let (queue, blocks) = mpsc::channel(config.queue_blocks.get());
        let drain = CancellationToken::new();
        let lane = runtime.spawn(watch(Arc::clone(shared), partition.clone(), blocks, drain.clone()));
        Self {
            phase: Phase::Starting,
            fetched: false,
            given_up: false,
            ended: false,
            paused: false,
            builder: BlockBuilder::new(&partition, &config.block),
            next: 0,
            queue,
            drain,
            lane,
            metrics: Arc::clone(&shared.metrics),
            stored: None,
            committed: None,
            partition,
        }
    }

    pub(crate) fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    pub(crate) fn is_fetched(&self) -> bool {
        self.fetched
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Whether nothing of this partition is in work any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended || self.lane.is_finished()
    }

    /// Whether a start that the lane has found is still wanted.
    pub(crate) fn may_start(&self) -> bool {
        self.phase == Phase::Starting
    }

    pub(crate) fn start(&mut self, offset: i64) {
        tracing::info!("reading {} from offset {offset}", self.partition);
        self.phase = Phase::Reading;
        self.fetched = true;
        self.next = offset;
        self.metrics.started(&self.partition, offset);
    }

    pub(crate) fn push(&mut self, incoming: Incoming<'_>) {
        if self.phase == Phase::Reading && incoming.offset >= self.next {
            self.next = incoming.offset + 1;
            self.builder.push(incoming, Instant::now());
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.builder.is_full()
    }

    /// When the block must go although it is not full; None while it cannot go anyway.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.phase == Phase::Reading && self.queue.capacity() > 0 { self.builder.due() } else { None }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.is_full() || self.due().is_some_and(|due| due <= now)
    }

    /// Hands the block to the lane; false if the queue has no room.
    pub(crate) fn hand_over(&mut self) -> bool {
        if self.builder.is_empty() || self.phase != Phase::Reading {
            return true;
        }
        let Ok(room) = self.queue.try_reserve() else {
            // A closed queue means that the lane has failed, which it says itself.
            return self.queue.is_closed();
        };
        let first_timestamp = self.builder.first_timestamp();
        let bytes = self.builder.size() as u64;
        let records = self.builder.take();
        if let Some(span) = Span::of(&records) {
            self.metrics.dispatched(&self.partition, span, bytes, first_timestamp);
        }
        room.send(records);
        true
    }

    /// Stops the intake of this partition, whose queue is full.
    pub(crate) fn pause(&mut self, consumer: &BaseConsumer<GroupContext>) {
        if !self.paused {
            match consumer.pause(&self.list()) {
                Ok(()) => {
                    self.paused = true;
                    self.metrics.paused(&self.partition, true);
                }
                Err(error) => tracing::warn!("cannot pause {}: {error}", self.partition),
            }
        }
    }

    /// Starts intake again once half of the queue is free.
    pub(crate) fn resume(&mut self, consumer: &BaseConsumer<GroupContext>) {
        let room = self.queue.capacity() * 2 >= self.queue.max_capacity();
        if self.paused && room && !self.is_full() && self.phase == Phase::Reading {
            match self.wake_fetcher(consumer) {
                Ok(()) => {
                    self.paused = false;
                    self.metrics.paused(&self.partition, false);
                }
                Err(error) => tracing::warn!("cannot resume {}: {error}", self.partition),
            }
        }
    }

    /// librdkafka looks at a resumed partition only when its broker thread wakes, up to a second later; a seek wakes it.
    fn wake_fetcher(&self, consumer: &BaseConsumer<GroupContext>) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.partition.topic, self.partition.partition, Offset::Offset(self.next))?;
        consumer.resume(&list)?;
        consumer.seek_partitions(list, Duration::ZERO).map(drop)
    }

    pub(crate) fn stored(&mut self, span: Span) {
        self.stored = Some(span.next);
    }

    /// The offset to commit, if it has moved since the last call.
    pub(crate) fn take_uncommitted(&mut self) -> Option<i64> {
        let moved = self.stored.filter(|stored| self.committed != Some(*stored))?;
        self.committed = Some(moved);
        Some(moved)
    }

    /// Takes no further block; what is in work ends.
    pub(crate) fn drain(&mut self) {
        self.phase = Phase::Draining;
        self.drain.cancel();
    }

    /// Drains, to be released then.
    pub(crate) fn give_up(&mut self) {
        self.drain();
        self.given_up = true;
    }

    /// Drops what is in work and commits nothing more.
    pub(crate) fn abandon(&mut self) {
        self.drain();
        self.lane.abort();
        self.ended = true;
    }

    /// The lane has ended.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Draining;
        self.ended = true;
    }

    fn list(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.partition.topic, self.partition.partition);
        list
    }
}

/// Tells how the lane ends, even if it panics.
async fn watch<P: PartitionProcessor>(
    shared: Arc<Shared<P>>,
    partition: TopicPartition,
    blocks: mpsc::Receiver<Vec<Record>>,
    drain: CancellationToken,
) {
    let mut lane = JoinSet::new();
    lane.spawn(run(Arc::clone(&shared), partition.clone(), blocks, drain));
    let ended = lane.join_next().await.unwrap_or(Ok(Ok(())));
    let result = ended.unwrap_or_else(|error| Err(task_ended(format!("the worker of {partition}"), error)));
    shared.mailbox.post(Note::Ended(partition, result));
}

async fn run<P: PartitionProcessor>(
    shared: Arc<Shared<P>>,
    partition: TopicPartition,
    blocks: mpsc::Receiver<Vec<Record>>,
    drain: CancellationToken,
) -> Result<(), StreamingError> {
    let starting = async {
        let (state, resume) = start::assign(&*shared.processor, &partition).await?;
        let offset = start::resolve(&shared.offsets, &partition, resume, shared.start).await?;
        Ok::<_, StreamingError>((state, offset))
    };
    let Some(started) = drain.run_until_cancelled(starting).await else { return Ok(()) };
    let (state, offset) = started?;
    shared.mailbox.post(Note::Start(partition.clone(), offset));
    let events = Arc::new(Events { shared: Arc::clone(&shared), partition: partition.clone() });
    lane::run(Arc::clone(&shared.processor), partition, state, blocks, drain, events).await
}

struct Events<P> {
    shared: Arc<Shared<P>>,
    partition: TopicPartition,
}

impl<P: PartitionProcessor> LaneEvents for Events<P> {
    fn taken(&self) {
        self.shared.mailbox.wake();
    }

    fn stored(&self, span: Span) {
        self.shared.metrics.stored(&self.partition, span);
        self.shared.mailbox.post(Note::Stored(self.partition.clone(), span));
    }
}
