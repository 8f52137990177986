//! The thread that polls librdkafka, collects blocks and answers the consumer group.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::block::Incoming;
use super::config::ConsumerConfig;
use super::group::{Change, GroupContext};
use super::mailbox::{Mailbox, Note};
use super::metrics::ConsumerMetrics;
use super::slot::{Shared, Slot};
use crate::context::is_outage;
use crate::error::StreamingError;
use crate::offsets::Offsets;
use crate::processor::PartitionProcessor;
use crate::record::TopicPartition;

/// How many messages are taken between two looks at everything else.
const POLL_AT_MOST: usize = 4096;
/// How long the thread sleeps when nothing wakes it.
const SLEEP_AT_MOST: Duration = Duration::from_millis(100);

/// The state of the intake thread.
pub(crate) struct Intake<P: PartitionProcessor> {
    config: ConsumerConfig,
    shared: Arc<Shared<P>>,
    runtime: Handle,
    consumer: BaseConsumer<GroupContext>,
    slots: Vec<Slot>,
    /// Where the last message went: the next one mostly goes there too.
    last: usize,
    next_commit: Instant,
    /// When the partitions that are being given up are given up, drained or not.
    release_by: Option<Instant>,
    shutdown: CancellationToken,
    failure: Option<StreamingError>,
}

impl<P: PartitionProcessor> Intake<P> {
    pub(crate) fn new(
        config: &ConsumerConfig,
        processor: Arc<P>,
        offsets: Offsets,
        shutdown: CancellationToken,
        metrics: Arc<ConsumerMetrics>,
    ) -> Result<Self, StreamingError> {
        let outage = offsets.outage();
        let brokers = &config.connection.brokers;
        let session = config.session_timeout.as_millis();
        let heartbeat = (session / 10).clamp(100, 3000);
        let defaults = [
            ("allow.auto.create.topics", "true"),
            // New topics and partitions are found within this time.
            ("topic.metadata.refresh.interval.ms", "10000"),
            ("queued.min.messages", &config.prefetch_messages.to_string()),
            ("queued.max.messages.kbytes", &config.prefetch_bytes.get().div_ceil(1024).to_string()),
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "100"),
        ];
        let mut client = config.connection.client(&defaults);
        client
            .set("group.id", &config.group)
            .set("session.timeout.ms", session.to_string())
            .set("heartbeat.interval.ms", heartbeat.to_string())
            .set("max.poll.interval.ms", session.max(300_000).to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("partition.assignment.strategy", "cooperative-sticky")
            // Starts are absolute offsets; this is for messages that retention deletes while they wait to be read.
            .set("auto.offset.reset", "earliest");
        if let Some(member) = &config.member {
            client.set("group.instance.id", member);
        }
        let failed = |source| StreamingError::kafka(brokers, "cannot make a consumer", source);
        let mut consumer: BaseConsumer<GroupContext> =
            client.create_with_context(GroupContext::new(outage)).map_err(failed)?;
        let mailbox = Arc::new(Mailbox::default());
        let waker = Arc::clone(&mailbox);
        consumer.set_nonempty_callback(move || waker.wake());
        let shared = Arc::new(Shared { processor, offsets, start: config.start, mailbox, metrics });
        Ok(Self {
            config: config.clone(),
            shared,
            runtime: Handle::current(),
            consumer,
            slots: Vec::new(),
            last: 0,
            next_commit: Instant::now(),
            release_by: None,
            shutdown,
            failure: None,
        })
    }

    /// Runs until shutdown or until something fails for good. Dropping the intake then leaves the group.
    pub(crate) fn run(&mut self) -> Result<(), StreamingError> {
        self.shared.mailbox.is_read_here();
        let topics: Vec<&str> = self.config.topics.iter().map(String::as_str).collect();
        self.consumer.subscribe(&topics).map_err(|source| self.failed("cannot subscribe", source))?;
        let shared = Arc::clone(&self.shared);
        let stop = self.shutdown.clone();
        self.runtime.spawn(async move {
            stop.cancelled().await;
            shared.mailbox.wake();
        });
        let mut stopping: Option<Instant> = None;
        loop {
            let mut busy = self.poll();
            busy |= self.follow_group();
            busy |= self.read_notes();
            self.consumer.context().outage.remind();
            self.hand_over();
            self.commit_now_and_then();
            self.release_drained();
            if stopping.is_none() && (self.shutdown.is_cancelled() || self.failure.is_some()) {
                stopping = Some(Instant::now() + self.config.drain_deadline);
                self.slots.iter_mut().for_each(Slot::drain);
            }
            let drained = || self.slots.iter().all(Slot::has_ended);
            if stopping.is_some_and(|deadline| drained() || Instant::now() >= deadline) {
                break;
            }
            if !busy {
                thread::park_timeout(self.idle_time());
            }
        }
        self.leave();
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Takes what has arrived; true if there may be more.
    fn poll(&mut self) -> bool {
        for _ in 0..POLL_AT_MOST {
            let error = match self.consumer.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    let found = find(&self.slots, self.last, message.topic(), message.partition());
                    if let Some(slot) = found.and_then(|index| self.slots.get_mut(index)) {
                        self.last = found.unwrap_or_default();
                        slot.push(Incoming::of(&message));
                        if slot.is_full() && !slot.hand_over() {
                            slot.pause(&self.consumer);
                        }
                    }
                    continue;
                }
                Some(Err(error)) => error,
                None => return self.consumer.context().was_called(),
            };
            self.judge(error);
        }
        true
    }

    /// Decides what an error of the consumer means.
    fn judge(&mut self, error: KafkaError) {
        use RDKafkaErrorCode::{
            GroupAuthorizationFailed, TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition,
        };
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            let error = self.failed("the consumer group refuses this member", error);
            self.failure.get_or_insert(error);
            return;
        }
        let outage = &self.consumer.context().outage;
        match error.rdkafka_error_code() {
            // The context has noted it.
            _ if is_outage(&error) => {}
            Some(UnknownTopicOrPartition | UnknownTopic) => {
                outage.warn(&format!("there is no topic {} yet", self.config.topics.join(" or ")));
            }
            Some(TopicAuthorizationFailed | GroupAuthorizationFailed) => outage.warn(&error),
            _ => tracing::warn!("Kafka: {error}"),
        }
    }

    /// Acts on what the group has decided; true if it has decided anything.
    fn follow_group(&mut self) -> bool {
        let changes = self.consumer.context().take_changes();
        let any = !changes.is_empty();
        for change in changes {
            self.shared.metrics.rebalanced();
            self.consumer.context().outage.over();
            match change {
                Change::Assigned(partitions) => self.take_on(partitions),
                Change::Revoked { partitions, lost: true } => self.lose(&partitions),
                Change::Revoked { partitions, lost: false } => self.give_up(&partitions),
            }
        }
        any
    }

    fn take_on(&mut self, partitions: Vec<TopicPartition>) {
        // The answer to the group; each partition follows when its start is known.
        self.warn("taking partitions on", self.consumer.incremental_assign(&TopicPartitionList::new()));
        for partition in partitions {
            tracing::info!("assigned {partition}");
            self.shared.metrics.assigned(&partition);
            let mut slot = Slot::open(&self.config, &self.shared, partition, &self.runtime);
            if self.shutdown.is_cancelled() {
                slot.drain();
            }
            self.slots.push(slot);
        }
    }

    /// Others may own these already: what is in work is dropped, and nothing is committed.
    fn lose(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            tracing::warn!("lost {partition}: Kafka has not heard of this member for the session timeout");
            if let Some(slot) = self.slot(partition) {
                slot.abandon();
            }
        }
        self.release(partitions);
    }

    fn give_up(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            tracing::info!("giving {partition} up");
            if let Some(slot) = self.slot(partition) {
                slot.give_up();
            }
        }
        self.release_by.get_or_insert(Instant::now() + self.config.drain_deadline);
        self.release_drained();
    }

    fn release_drained(&mut self) {
        let Some(deadline) = self.release_by else { return };
        let late = Instant::now() >= deadline;
        if !late && self.slots.iter().any(|slot| slot.is_given_up() && !slot.has_ended()) {
            return;
        }
        let mut released = Vec::new();
        for slot in self.slots.iter_mut().filter(|slot| slot.is_given_up()) {
            if !slot.has_ended() {
                tracing::warn!(
                    "{}: blocks in work did not end in time; the next owner reads them again",
                    slot.partition()
                );
                slot.abandon();
            }
            released.push(slot.partition().clone());
        }
        self.commit();
        self.release(&released);
    }

    /// Tells the group that these are free.
    fn release(&mut self, partitions: &[TopicPartition]) {
        let fetched = self.slots.iter().filter(|slot| slot.is_fetched() && partitions.contains(slot.partition()));
        let mut list = TopicPartitionList::new();
        for slot in fetched {
            list.add_partition(&slot.partition().topic, slot.partition().partition);
        }
        self.warn("giving partitions up", self.consumer.incremental_unassign(&list));
        self.slots.retain(|slot| !partitions.contains(slot.partition()));
        partitions.iter().for_each(|partition| self.shared.metrics.released(partition));
        self.last = 0;
        self.release_by = None;
    }

    /// Acts on what the lanes say; true if they have said anything.
    fn read_notes(&mut self) -> bool {
        let notes = self.shared.mailbox.take();
        let any = !notes.is_empty();
        for note in notes {
            match note {
                Note::Start(partition, offset) => self.start(&partition, offset),
                Note::Stored(partition, span) => {
                    if let Some(slot) = self.slot(&partition) {
                        slot.stored(span);
                    }
                }
                Note::Ended(partition, result) => self.ended(&partition, result),
            }
        }
        any
    }

    fn start(&mut self, partition: &TopicPartition, offset: i64) {
        let Some(index) = self.slots.iter().position(|slot| slot.partition() == partition && slot.may_start()) else {
            return;
        };
        let mut list = TopicPartitionList::new();
        let added = list
            .add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset))
            .and_then(|()| self.consumer.incremental_assign(&list));
        match added {
            Ok(()) => self.slots[index].start(offset),
            // A member that is leaving may not take anything on.
            Err(_) if self.shutdown.is_cancelled() => {}
            Err(source) => {
                let error = self.failed(&format!("cannot read {partition} from offset {offset}"), source);
                self.failure.get_or_insert(error);
            }
        }
    }

    fn ended(&mut self, partition: &TopicPartition, result: Result<(), StreamingError>) {
        if let Some(slot) = self.slot(partition) {
            slot.end();
        }
        if let Err(error) = result {
            self.failure.get_or_insert(error);
        }
    }

    fn hand_over(&mut self) {
        let now = Instant::now();
        for slot in &mut self.slots {
            if slot.is_due(now) {
                slot.hand_over();
            }
            slot.resume(&self.consumer);
        }
    }

    fn commit_now_and_then(&mut self) {
        if Instant::now() >= self.next_commit {
            self.commit();
            self.next_commit = Instant::now() + self.config.commit_interval;
        }
    }

    /// Sends what is stored and not yet committed; the answer comes to the context.
    fn commit(&mut self) {
        let mut list = TopicPartitionList::new();
        for slot in &mut self.slots {
            if let Some(offset) = slot.take_uncommitted() {
                let partition = slot.partition();
                let added = list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset));
                debug_assert!(added.is_ok(), "a stored offset is a plain number");
            }
        }
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!("cannot commit offsets now: {error}");
        }
    }

    fn leave(&mut self) {
        self.slots.iter_mut().filter(|slot| !slot.has_ended()).for_each(|slot| {
            tracing::warn!("{}: blocks in work did not end in time; they are read again later", slot.partition());
            slot.abandon();
        });
        self.read_notes();
        self.commit();
        self.slots.iter().for_each(|slot| self.shared.metrics.released(slot.partition()));
        self.slots.clear();
        self.consumer.context().close();
    }

    fn slot(&mut self, partition: &TopicPartition) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.partition() == partition)
    }

    fn idle_time(&self) -> Duration {
        let now = Instant::now();
        let due = self.slots.iter().filter_map(Slot::due).chain([self.next_commit]).chain(self.release_by).min();
        due.map_or(SLEEP_AT_MOST, |due| {
            due.saturating_duration_since(now).clamp(Duration::from_millis(1), SLEEP_AT_MOST)
        })
    }

    fn failed(&self, action: &str, source: KafkaError) -> StreamingError {
        StreamingError::kafka(&self.config.connection.brokers, action, source)
    }

    fn warn(&self, action: &str, result: KafkaResult<()>) {
        if let Err(error) = result {
            tracing::warn!("{action}: {error}");
        }
    }
}

fn find(slots: &[Slot], last: usize, topic: &str, partition: i32) -> Option<usize> {
    let is_it = |slot: &Slot| slot.partition().partition == partition && &*slot.partition().topic == topic;
    if slots.get(last).is_some_and(is_it) { Some(last) } else { slots.iter().position(is_it) }
}
