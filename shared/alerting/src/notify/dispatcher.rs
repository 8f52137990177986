//! One thread and one bounded queue for each notifier.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::Notifier;
use crate::error::AlertingError;
use crate::transition::Transition;

/// How much may wait for a notifier, and what happens beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueConfig {
    /// Batches of transitions that may wait.
    pub capacity: usize,
    /// What a full queue does.
    pub when_full: WhenFull,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { capacity: 1024, when_full: WhenFull::Drop }
    }
}

/// What a full queue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The newest batch is dropped and counted: a slow webhook never stops the evaluator.
    Drop,
    /// The caller waits: a backtest's file misses nothing.
    Wait,
}

/// What became of the transitions given to one notifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The notifier.
    pub notifier: String,
    /// Transitions delivered.
    pub delivered: u64,
    /// Transitions given up after an error.
    pub failed: u64,
    /// Transitions dropped since the queue was full.
    pub dropped: u64,
}

/// Hands transitions to notifiers without waiting for them.
#[derive(Default)]
pub struct Dispatcher {
    outlets: Vec<Outlet>,
}

struct Outlet {
    name: String,
    when_full: WhenFull,
    queue: SyncSender<Arc<[Transition]>>,
    counters: Arc<Counters>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Counters {
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Dispatcher {
    /// A dispatcher without notifiers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a notifier's thread.
    pub fn add(&mut self, notifier: Box<dyn Notifier>, config: QueueConfig) -> Result<(), AlertingError> {
        let name = notifier.name().to_owned();
        let (queue, waiting) = sync_channel(config.capacity.max(1));
        let counters = Arc::new(Counters::default());
        let thread = std::thread::Builder::new()
            .name(format!("notify-{name}"))
            .spawn({
                let counters = counters.clone();
                move || deliver(notifier, &waiting, &counters)
            })
            .map_err(|source| AlertingError::Spawn { name: name.clone(), source })?;
        self.outlets.push(Outlet { name, when_full: config.when_full, queue, counters, thread });
        Ok(())
    }

    /// Queues transitions for every notifier.
    pub fn send(&self, transitions: Vec<Transition>) {
        if transitions.is_empty() {
            return;
        }
        let batch: Arc<[Transition]> = transitions.into();
        for outlet in &self.outlets {
            outlet.send(batch.clone());
        }
    }

    /// What became of the transitions so far, by notifier.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.outlets.iter().map(|outlet| delivery(&outlet.name, &outlet.counters)).collect()
    }

    /// Waits until every queue is empty and every thread has ended.
    pub fn close(self) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(self.outlets.len());
        let closing: Vec<_> = self
            .outlets
            .into_iter()
            .map(|outlet| (outlet.name, outlet.counters, outlet.queue, outlet.thread))
            .collect();
        let mut threads = Vec::with_capacity(closing.len());
        for (name, counters, queue, thread) in closing {
            // The threads end when their queues are empty and closed; all of them work off what is left at the same time.
            drop(queue);
            threads.push((name, counters, thread));
        }
        for (name, counters, thread) in threads {
            if thread.join().is_err() {
                tracing::error!(notifier = name, "the notifier's thread ended in a panic");
            }
            deliveries.push(delivery(&name, &counters));
        }
        deliveries
    }
}

impl Outlet {
    fn send(&self, batch: Arc<[Transition]>) {
        let count = batch.len() as u64;
        let sent = match self.when_full {
            WhenFull::Wait => self.queue.send(batch).map_err(|_| "its thread has ended"),
            WhenFull::Drop => self.queue.try_send(batch).map_err(|error| match error {
                TrySendError::Full(_) => "its queue is full",
                TrySendError::Disconnected(_) => "its thread has ended",
            }),
        };
        if let Err(why) = sent {
            self.counters.dropped.fetch_add(count, Ordering::Relaxed);
            tracing::error!(notifier = self.name, transitions = count, "alerts not sent: {why}");
        }
    }
}

fn deliver(mut notifier: Box<dyn Notifier>, waiting: &Receiver<Arc<[Transition]>>, counters: &Counters) {
    for batch in waiting {
        let count = batch.len() as u64;
        match notifier.notify(&batch) {
            Ok(()) => {
                counters.delivered.fetch_add(count, Ordering::Relaxed);
            }
            Err(error) => {
                counters.failed.fetch_add(count, Ordering::Relaxed);
                let error: &dyn std::error::Error = &error;
                tracing::error!(notifier = notifier.name(), transitions = count, error, "alerts not delivered");
            }
        }
    }
}

fn delivery(name: &str, counters: &Counters) -> Delivery {
    Delivery {
        notifier: name.to_owned(),
        delivered: counters.delivered.load(Ordering::Relaxed),
        failed: counters.failed.load(Ordering::Relaxed),
        dropped: counters.dropped.load(Ordering::Relaxed),
    }
}
