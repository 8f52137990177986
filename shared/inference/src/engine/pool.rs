//! The texts that wait for the model, between the thread that tokenises and the thread that runs it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::Model;
use crate::batching::BatchLimits;
use crate::engine::Identity;
use crate::engine::block::Slot;
use crate::engine::recent::Recent;
use crate::engine::statistics::EngineStatistics;
use crate::scores::Scores;
use crate::tokenizer::Tokens;

/// Full batches that may wait: the more there are, the closer in length are the texts of a batch.
const LOOKAHEAD: usize = 8;

/// A text that waits, with all the places that its scores go to.
pub(super) struct Pending {
    pub(super) text: Arc<str>,
    /// `None` where the model takes texts as they are.
    pub(super) tokens: Option<Tokens>,
    pub(super) slots: Vec<Slot>,
    /// The order of arrival, and its time.
    arrived: (u64, Instant),
}

impl Pending {
    fn length(&self) -> usize {
        self.tokens.as_ref().map_or(1, Tokens::len)
    }
}

/// What the model thread does next.
pub(super) enum Work {
    /// Score these texts.
    Batch(Vec<Pending>),
    /// Use this model from now on.
    Swap { model: Box<dyn Model>, done: oneshot::Sender<()> },
    /// Nothing more will come.
    End,
}

pub(super) struct Pool {
    limits: BatchLimits,
    max_age: Duration,
    state: Mutex<State>,
    /// Signals the model thread: there is more to do.
    filled: Condvar,
    /// Signals the tokeniser thread: there is room, or a swap was taken.
    drained: Condvar,
}

struct State {
    /// By text.
    pending: HashMap<Arc<str>, Pending>,
    tokens: usize,
    arrivals: u64,
    oldest: Option<Instant>,
    swap: Option<(Box<dyn Model>, oneshot::Sender<()>)>,
    /// Whose scores `recent` holds.
    identity: Identity,
    recent: Recent,
    statistics: EngineStatistics,
    /// No text will come any more.
    closed: bool,
    /// No text will be taken any more.
    abandoned: bool,
}

/// The other thread has ended.
#[derive(Debug)]
pub(super) struct Abandoned;

impl Pool {
    pub(super) fn new(limits: BatchLimits, max_age: Duration, recent: usize, identity: Identity) -> Self {
        let state = State::new(identity, Recent::new(recent));
        Self { limits, max_age, state: Mutex::new(state), filled: Condvar::new(), drained: Condvar::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().pending.len()
    }

    /// Fills the slot if an equal text was scored a moment ago, or joins it to an equal one that waits; gives it back
    /// where there is neither.
    pub(super) fn join(&self, text: &Arc<str>, slot: Slot) -> Option<Slot> {
        let mut state = self.lock();
        if let Some(pending) = state.pending.get_mut(text) {
            pending.slots.push(slot);
            state.statistics.joined += 1;
        } else if let Some(scores) = state.recent.get(text) {
            slot.fill(&scores, &state.identity);
            state.statistics.repeated += 1;
        } else {
            return Some(slot);
        }
        state.statistics.texts += 1;
        None
    }

    pub(super) fn statistics(&self) -> EngineStatistics {
        self.lock().statistics
    }

    /// Counts the time that a batch took.
    pub(super) fn ran_for(&self, time: Duration) {
        self.lock().statistics.busy += time;
    }

    /// Keeps the scores of a batch for equal texts to come.
    pub(super) fn remember(&self, batch: impl IntoIterator<Item = (Arc<str>, Scores)>) {
        let mut state = self.lock();
        for (text, scores) in batch {
            state.recent.insert(text, scores);
        }
    }

    /// Adds texts; waits while the pool is full.
    pub(super) fn add(
        &self,
        texts: impl IntoIterator<Item = (Arc<str>, Option<Tokens>, Slot)>,
    ) -> Result<(), Abandoned> {
        let now = Instant::now();
        let mut state = self.lock();
        for (text, tokens, slot) in texts {
            while self.is_full(&state) && !state.abandoned {
                self.filled.notify_one();
                state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.abandoned {
                return Err(Abandoned);
            }
            state.insert(text, tokens, slot, now);
        }
        self.filled.notify_one();
        Ok(())
    }

    /// Hands over a model; waits until all texts that came before are taken and the model is too.
    pub(super) fn swap(&self, model: Box<dyn Model>, done: oneshot::Sender<()>) -> Result<(), Abandoned> {
        let mut state = self.lock();
        state.swap = Some((model, done));
        self.filled.notify_one();
        while state.swap.is_some() && !state.abandoned {
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.abandoned { Err(Abandoned) } else { Ok(()) }
    }

    /// No text will come any more: what waits is still taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// No text will be taken any more: those that wait are dropped, and their callers get an error.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        let empty = State::new(state.identity.clone(), Recent::default());
        *state = State { closed: true, abandoned: true, statistics: state.statistics, ..empty };
        self.drained.notify_one();
        self.filled.notify_one();
    }

    /// Waits for a batch: a full one at once, a part of one when its oldest text has waited long enough.
    pub(super) fn take(&self) -> Work {
        let mut state = self.lock();
        loop {
            let waited = state.oldest.map(|since| since.elapsed());
            if let Some(waited) = waited {
                let hurry = state.swap.is_some() || state.closed || waited >= self.max_age;
                if hurry || self.has_full_batch(&state) {
                    let batch = state.take_batch(self.limits);
                    self.drained.notify_one();
                    return Work::Batch(batch);
                }
                state =
                    self.filled.wait_timeout(state, self.max_age - waited).unwrap_or_else(PoisonError::into_inner).0;
            } else if let Some((model, done)) = state.swap.take() {
                state.identity = Identity::of(&*model);
                state.recent.clear();
                self.drained.notify_one();
                return Work::Swap { model, done };
            } else if state.closed {
                return Work::End;
            } else {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn has_full_batch(&self, state: &State) -> bool {
        state.pending.len() >= self.limits.rows.get() || state.tokens >= self.limits.tokens.get()
    }

    fn is_full(&self, state: &State) -> bool {
        state.pending.len() >= LOOKAHEAD * self.limits.rows.get()
            || state.tokens >= LOOKAHEAD * self.limits.tokens.get()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(identity: Identity, recent: Recent) -> Self {
        Self {
            pending: HashMap::new(),
            tokens: 0,
            arrivals: 0,
            oldest: None,
            swap: None,
            identity,
            recent,
            statistics: EngineStatistics::default(),
            closed: false,
            abandoned: false,
        }
    }

    fn insert(&mut self, text: Arc<str>, tokens: Option<Tokens>, slot: Slot, now: Instant) {
        self.statistics.texts += 1;
        match self.pending.entry(text) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().slots.push(slot);
                self.statistics.joined += 1;
            }
            Entry::Vacant(entry) => {
                self.arrivals += 1;
                let arrived = (self.arrivals, now);
                let pending = Pending { text: entry.key().clone(), tokens, slots: vec![slot], arrived };
                self.tokens += pending.length();
                entry.insert(pending);
                self.oldest.get_or_insert(now);
            }
        }
    }

    /// Takes the batch around the text that has waited longest; texts that nobody waits for go with it, unscored.
    fn take_batch(&mut self, limits: BatchLimits) -> Vec<Pending> {
        self.pending.retain(|_, pending| {
            pending.slots.retain(|slot| !slot.answer.is_over());
            !pending.slots.is_empty()
        });
        let mut order: Vec<(usize, u64, Arc<str>)> =
            self.pending.values().map(|pending| (pending.length(), pending.arrived.0, pending.text.clone())).collect();
        order.sort_unstable_by_key(|(length, arrived, _)| (*length, *arrived));
        let lengths: Vec<usize> = order.iter().map(|(length, ..)| *length).collect();
        let first = order.iter().enumerate().min_by_key(|(_, (_, arrived, _))| *arrived).map(|(position, _)| position);
        let chosen = first.map_or(0..0, |first| limits.around(&lengths, first));
        let batch: Vec<Pending> = order[chosen].iter().filter_map(|(_, _, text)| self.pending.remove(text)).collect();
        self.statistics.count(batch.iter().map(Pending::length));
        self.tokens = self.pending.values().map(Pending::length).sum();
        self.oldest = self.pending.values().map(|pending| pending.arrived).min().map(|(_, since)| since);
        batch
    }
}
