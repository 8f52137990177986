//! What can go wrong in the monitor.

use std::path::PathBuf;

use foundation::configuration::ConfigurationError;
use foundation::{Failure, FailureKind};

use crate::entities::EntityError;
use crate::sentiment::NoSentimentHead;

/// What can go wrong in the monitor.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The company dictionary is wrong.
    #[error(transparent)]
    Entities(#[from] EntityError),
    /// The rules are wrong, or a notifier cannot be opened.
    #[error(transparent)]
    Alerting(#[from] alerting::AlertingError),
    /// The model is in the registry, but cannot serve.
    #[error(transparent)]
    Model(#[from] NoSentimentHead),
    /// The model cannot be found.
    #[error(transparent)]
    Registry(#[from] registry::RegistryError),
    /// The model cannot be loaded or run.
    #[error(transparent)]
    Inference(#[from] inference::InferenceError),
    /// Kafka, or the file of a backtest.
    #[error(transparent)]
    Streaming(Box<streaming::StreamingError>),
    /// ClickHouse.
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
    /// A task of the service ended as it should not have.
    #[error(transparent)]
    Service(#[from] service::ServiceError),
    /// A file of the monitor's own cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What the evaluator saved is not readable by this program.
    #[error("the saved state of evaluator {evaluator} cannot be read: delete it from alert_progress to start anew")]
    Snapshot {
        /// The evaluator.
        evaluator: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl From<streaming::StreamingError> for MonitorError {
    fn from(error: streaming::StreamingError) -> Self {
        Self::Streaming(Box::new(error))
    }
}

impl Failure for MonitorError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Configuration(error) => error.kind(),
            Self::Entities(_) | Self::Model(_) => FailureKind::Configuration,
            Self::Alerting(error) => error.kind(),
            Self::Registry(error) => error.kind(),
            Self::Inference(error) => error.kind(),
            Self::Streaming(error) => error.kind(),
            Self::Storage(error) => error.kind(),
            Self::Service(_) | Self::File { .. } => FailureKind::Internal,
            Self::Snapshot { .. } => FailureKind::Corrupt,
        }
    }
}
