//! The embedded ClickHouse, as users start it: `pulsewire store serve`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::process::ChildProcess;
use crate::{binary, http, ports};

/// The engine takes a second or so to open; a busy machine may take many times that.
const START_PATIENCE: Duration = Duration::from_secs(120);
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// Written by the store when it is ready.
const CONNECTION_FILE: &str = "pulsewire-store.json";

/// A store with its files in a folder. Dropping it kills it.
pub struct StoreServer {
    directory: PathBuf,
    port: u16,
    process: ChildProcess,
    connection: Connection,
}

/// How a running store is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// `http://127.0.0.1:port`.
    pub url: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

impl StoreServer {
    /// Starts a store with its files in `directory` and returns when it answers queries.
    pub fn start(directory: &Path) -> anyhow::Result<Self> {
        crate::parts::ensure_installed()?;
        let port = ports::free_port()?;
        let (process, connection) = launch(directory, port)?;
        Ok(Self { directory: directory.to_owned(), port, process, connection })
    }

    /// How it is reached; the same after a restart.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What it printed.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Runs one statement and gives the answer's text (TSV unless the statement says otherwise).
    pub fn query(&self, sql: &str) -> anyhow::Result<String> {
        let Connection { url, user, password } = &self.connection;
        let headers = [("X-ClickHouse-User", user.as_str()), ("X-ClickHouse-Key", password.as_str())];
        let answer = http::post(&format!("{url}/"), &headers, sql)?;
        ensure!(answer.status == 200, "{sql}: status {}: {}", answer.status, answer.body.trim());
        Ok(answer.body)
    }

    /// Runs a statement whose answer is one number.
    pub fn number(&self, sql: &str) -> anyhow::Result<u64> {
        let answer = self.query(sql)?;
        answer.trim().parse().with_context(|| format!("{sql}: {:?} is no number", answer.trim()))
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.process.kill()
    }

    /// SIGTERM, then its end.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        self.process.terminate(STOP_PATIENCE)
    }

    /// Starts it again with the same files, port and password, after a stop or a kill.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        (self.process, self.connection) = launch(&self.directory, self.port)?;
        Ok(())
    }
}

fn launch(directory: &Path, port: u16) -> anyhow::Result<(ChildProcess, Connection)> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut command = binary::pulsewire()?;
    command.args(["store", "serve", "--port", &port.to_string(), "--dir"]).arg(directory);
    // Beside the store's own folder, which the engine has for itself.
    let logs = directory.parent().unwrap_or(directory);
    let name = directory.file_name().map_or_else(|| "store".into(), |name| name.to_string_lossy().into_owned());
    let mut process = ChildProcess::start(&format!("{name}-serve"), &mut command, logs)?;
    let connection = process.wait_until("the store's first answer", START_PATIENCE, || {
        // A file of an earlier run may lie there: only an answer counts.
        let connection = read_connection(directory).ok()?;
        let headers = [("X-ClickHouse-User", connection.user.as_str()), ("X-ClickHouse-Key", &connection.password)];
        let answer = http::post(&format!("{}/", connection.url), &headers, "SELECT 1").ok()?;
        (answer.status == 200).then_some(connection)
    })?;
    Ok((process, connection))
}

fn read_connection(directory: &Path) -> anyhow::Result<Connection> {
    let text = fs::read(directory.join(CONNECTION_FILE)).context("cannot read the connection file")?;
    let file: Value = serde_json::from_slice(&text).context("the connection file is not JSON")?;
    let field = |name: &str| {
        let value = file.get(name).and_then(Value::as_str).map(str::to_owned);
        value.with_context(|| format!("the connection file has no {name}"))
    };
    Ok(Connection { url: field("url")?, user: field("user")?, password: field("password")? })
}
