//! What the lanes tell the intake thread.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};

use crate::error::StreamingError;
use crate::lane::Span;
use crate::record::TopicPartition;

/// What a lane tells the intake thread; each partition has at most one note per block in work.
pub(crate) enum Note {
    /// The partition is to be read from this offset on.
    Start(TopicPartition, i64),
    /// A block is durable.
    Stored(TopicPartition, Span),
    /// The lane has ended.
    Ended(TopicPartition, Result<(), StreamingError>),
}

/// Notes from the lanes, and the means to wake the thread that reads them.
#[derive(Default)]
pub(crate) struct Mailbox {
    notes: Mutex<Vec<Note>>,
    thread: OnceLock<Thread>,
}

impl Mailbox {
    pub(crate) fn post(&self, note: Note) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        self.wake();
    }

    /// Names the thread that is woken.
    pub(crate) fn is_read_here(&self) {
        self.thread.get_or_init(thread::current);
    }

    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// The notes since the last call, in order.
    pub(crate) fn take(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
