//! One shutdown for a whole process: who asked for it, who still runs, how long they may take.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::error::{ServiceError, TaskError};

/// The shutdown token, the named tasks and the deadline of one process. Clones share them.
#[derive(Clone)]
pub struct Lifecycle {
    inner: Arc<Inner>,
}

struct Inner {
    deadline: Duration,
    /// Cancelled first: stop intake and drain.
    shutdown: CancellationToken,
    /// Cancelled when all tasks but the last ones have ended.
    drained: CancellationToken,
    /// Cancelled by a second signal.
    abort: CancellationToken,
    tasks: Mutex<Tasks>,
    changed: Notify,
}

#[derive(Default)]
struct Tasks {
    next: u64,
    running: BTreeMap<u64, Running>,
    /// The first task that ended as it should not have.
    fault: Option<ServiceError>,
}

struct Running {
    name: String,
    phase: Phase,
}

/// When a task is expected to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Whenever it is done.
    Finite,
    /// After shutdown was asked for.
    UntilShutdown,
    /// After all others have ended.
    UntilDrained,
}

impl Lifecycle {
    /// A lifecycle that ends by [`Lifecycle::stop`] or by a task's end; `deadline` is how long draining may take.
    pub fn new(deadline: Duration) -> Self {
        let inner = Inner {
            deadline,
            shutdown: CancellationToken::new(),
            drained: CancellationToken::new(),
            abort: CancellationToken::new(),
            tasks: Mutex::default(),
            changed: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// As [`Lifecycle::new`], and SIGINT or SIGTERM end it too: the first one drains, the second one ends at once.
    pub fn with_signals(deadline: Duration) -> Result<Self, ServiceError> {
        let lifecycle = Self::new(deadline);
        let interrupt = signal(SignalKind::interrupt()).map_err(ServiceError::Signals)?;
        let terminate = signal(SignalKind::terminate()).map_err(ServiceError::Signals)?;
        let (shutdown, abort) = (lifecycle.inner.shutdown.clone(), lifecycle.inner.abort.clone());
        // Holds tokens only, so that it keeps nothing of the service alive.
        tokio::spawn(relay_signals(interrupt, terminate, shutdown, abort, deadline));
        Ok(lifecycle)
    }

    /// The token that tells every task to stop its intake, drain and return.
    pub fn shutdown(&self) -> CancellationToken {
        self.inner.shutdown.clone()
    }

    /// Asks for shutdown.
    pub fn stop(&self) {
        self.inner.shutdown.cancel();
    }

    /// Whether shutdown was asked for.
    pub fn is_stopping(&self) -> bool {
        self.inner.shutdown.is_cancelled()
    }

    /// Runs start-up work, such as waiting for a server, and gives up on it when shutdown is asked for.
    ///
    /// Only for work that may be dropped half-way.
    pub async fn starting<T>(&self, work: impl Future<Output = T>) -> Result<T, ServiceError> {
        tokio::select! {
            biased;
            () = self.inner.shutdown.cancelled() => Err(ServiceError::StoppedWhileStarting),
            done = work => Ok(done),
        }
    }

    /// Runs a task that must last until shutdown: its earlier end, an error or a panic ends the process.
    pub fn spawn<E>(&self, name: impl Into<String>, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<TaskError> + Send + 'static,
    {
        self.track(name.into(), Phase::UntilShutdown, task);
    }

    /// Runs a task that may end by itself; an error or a panic ends the process all the same.
    pub fn spawn_finite<E>(&self, name: impl Into<String>, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<TaskError> + Send + 'static,
    {
        self.track(name.into(), Phase::Finite, task);
    }

    /// Runs a task that serves the others and ends after them; `task` gets the token that tells it when.
    pub fn spawn_last<E, F>(&self, name: impl Into<String>, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<TaskError> + Send + 'static,
    {
        self.track(name.into(), Phase::UntilDrained, task(self.inner.drained.clone()));
    }

    /// Waits until shutdown is asked for, or a task ends as it should not; then drains within the deadline.
    ///
    /// Returns early, too, once every finite task has ended and no other is left. After an error the caller ends the
    /// process without waiting for what still runs.
    pub async fn join(&self) -> Result<(), ServiceError> {
        self.until(|tasks| tasks.fault.is_some() || !tasks.any(|phase| phase != Phase::UntilDrained), true).await?;
        self.stop();
        let drain = async {
            self.until(|tasks| !tasks.any(|phase| phase != Phase::UntilDrained), false).await?;
            self.inner.drained.cancel();
            self.until(|tasks| tasks.running.is_empty(), false).await
        };
        match tokio::time::timeout(self.inner.deadline, drain).await {
            Ok(ended) => ended?,
            Err(_) => {
                let mut tasks = self.tasks();
                let left = tasks.running.values().map(|running| running.name.clone()).collect();
                let late = ServiceError::DeadlineExceeded { deadline: self.inner.deadline, tasks: left };
                // What made the shutdown necessary tells more than that it took long, and a scraper that does not
                // hang up has nothing to lose.
                let harmless = !tasks.any(|phase| phase != Phase::UntilDrained);
                match tasks.fault.take() {
                    Some(fault) => return Err(fault),
                    None if harmless => tracing::warn!("{late}"),
                    None => return Err(late),
                }
            }
        }
        self.tasks().fault.take().map_or(Ok(()), Err)
    }

    /// Waits for a condition of the tasks, for shutdown if `or_shutdown`, or for a second signal, which is an error.
    async fn until(&self, condition: impl Fn(&Tasks) -> bool, or_shutdown: bool) -> Result<(), ServiceError> {
        loop {
            // Made before the look at the tasks: a change after the look still wakes it.
            let changed = self.inner.changed.notified();
            if condition(&self.tasks()) {
                return Ok(());
            }
            tokio::select! {
                () = self.inner.abort.cancelled() => return Err(ServiceError::Interrupted),
                () = self.inner.shutdown.cancelled(), if or_shutdown => return Ok(()),
                () = changed => {}
            }
        }
    }

    fn track<E>(&self, name: String, phase: Phase, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<TaskError> + Send + 'static,
    {
        let id = {
            let mut tasks = self.tasks();
            tasks.next += 1;
            let id = tasks.next;
            tasks.running.insert(id, Running { name: name.clone(), phase });
            id
        };
        let handle = tokio::spawn(task);
        let lifecycle = self.clone();
        tokio::spawn(async move {
            let ended = handle.await.map(|returned| returned.map_err(Into::into));
            lifecycle.ended(id, name, phase, ended);
        });
    }

    fn ended(&self, id: u64, name: String, phase: Phase, ended: Result<Result<(), TaskError>, JoinError>) {
        let too_early = match phase {
            Phase::Finite => false,
            Phase::UntilShutdown => !self.inner.shutdown.is_cancelled(),
            Phase::UntilDrained => !self.inner.drained.is_cancelled(),
        };
        let fault = match ended {
            Ok(Ok(())) if too_early => Some(ServiceError::TaskEnded { name }),
            Ok(Ok(())) => None,
            Ok(Err(source)) => Some(ServiceError::TaskFailed { name, source }),
            Err(error) => Some(ServiceError::TaskPanicked { name, message: panic_message(error) }),
        };
        let mut tasks = self.tasks();
        tasks.running.remove(&id);
        if let Some(fault) = fault {
            tracing::error!("{fault}");
            // Only the first one: the others are mostly its consequence.
            tasks.fault.get_or_insert(fault);
        }
        drop(tasks);
        self.inner.changed.notify_waiters();
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    fn any(&self, wanted: impl Fn(Phase) -> bool) -> bool {
        self.running.values().any(|running| wanted(running.phase))
    }
}

async fn relay_signals(
    mut interrupt: Signal,
    mut terminate: Signal,
    shutdown: CancellationToken,
    abort: CancellationToken,
    deadline: Duration,
) {
    let mut next = async || tokio::select! { _ = interrupt.recv() => "SIGINT", _ = terminate.recv() => "SIGTERM" };
    let name = next().await;
    tracing::info!("{name}: draining, for {} s at most; a second signal ends at once", deadline.as_secs_f64());
    shutdown.cancel();
    next().await;
    abort.cancel();
}

fn panic_message(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => {
                payload.downcast_ref::<&str>().map_or_else(|| "no message".to_owned(), |text| (*text).to_owned())
            }
        },
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::io;

    const LONG: Duration = Duration::from_secs(600);

    async fn until_cancelled(token: CancellationToken) -> Result<(), Infallible> {
        token.cancelled().await;
        Ok(())
    }

    #[tokio::test]
    async fn drains_every_task_when_asked() {
        let lifecycle = Lifecycle::new(LONG);
        let drained = Arc::new(Mutex::new(Vec::new()));
        for name in ["consumer", "evaluator"] {
            let (token, drained) = (lifecycle.shutdown(), Arc::clone(&drained));
            lifecycle.spawn(name, async move {
                token.cancelled().await;
                tokio::task::yield_now().await;
                drained.lock().unwrap().push(name);
                Ok::<_, Infallible>(())
            });
        }
        let order = Arc::clone(&drained);
        lifecycle.spawn_last("server", |token| async move {
            token.cancelled().await;
            order.lock().unwrap().push("server");
            Ok::<_, Infallible>(())
        });
        lifecycle.stop();
        lifecycle.join().await.unwrap();
        let drained = drained.lock().unwrap();
        assert_eq!(drained.len(), 3);
        assert_eq!(drained[2], "server");
    }

    #[tokio::test]
    async fn a_task_that_ends_unasked_ends_the_rest_and_is_named() {
        let lifecycle = Lifecycle::new(LONG);
        lifecycle.spawn("consumer", until_cancelled(lifecycle.shutdown()));
        lifecycle.spawn("evaluator", async { Ok::<_, Infallible>(()) });
        let error = lifecycle.join().await.unwrap_err();
        assert!(matches!(&error, ServiceError::TaskEnded { name } if name == "evaluator"), "{error}");
        assert!(lifecycle.is_stopping());
    }

    #[tokio::test]
    async fn an_error_keeps_its_cause() {
        let lifecycle = Lifecycle::new(LONG);
        lifecycle.spawn_finite("load", async { Err(io::Error::other("disk full")) });
        let error = lifecycle.join().await.unwrap_err();
        assert!(error.to_string().contains("load"), "{error}");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "disk full");
    }

    #[tokio::test]
    async fn a_panic_is_reported_with_its_message() {
        let lifecycle = Lifecycle::new(LONG);
        lifecycle.spawn("consumer", async {
            assert_eq!(1 + 1, 3, "arithmetic");
            Ok::<_, Infallible>(())
        });
        let error = lifecycle.join().await.unwrap_err();
        assert!(
            matches!(&error, ServiceError::TaskPanicked { name, message } if name == "consumer" && message.contains("arithmetic")),
            "{error}"
        );
    }

    #[tokio::test]
    async fn finite_tasks_end_the_service_by_themselves() {
        let lifecycle = Lifecycle::new(LONG);
        lifecycle.spawn_finite("backtest", async { Ok::<_, Infallible>(()) });
        lifecycle.spawn_last("server", until_cancelled);
        lifecycle.join().await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_does_not_drain_is_named_at_the_deadline() {
        let lifecycle = Lifecycle::new(Duration::from_millis(1));
        lifecycle.spawn("stuck", std::future::pending::<Result<(), Infallible>>());
        lifecycle.stop();
        let error = lifecycle.join().await.unwrap_err();
        assert!(matches!(&error, ServiceError::DeadlineExceeded { tasks, .. } if tasks == &["stuck"]), "{error}");
    }

    #[tokio::test]
    async fn start_up_gives_way_to_shutdown() {
        let lifecycle = Lifecycle::new(LONG);
        assert_eq!(lifecycle.starting(async { 5 }).await.unwrap(), 5);
        lifecycle.stop();
        let error = lifecycle.starting(std::future::pending::<()>()).await.unwrap_err();
        assert!(matches!(error, ServiceError::StoppedWhileStarting));
    }
}
