//! Waiting for a server that is out of reach.

use std::time::{Duration, Instant};

use foundation::Failure as _;
use foundation::backoff::Backoff;

use super::Store;
use crate::StorageError;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(3);
const MESSAGE_EVERY: Duration = Duration::from_secs(5);
/// A query that takes longer than its time limit as often as this will not be faster the next time.
const SLOW_ANSWERS: u32 = 3;

impl Store {
    /// Reads: waits for a server that is out of reach, but not for ever for one that takes too long.
    pub(super) async fn ask<T, F>(&self, what: &str, attempt: impl FnMut() -> F) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, clickhouse::error::Error>>,
    {
        self.attempt_until(what, SLOW_ANSWERS, attempt).await
    }

    /// Runs `attempt` until it succeeds, fails for good, or the shutdown comes while waiting.
    pub(super) async fn persist<T, F>(&self, what: &str, attempt: impl FnMut() -> F) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, clickhouse::error::Error>>,
    {
        self.attempt_until(what, u32::MAX, attempt).await
    }

    /// It is tried at least once even after the shutdown was asked for: draining writes its last blocks then.
    async fn attempt_until<T, F>(
        &self,
        what: &str,
        slow_answers: u32,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, clickhouse::error::Error>>,
    {
        let mut slow = 0;
        let started = Instant::now();
        let mut backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
        let mut last_message: Option<Instant> = None;
        loop {
            let error = match self.once(what, attempt()).await {
                Ok(value) => {
                    if last_message.is_some() {
                        tracing::info!(store = self.endpoint(), waited = ?started.elapsed(), "the store is back");
                    }
                    return Ok(value);
                }
                Err(error) if error.is_retryable() => {
                    slow += u32::from(error.is_slow_answer());
                    if slow >= slow_answers {
                        return Err(error);
                    }
                    error
                }
                Err(error) => return Err(error),
            };
            if last_message.is_none_or(|at| at.elapsed() >= MESSAGE_EVERY) {
                last_message = Some(Instant::now());
                tracing::warn!(
                    store = self.endpoint(),
                    waited = ?started.elapsed(),
                    remedy = error.remedy(),
                    cause = cause(&error),
                    "waiting for the store: {error}"
                );
            }
            tokio::select! {
                () = self.inner.shutdown.cancelled() => {
                    return Err(StorageError::Stopped { what: what.to_owned(), source: Box::new(error) });
                }
                () = tokio::time::sleep(backoff.next_delay()) => {}
            }
        }
    }

    /// Runs one request within the time limit.
    pub(super) async fn once<T>(
        &self,
        what: &str,
        request: impl Future<Output = Result<T, clickhouse::error::Error>>,
    ) -> Result<T, StorageError> {
        let limit = self.inner.request_timeout;
        match tokio::time::timeout(limit, request).await {
            Ok(answer) => answer.map_err(|source| StorageError::server(what, self.endpoint(), source)),
            Err(_) => {
                Err(StorageError::NoAnswer { what: what.to_owned(), endpoint: self.endpoint().to_owned(), limit })
            }
        }
    }
}

/// The innermost cause, which is where `connection refused` stands.
fn cause(error: &StorageError) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
