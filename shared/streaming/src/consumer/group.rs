//! What the consumer group tells a member, kept for the intake thread to act on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use crate::context::{self, Outage};
use crate::record::TopicPartition;

/// A change of the partitions that this member owns.
#[derive(Debug)]
pub(crate) enum Change {
    /// These are ours from now on.
    Assigned(Vec<TopicPartition>),
    /// These must be given up; `lost` where others may own them already.
    Revoked {
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// Whether the group has gone on without this member.
        lost: bool,
    },
}

/// Notes rebalances while librdkafka is polled. librdkafka waits until the intake has answered a change with
/// `incremental_assign` or `incremental_unassign`, which is what makes a drain possible.
pub(crate) struct GroupContext {
    changes: Mutex<Vec<Change>>,
    /// Set by every callback: `poll` returns early after one, although messages may wait.
    called: AtomicBool,
    closing: AtomicBool,
    pub(crate) outage: Arc<Outage>,
}

impl GroupContext {
    pub(crate) fn new(outage: Arc<Outage>) -> Self {
        Self { changes: Mutex::default(), called: AtomicBool::new(false), closing: AtomicBool::new(false), outage }
    }

    /// Changes since the last call, in order.
    pub(crate) fn take_changes(&self) -> Vec<Change> {
        self.changes.lock().map(|mut changes| std::mem::take(&mut *changes)).unwrap_or_default()
    }

    /// Whether a callback ran since the last call.
    pub(crate) fn was_called(&self) -> bool {
        self.called.swap(false, Ordering::Relaxed)
    }

    /// From now on changes are answered at once: the intake has ended.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Other errors come out of `poll` too and are judged there.
        context::note_error(&self.outage, &error, reason);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        self.called.store(true, Ordering::Relaxed);
        let assigned = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            // A closing client takes any answer as "I own nothing"; without one it would wait for ever.
            let answered =
                if assigned { consumer.incremental_assign(&TopicPartitionList::new()) } else { consumer.unassign() };
            if let Err(error) = answered {
                tracing::debug!("while leaving the group: {error}");
            }
            return;
        }
        let partitions =
            list.elements().iter().map(|element| TopicPartition::new(element.topic(), element.partition())).collect();
        let change = if assigned {
            Change::Assigned(partitions)
        } else {
            Change::Revoked { partitions, lost: consumer.assignment_lost() }
        };
        if let Ok(mut changes) = self.changes.lock() {
            changes.push(change);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        self.called.store(true, Ordering::Relaxed);
        match result {
            Ok(()) => self.outage.over(),
            // Harmless: rows are stored, and a later commit or the store itself says how far.
            Err(error) => tracing::debug!("a commit of offsets was refused: {error}"),
        }
    }
}
