//! ClickHouse's engine as a library, served over ClickHouse's own HTTP interface by this process.
//!
//! For one machine without a server: `pulsewire store serve`. To its callers it is a ClickHouse server, so nothing else in
//! the workspace knows the difference. It runs in a process of its own, because the engine keeps one directory a process,
//! takes the working directory for its configuration, and must be killable without taking a consumer with it.
//!
//! The engine has no access control, so this server has: a password on every request, and a loopback address unless the
//! operator says otherwise.

use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use foundation::{Secret, digest};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::credentials::Credentials;
use self::engine::Engine;
use self::lock::StoreDirectory;
use self::routes::Service;
use self::run::Runner;
use self::sessions::Sessions;
use crate::{ConnectionFile, StorageError};

mod answer;
mod body;
mod credentials;
mod engine;
mod exception;
mod lock;
mod native_frames;
mod request;
mod routes;
mod run;
mod sessions;
mod symbols;

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
/// the connection file is written into the directory; the file stays when the store stops, with its password.
///
/// Every row that an answered request inserted survives the process, however it ends. Changes the process's working
/// directory to the engine's: the engine reads a `config.xml` of the working directory.
pub async fn serve(
    config: EmbeddedConfig,
    shutdown: CancellationToken,
    ready: impl FnOnce(&ConnectionFile) + Send,
) -> Result<(), StorageError> {
    if !config.allow_remote && !config.listen.ip().is_loopback() {
        return Err(StorageError::NotLoopback { address: config.listen });
    }
    let library = absolute(&config.library)?;
    let directory = StoreDirectory::take(&config.directory)?;
    let failed = |source| StorageError::Listen { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let connection = ConnectionFile {
        url: format!("http://{address}"),
        user: config.user.clone(),
        password: password(&config, directory.path())?,
    };
    let engine = open_engine(library, directory.engine_path()).await?;
    let runner = Arc::new(Runner { engine, sessions: Sessions::default(), query_time_limit: config.query_time_limit });
    let service = Service {
        runner: Arc::clone(&runner),
        credentials: Credentials::new(&connection.user, &connection.password),
        turns: Arc::new(Semaphore::new(config.concurrent_requests.max(1))),
        body_limit_bytes: config.body_limit_bytes,
    };
    connection.write(directory.path())?;
    tracing::info!(url = connection.url, directory = %directory.path().display(), "the store is open");
    ready(&connection);
    let outcome = listen(listener, service, &runner, shutdown, config.drain_deadline).await;
    close(runner).await;
    tracing::info!(directory = %directory.path().display(), "the store is closed");
    outcome
}

async fn listen(
    listener: TcpListener,
    service: Service,
    runner: &Arc<Runner>,
    shutdown: CancellationToken,
    drain_deadline: Duration,
) -> Result<(), StorageError> {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's algorithm");
        }
    });
    let stop = shutdown.clone();
    let server = axum::serve(listener, routes::routes(Arc::new(service)))
        .with_graceful_shutdown(async move { stop.cancelled().await });
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain_deadline).await;
    };
    tokio::select! {
        ended = async { server.await } => ended.map_err(StorageError::Serve),
        () = overdue => {
            tracing::warn!(deadline = ?drain_deadline, "requests still run after the deadline and are stopped");
            let runner = Arc::clone(runner);
            join(tokio::task::spawn_blocking(move || runner.kill_all())).await
        }
    }
}

async fn open_engine(library: PathBuf, directory: PathBuf) -> Result<Engine, StorageError> {
    std::env::set_current_dir(&directory).map_err(|source| StorageError::File {
        action: "enter",
        path: directory.clone(),
        source,
    })?;
    join(tokio::task::spawn_blocking(move || Engine::open(&library, &directory))).await?
}

/// Stops the engine once the last request has let go of it.
async fn close(runner: Arc<Runner>) {
    runner.sessions.clear();
    let Some(runner) = Arc::into_inner(runner) else {
        tracing::warn!("requests still run; the engine ends with the process");
        return;
    };
    if let Err(error) = tokio::task::spawn_blocking(move || runner.engine.stop()).await {
        tracing::warn!(%error, "the engine did not stop");
    }
}

async fn join<T>(task: tokio::task::JoinHandle<T>) -> Result<T, StorageError> {
    task.await.map_err(|error| StorageError::Serve(std::io::Error::other(error)))
}

fn absolute(path: &Path) -> Result<PathBuf, StorageError> {
    path.canonicalize().map_err(|source| StorageError::File {
        action: "find the engine",
        path: path.to_owned(),
        source,
    })
}

/// The configured password, else the one that clients of the last run know, else a new one.
fn password(config: &EmbeddedConfig, directory: &Path) -> Result<Secret, StorageError> {
    if !config.password.is_empty() {
        return Ok(config.password.clone());
    }
    match ConnectionFile::read(directory) {
        Ok(last) if last.user == config.user && !last.password.is_empty() => Ok(last.password),
        _ => new_password(),
    }
}

fn new_password() -> Result<Secret, StorageError> {
    let source = Path::new("/dev/urandom");
    let mut random = [0; 32];
    File::open(source).and_then(|mut file| file.read_exact(&mut random)).map_err(|error| StorageError::File {
        action: "read",
        path: source.to_owned(),
        source: error,
    })?;
    Ok(Secret::new(digest::sha256(&random)))
}
