//! What can go wrong with a feed, and what would mend it.

use std::error::Error;
use std::path::PathBuf;

use foundation::configuration::ConfigurationError;
use foundation::{Failure, FailureKind};
use rdkafka::error::KafkaError;

use crate::record::TopicPartition;

/// An error of Kafka, of a feed file or of the processor behind them.
#[derive(Debug, thiserror::Error)]
pub enum StreamingError {
    /// A setting is wrong.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// Kafka refused or did not answer.
    #[error("Kafka at {brokers}: {action}")]
    Kafka {
        /// The bootstrap brokers.
        brokers: String,
        /// What was being done.
        action: String,
        /// What the client library said.
        #[source]
        source: Box<KafkaError>,
    },
    /// The store is ahead of the topic: they no longer belong together.
    #[error(
        "{partition} ends at offset {end}, but its rows are stored up to offset {resume}: the topic was deleted and created \
         again, or this is another cluster; give the topic a new name, or delete the stored rows of this topic, then start \
         again"
    )]
    Recreated {
        /// The partition.
        partition: TopicPartition,
        /// The offset to resume from, after the last stored row.
        resume: i64,
        /// The end of the partition.
        end: i64,
    },
    /// The processor failed for good.
    #[error("{partition} at offset {offset}: {stage} failed")]
    Processing {
        /// The partition.
        partition: TopicPartition,
        /// The first offset of the block; the resume offset where none was read yet.
        offset: i64,
        /// `assign`, `transform` or `store`.
        stage: &'static str,
        /// The processor's kind of failure.
        kind: FailureKind,
        /// The processor's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A task of the consumer ended unasked: a fault of the program.
    #[error("{task} ended unexpectedly: {reason}")]
    TaskEnded {
        /// The task's name.
        task: String,
        /// The panic's message, where there is one.
        reason: String,
    },
    /// A file cannot be read, or a thread not be started.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A row of a file is malformed.
    #[error("{}:{line}: {message}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong, with the field where there is one.
        message: String,
    },
    /// A file's header lacks a column.
    #[error("{}: no column {wanted}; the columns are {}", path.display(), columns.join(", "))]
    Column {
        /// The file.
        path: PathBuf,
        /// The column that was asked for.
        wanted: String,
        /// The columns that the header names.
        columns: Vec<String>,
    },
    /// A topic does not exist.
    #[error("Kafka at {brokers} has no topic {topic}")]
    NoTopic {
        /// The bootstrap brokers.
        brokers: String,
        /// The topic.
        topic: String,
    },
}

impl StreamingError {
    pub(crate) fn kafka(brokers: &str, action: impl Into<String>, source: KafkaError) -> Self {
        Self::Kafka { brokers: brokers.to_owned(), action: action.into(), source: Box::new(source) }
    }

    pub(crate) fn processing<E: Failure + Send + Sync + 'static>(
        partition: &TopicPartition,
        offset: i64,
        stage: &'static str,
        error: E,
    ) -> Self {
        Self::Processing { partition: partition.clone(), offset, stage, kind: error.kind(), source: Box::new(error) }
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

impl Failure for StreamingError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Configuration(_) | Self::Column { .. } | Self::NoTopic { .. } => FailureKind::Configuration,
            Self::Kafka { source, .. } if matches!(**source, KafkaError::ClientConfig(..)) => {
                FailureKind::Configuration
            }
            Self::Kafka { .. } => FailureKind::Unavailable,
            Self::Recreated { .. } => FailureKind::Corrupt,
            Self::Processing { kind, .. } => *kind,
            Self::TaskEnded { .. } => FailureKind::Internal,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => FailureKind::Configuration,
            Self::Io { .. } => FailureKind::Internal,
            Self::Row { .. } => FailureKind::Input,
        }
    }
}
