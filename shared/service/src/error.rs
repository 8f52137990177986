//! Why a service ended other than by request.

use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use foundation::{Failure, FailureKind};

/// An error of any crate, as a task hands it over.
pub type TaskError = Box<dyn StdError + Send + Sync>;

/// Why a service did not start or did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A task that should run until shutdown returned before it.
    #[error("the task {name:?} ended although nobody asked it to")]
    TaskEnded {
        /// The task.
        name: String,
    },
    /// A task returned an error.
    #[error("the task {name:?} failed")]
    TaskFailed {
        /// The task.
        name: String,
        /// Its error.
        #[source]
        source: TaskError,
    },
    /// A task panicked.
    #[error("the task {name:?} panicked: {message}")]
    TaskPanicked {
        /// The task.
        name: String,
        /// The panic's message.
        message: String,
    },
    /// Tasks were still draining when the time for it was over.
    #[error("shutdown took longer than {} s; still running: {}", deadline.as_secs_f64(), tasks.join(", "))]
    DeadlineExceeded {
        /// The time they had.
        deadline: Duration,
        /// The tasks that had not ended.
        tasks: Vec<String>,
    },
    /// A second signal asked for an end at once.
    #[error("ended at once by a second signal; what was under way is done again at the next start")]
    Interrupted,
    /// Shutdown was asked for while the service was still starting.
    #[error("stopped while starting")]
    StoppedWhileStarting,
    /// Signals cannot be received.
    #[error("cannot listen for SIGINT and SIGTERM")]
    Signals(#[source] io::Error),
    /// The address for health and metrics is in use.
    #[error(
        "{address} for health and metrics is taken by another program: choose a port with --metrics-port, or 0 for any free one"
    )]
    AddressTaken {
        /// The address.
        address: SocketAddr,
    },
    /// The address for health and metrics cannot be bound for another reason.
    #[error("cannot listen on {address} for health and metrics")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The HTTP server broke off.
    #[error("the server for health and metrics broke off")]
    Serve(#[source] io::Error),
}

impl Failure for ServiceError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::AddressTaken { .. } | Self::Bind { .. } => FailureKind::Configuration,
            Self::Serve(_) => FailureKind::Unavailable,
            Self::TaskEnded { .. }
            | Self::TaskFailed { .. }
            | Self::TaskPanicked { .. }
            | Self::DeadlineExceeded { .. }
            | Self::Interrupted
            | Self::StoppedWhileStarting
            | Self::Signals(_) => FailureKind::Internal,
        }
    }
}
