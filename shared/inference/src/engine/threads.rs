//! The engine's two threads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use crate::Model;
use crate::engine::block::{Block, Slot};
use crate::engine::pool::{Abandoned, Pending, Pool, Work};
use crate::engine::{Identity, Request};
use crate::error::InferenceError;
use crate::scores::Scores;
use crate::tokenizer::{TextTokenizer, Tokens};

const TOKENISER: &str = "inference-tokens";
const MODEL: &str = "inference-model";

/// Texts that are tokenised between two looks at the pool.
const CHUNK: usize = 32;

/// Starts both threads.
pub(super) fn spawn(
    model: Box<dyn Model>,
    pool: &Arc<Pool>,
    requests: mpsc::Receiver<Request>,
    identity: watch::Sender<Identity>,
    stopped: watch::Sender<Option<Arc<str>>>,
) -> Result<Vec<JoinHandle<()>>, InferenceError> {
    let start = |name: &'static str, work: Box<dyn FnOnce() + Send>| {
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(|source| InferenceError::Thread { name, source })
    };
    let stopped = Arc::new(stopped);
    let tokenizer = model.tokenizer();

    let (own_pool, own_stopped) = (pool.clone(), stopped.clone());
    let feeding = start(
        TOKENISER,
        Box::new(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| feed(&own_pool, requests, tokenizer)));
            own_pool.close();
            if let Err(panic) = outcome {
                own_pool.abandon();
                report(&own_stopped, TOKENISER, &*panic);
            }
        }),
    )?;

    let own_pool = pool.clone();
    let running = start(
        MODEL,
        Box::new(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&own_pool, model, &identity)));
            // Reported first: a caller whose block is dropped asks for the reason.
            if let Err(panic) = outcome {
                report(&stopped, MODEL, &*panic);
            }
            own_pool.abandon();
        }),
    );
    match running {
        Ok(running) => Ok(vec![feeding, running]),
        Err(error) => {
            pool.abandon();
            Err(error)
        }
    }
}

fn report(stopped: &watch::Sender<Option<Arc<str>>>, thread: &'static str, panic: &(dyn Any + Send)) {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    tracing::error!(thread, message, "the inference engine has stopped");
    stopped.send_replace(Some(format!("the thread {thread} panicked: {message}").into()));
}

/// Takes requests off the queue, tokenises texts and fills the pool, until the queue ends or the model thread does.
fn feed(pool: &Pool, mut requests: mpsc::Receiver<Request>, mut tokenizer: Option<Arc<TextTokenizer>>) {
    while let Some(request) = requests.blocking_recv() {
        let outcome = match request {
            Request::Score(block) => feed_block(pool, &block, tokenizer.as_deref()),
            Request::Swap { model, done } => {
                tokenizer = model.tokenizer();
                pool.swap(model, done)
            }
        };
        if let Err(Abandoned) = outcome {
            break;
        }
    }
}

fn feed_block(pool: &Pool, block: &Block, tokenizer: Option<&TextTokenizer>) -> Result<(), Abandoned> {
    let slot = |position: usize| Slot { answer: block.answer.clone(), position };
    let Some(tokenizer) = tokenizer else {
        return pool.add(block.texts.iter().enumerate().map(|(position, text)| (text.clone(), None, slot(position))));
    };
    let texts: Vec<(usize, &Arc<str>)> = block.texts.iter().enumerate().collect();
    for chunk in texts.chunks(CHUNK) {
        if block.answer.is_over() {
            break;
        }
        let mut tokenised = Vec::with_capacity(CHUNK);
        for (position, text) in chunk {
            let Some(slot) = pool.join(text, slot(*position)) else { continue };
            match tokenizer.encode(text) {
                Ok(tokens) => tokenised.push(((*text).clone(), Some(tokens), slot)),
                Err(error) => {
                    block.answer.fail(error);
                    return Ok(());
                }
            }
        }
        pool.add(tokenised)?;
    }
    Ok(())
}

/// Runs batches until nothing more will come.
fn run(pool: &Pool, mut model: Box<dyn Model>, identity: &watch::Sender<Identity>) {
    let mut current = Identity::of(&*model);
    loop {
        match pool.take() {
            Work::Batch(batch) => {
                let start = Instant::now();
                run_batch(pool, &mut *model, &current, batch);
                pool.ran_for(start.elapsed());
            }
            Work::Swap { model: next, done } => {
                model = next;
                current = Identity::of(&*model);
                identity.send_replace(current.clone());
                tracing::info!(version = %current.version, "model swapped");
                if done.send(()).is_err() {
                    tracing::debug!("nobody waited for the swap");
                }
            }
            Work::End => break,
        }
    }
}

fn run_batch(pool: &Pool, model: &mut dyn Model, identity: &Identity, batch: Vec<Pending>) {
    match score(model, &batch) {
        Ok(scores) => {
            // A model that takes texts as they are costs less than a look at what is known.
            if batch.iter().any(|pending| pending.tokens.is_some()) {
                pool.remember(batch.iter().map(|pending| pending.text.clone()).zip(scores.iter().cloned()));
            }
            for (pending, scores) in batch.iter().zip(&scores) {
                for slot in &pending.slots {
                    slot.fill(scores, identity);
                }
            }
        }
        Err(error) => {
            tracing::warn!(%error, rows = batch.len(), "a batch failed");
            let error = Arc::new(error);
            for slot in batch.iter().flat_map(|pending| &pending.slots) {
                slot.answer.fail(InferenceError::Batch(error.clone()));
            }
        }
    }
}

fn score(model: &mut dyn Model, batch: &[Pending]) -> Result<Vec<Scores>, InferenceError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let tokens: Option<Vec<&Tokens>> = batch.iter().map(|pending| pending.tokens.as_ref()).collect();
    let scores = match tokens {
        Some(tokens) => model.score_tokens(&tokens)?,
        None => model.score(&batch.iter().map(|pending| &*pending.text).collect::<Vec<_>>())?,
    };
    if scores.len() == batch.len() {
        Ok(scores)
    } else {
        Err(InferenceError::ScoreCount { expected: batch.len(), found: scores.len() })
    }
}
