//! What can go wrong in this crate.

use std::path::PathBuf;

use foundation::{Failure, FailureKind};

/// Why rules, a snapshot or a notification failed.
#[derive(Debug, thiserror::Error)]
pub enum AlertingError {
    /// The rule file cannot be read.
    #[error("cannot read the rule file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A rule is not TOML, has an unknown key, a bad value, or contradicts itself.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Rule {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// A snapshot that this version cannot read.
    #[error("the evaluator's snapshot is damaged or of another version")]
    Snapshot(#[source] serde_json::Error),
    /// A snapshot of a format that this version does not know.
    #[error("the evaluator's snapshot has format {found}, this version reads {expected}")]
    SnapshotFormat {
        /// What this version writes.
        expected: u32,
        /// What the snapshot says.
        found: u32,
    },
    /// A notifier's file cannot be written.
    #[error("cannot write alerts to {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A notifier's text cannot be written to its terminal or pipe.
    #[error("cannot print alerts")]
    Print(#[source] std::io::Error),
    /// A notification cannot be put into its wire form.
    #[error("cannot encode a notification")]
    Encode(#[source] serde_json::Error),
    /// A webhook did not answer, or answered that it cannot now.
    #[error("webhook {url} did not take the alerts after {attempts} attempts")]
    WebhookUnavailable {
        /// Where to, without credentials.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// The last attempt's failure.
        #[source]
        source: Box<ureq::Error>,
    },
    /// A webhook refused the alerts for good.
    #[error("webhook {url} refused the alerts")]
    WebhookRefused {
        /// Where to, without credentials.
        url: String,
        /// What it answered.
        #[source]
        source: Box<ureq::Error>,
    },
    /// A webhook's address or limits make no sense.
    #[error("webhook: {0}")]
    WebhookConfig(String),
    /// A notifier's thread could not be started.
    #[error("cannot start the thread of notifier {name}")]
    Spawn {
        /// The notifier.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A notifier of an app failed in its own way.
    #[error("notifier {name} failed")]
    Notifier {
        /// The notifier.
        name: String,
        /// Its own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Failure for AlertingError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Unreadable { .. } | Self::Rule { .. } | Self::WebhookConfig(_) => FailureKind::Configuration,
            Self::Snapshot(_) | Self::SnapshotFormat { .. } => FailureKind::Corrupt,
            Self::Write { .. } | Self::Print(_) | Self::WebhookUnavailable { .. } | Self::Notifier { .. } => {
                FailureKind::Unavailable
            }
            Self::WebhookRefused { .. } => FailureKind::Input,
            Self::Encode(_) | Self::Spawn { .. } => FailureKind::Internal,
        }
    }
}
