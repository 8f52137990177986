//! One model, many callers: a bounded queue, a thread that tokenises ahead, and a thread that runs the model.
//!
//! Callers hand in blocks of texts. The tokeniser thread puts them into a pool of pending texts, equal ones once. The
//! model thread takes from the pool what makes a full batch of like length around the text that has waited longest, so
//! that no text starves and the next batch is ready, tokenised, when the last one ends. Blocks of several callers mix in
//! a batch; a block is answered when its last text is. The scores of the last texts are kept for a while, since feeds
//! repeat themselves.
//!
//! A swap stands in the queue like a block: what was handed in before it is scored by the old model, what came after by
//! the new one, so every block has one version.

mod block;
mod pool;
mod recent;
mod statistics;
mod threads;

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

use crate::Model;
use crate::batching::BatchingConfig;
use crate::error::InferenceError;
use crate::heads::Head;
use crate::scores::Scores;

use block::Block;
use pool::Pool;

pub use statistics::EngineStatistics;

/// The scores of one block of texts, all from one model.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredBlock {
    /// The version of the model that scored them.
    pub version: Arc<str>,
    /// Its heads.
    pub heads: Arc<[Head]>,
    /// One for each text, in their order.
    pub scores: Vec<Scores>,
}

/// A handle to a running engine. Clones share it; the threads end when the last one is dropped.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    /// Taken on drop, which ends the threads.
    queue: Option<mpsc::Sender<Request>>,
    threads: std::sync::Mutex<Vec<JoinHandle<()>>>,
    identity: watch::Receiver<Identity>,
    stopped: watch::Receiver<Option<Arc<str>>>,
    pool: Arc<Pool>,
}

/// What callers may know of the model in use.
#[derive(Debug, Clone)]
struct Identity {
    version: Arc<str>,
    heads: Arc<[Head]>,
}

impl Identity {
    fn of(model: &dyn Model) -> Self {
        Self { version: model.version().into(), heads: model.heads().into() }
    }
}

enum Request {
    Score(Block),
    Swap { model: Box<dyn Model>, done: oneshot::Sender<()> },
}

impl Engine {
    /// Starts the threads. Fails on limits of zero, and where the system gives no thread.
    pub fn spawn(model: Box<dyn Model>, config: &BatchingConfig) -> Result<Self, InferenceError> {
        let identity = Identity::of(&*model);
        let pool = Pool::new(config.limits()?, config.max_age(), config.recent_texts, identity.clone());
        let pool = Arc::new(pool);
        let (queue, requests) = mpsc::channel(config.queue_blocks);
        let (identity_sender, identity) = watch::channel(identity);
        let (stopped_sender, stopped) = watch::channel(None);
        let threads = threads::spawn(model, &pool, requests, identity_sender, stopped_sender)?;
        let shared = Shared { queue: Some(queue), threads: threads.into(), identity, stopped, pool };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Scores a block of texts. Waits while the queue is full; dropping the future gives the block up.
    pub async fn score(&self, texts: Vec<Arc<str>>) -> Result<Vec<Scores>, InferenceError> {
        Ok(self.score_block(texts).await?.scores)
    }

    /// The same, with the version and the heads of the model that scored the block.
    pub async fn score_block(&self, texts: Vec<Arc<str>>) -> Result<ScoredBlock, InferenceError> {
        if texts.is_empty() {
            return Ok(ScoredBlock { version: self.version(), heads: self.heads(), scores: Vec::new() });
        }
        let (block, reply) = Block::new(texts);
        self.send(Request::Score(block)).await?;
        match reply.await {
            Ok(result) => result,
            Err(_) => Err(self.stop_error().await),
        }
    }

    /// Puts another model in place between two batches; returns when it is there.
    pub async fn swap(&self, model: Box<dyn Model>) -> Result<(), InferenceError> {
        let (done, swapped) = oneshot::channel();
        self.send(Request::Swap { model, done }).await?;
        match swapped.await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.stop_error().await),
        }
    }

    /// The version of the model in use.
    pub fn version(&self) -> Arc<str> {
        self.shared.identity.borrow().version.clone()
    }

    /// The heads of the model in use.
    pub fn heads(&self) -> Arc<[Head]> {
        self.shared.identity.borrow().heads.clone()
    }

    /// Waits until the engine stops by itself, which it does only when its model panics, and tells why. The owner
    /// watches this: an engine that has stopped answers every call with an error.
    pub async fn stopped(&self) -> InferenceError {
        self.stop_error().await
    }

    /// Texts that wait for the model, counted after equal ones are joined.
    pub fn pending_texts(&self) -> usize {
        self.shared.pool.len()
    }

    /// What the engine has done so far.
    pub fn statistics(&self) -> EngineStatistics {
        self.shared.pool.statistics()
    }

    async fn send(&self, request: Request) -> Result<(), InferenceError> {
        if let Some(queue) = &self.shared.queue
            && queue.send(request).await.is_ok()
        {
            return Ok(());
        }
        Err(self.stop_error().await)
    }

    async fn stop_error(&self) -> InferenceError {
        let mut stopped = self.shared.stopped.clone();
        let reason = match stopped.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        InferenceError::Stopped { reason: reason.unwrap_or_else(|| "its threads have ended".into()) }
    }
}

impl Drop for Shared {
    /// Ends the threads and waits for the batch that is running: a model must not run while the process is torn down.
    fn drop(&mut self) {
        self.queue = None;
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A panic has been reported through `stopped`.
            if thread.join().is_err() {
                tracing::debug!("an inference thread had panicked");
            }
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("version", &self.version()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
