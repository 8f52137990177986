//! A block of texts that one caller waits for.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::engine::{Identity, ScoredBlock};
use crate::error::InferenceError;
use crate::scores::Scores;

type Reply = oneshot::Sender<Result<ScoredBlock, InferenceError>>;

/// What a caller hands in: its texts and where the answer goes.
pub(super) struct Block {
    pub(super) texts: Vec<Arc<str>>,
    pub(super) answer: Arc<Answer>,
}

/// One text's place in a caller's answer.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) answer: Arc<Answer>,
    pub(super) position: usize,
}

/// An answer that fills up, text by text. When the last reference goes before it is full, its caller gets an error.
pub(super) struct Answer(Mutex<Progress>);

struct Progress {
    scores: Vec<Option<Scores>>,
    missing: usize,
    /// Taken when the answer is given.
    reply: Option<Reply>,
}

impl Block {
    pub(super) fn new(texts: Vec<Arc<str>>) -> (Self, oneshot::Receiver<Result<ScoredBlock, InferenceError>>) {
        let (reply, answered) = oneshot::channel();
        let progress = Progress { scores: vec![None; texts.len()], missing: texts.len(), reply: Some(reply) };
        (Self { texts, answer: Arc::new(Answer(Mutex::new(progress))) }, answered)
    }
}

impl Slot {
    /// Puts a text's scores in its place, and answers the caller when that was the last one.
    pub(super) fn fill(&self, scores: &Scores, identity: &Identity) {
        let mut progress = self.answer.lock();
        let Some(place) = progress.scores.get_mut(self.position).filter(|place| place.is_none()) else { return };
        *place = Some(scores.clone());
        progress.missing -= 1;
        if progress.missing > 0 {
            return;
        }
        let scores = std::mem::take(&mut progress.scores).into_iter().flatten().collect();
        let block = ScoredBlock { version: identity.version.clone(), heads: identity.heads.clone(), scores };
        progress.give(Ok(block));
    }
}

impl Answer {
    /// Ends the wait with an error. A block that was answered stays so.
    pub(super) fn fail(&self, error: InferenceError) {
        self.lock().give(Err(error));
    }

    /// Whether nobody waits any more: answered, failed or given up by its caller.
    pub(super) fn is_over(&self) -> bool {
        self.lock().reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn give(&mut self, result: Result<ScoredBlock, InferenceError>) {
        if let Some(reply) = self.reply.take()
            && reply.send(result).is_err()
        {
            tracing::trace!("a caller gave up its block while it was scored");
        }
    }
}
