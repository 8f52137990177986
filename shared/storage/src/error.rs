//! The one error type of this crate, and what a server's answer means for the caller.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use foundation::{Failure, FailureKind};

mod classify;

pub(crate) use classify::{UNKNOWN_DATABASE, exception_code};

/// Why something about the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A configuration value is wrong.
    #[error("{key}: {message}")]
    Configuration {
        /// The key, as in the configuration file.
        key: &'static str,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// The server refused, broke off or could not be reached; [`Failure::kind`] tells which.
    #[error("{what} at {endpoint} failed")]
    Server {
        /// What was being done: `insert into sentiment_scores`.
        what: String,
        /// The server's address.
        endpoint: String,
        /// What the caller may do about it.
        kind: FailureKind,
        /// ClickHouse's error code, where the server gave one.
        code: Option<u32>,
        /// What the client library said.
        #[source]
        source: Box<clickhouse::error::Error>,
    },
    /// The server took the request and did not answer in time.
    #[error("{what} at {endpoint} got no answer within {limit:?}")]
    NoAnswer {
        /// What was being done.
        what: String,
        /// The server's address.
        endpoint: String,
        /// How long was waited.
        limit: Duration,
    },
    /// A shutdown was asked for while the store was out of reach.
    #[error("stopped before {what} could be done")]
    Stopped {
        /// What was being done.
        what: String,
        /// Why it had not been done until then.
        #[source]
        source: Box<StorageError>,
    },
    /// More rows than one atomic insert can hold.
    #[error("a block of {rows} rows for {table} is larger than one atomic insert holds ({limit}): split it")]
    BlockTooLarge {
        /// The table.
        table: String,
        /// Rows in the block.
        rows: usize,
        /// Rows that fit.
        limit: usize,
    },
    /// A migration that is applied already does not have the text that was applied.
    #[error(
        "migration {version} ({name}) of {component} was changed after it was applied: restore its text and add a new one"
    )]
    MigrationChanged {
        /// Whose migration.
        component: String,
        /// Its version.
        version: u32,
        /// Its name, as applied.
        name: String,
    },
    /// The schema was made by a newer program.
    #[error("the schema of {component} is at version {found}, this program knows {known}: run the newer pulsewire")]
    SchemaNewer {
        /// Whose schema.
        component: String,
        /// The version found.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// A component's list of migrations is not 1, 2, 3, …
    #[error("the migrations of {component} are not numbered 1, 2, 3, …: {version} stands at position {position}")]
    MigrationOrder {
        /// Whose migrations.
        component: String,
        /// The version that is out of order.
        version: u32,
        /// Its position, from 1.
        position: usize,
    },
    /// A file or directory of the embedded store cannot be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was being done: `write`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection file of an embedded store is not what one is.
    #[error("{} is not a store's connection file", path.display())]
    ConnectionFile {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
    /// Another process serves this directory.
    #[error(
        "the store in {} is open in another process{}: stop that one, or use its address", directory.display(),
        process.map_or_else(String::new, |id| format!(" (id {id})"))
    )]
    Locked {
        /// The store's directory.
        directory: PathBuf,
        /// The other process, where its lock file names it.
        process: Option<u32>,
    },
    /// The address to listen on is open to other machines.
    #[error(
        "{address} is not a loopback address: the embedded store has no encryption; allow it explicitly or use a server"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The address to listen on is taken or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The engine's library cannot be loaded.
    #[error("cannot load the ClickHouse engine {}: run `pulsewire setup`, or name another library", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        #[source]
        source: libloading::Error,
    },
    /// The engine did not start.
    #[error("the ClickHouse engine cannot open {}; its own message stands on standard error", directory.display())]
    Engine {
        /// The store's directory.
        directory: PathBuf,
    },
    /// Serving ended unasked.
    #[error("the store's server ended")]
    Serve(#[source] io::Error),
}

impl StorageError {
    pub(crate) fn server(what: &str, endpoint: &str, source: clickhouse::error::Error) -> Self {
        let (kind, code) = classify::classify(&source);
        Self::Server { what: what.to_owned(), endpoint: endpoint.to_owned(), kind, code, source: Box::new(source) }
    }

    /// ClickHouse's error code, where the server gave one.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Server { code, .. } => *code,
            _ => None,
        }
    }

    /// Whether the server is there but took too long.
    pub(crate) fn is_slow_answer(&self) -> bool {
        matches!(self, Self::NoAnswer { .. }) || self.code() == Some(classify::TIMEOUT_EXCEEDED)
    }

    /// What would mend it, for a message that is repeated while waiting.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Server { code: Some(code), .. } => classify::remedy(*code),
            _ => "start the server, or set store.url to where it listens",
        }
    }
}

impl Failure for StorageError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Configuration { .. }
            | Self::SchemaNewer { .. }
            | Self::NotLoopback { .. }
            | Self::Locked { .. }
            | Self::Listen { .. }
            | Self::Library { .. } => FailureKind::Configuration,
            Self::Server { kind, .. } => *kind,
            Self::NoAnswer { .. } | Self::Stopped { .. } => FailureKind::Unavailable,
            Self::BlockTooLarge { .. } | Self::MigrationOrder { .. } | Self::Engine { .. } | Self::Serve(_) => {
                FailureKind::Internal
            }
            Self::MigrationChanged { .. } | Self::ConnectionFile { .. } => FailureKind::Corrupt,
            Self::File { .. } => FailureKind::Configuration,
        }
    }
}
