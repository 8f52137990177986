//! A store for the time of one command: `pulsewire store serve` as a child process.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use service::CancellationToken;
use storage::{ConnectionFile, Store, StoreConfig};
use tokio::process::{Child, Command};

/// How long the engine may take to open its folder.
const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long it may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(20);

/// A running store; dropping it kills it.
pub(crate) struct StoreProcess {
    child: Child,
    /// How it is reached.
    pub(crate) config: StoreConfig,
}

impl StoreProcess {
    /// Starts the store in `folder`, with its messages in `log`.
    pub(crate) async fn start(folder: &Path, log: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone().context("cannot share the store's log")?;
        let mut child = Command::new(program)
            .args(["store", "serve", "--port", "0", "--dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C is for the command, which ends the store when it has drained.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the store")?;
        let config = tokio::time::timeout(READY_WITHIN, ready(&mut child, folder, log)).await;
        let config = config.with_context(|| format!("the store did not start; its log is {}", log.display()))??;
        Ok(Self { child, config })
    }

    /// Ends it, everything written.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(id) = self.child.id() {
            // The workspace has no unsafe code for what a program of every system does.
            Command::new("kill").arg(id.to_string()).status().await.context("cannot end the store")?;
        }
        tokio::time::timeout(ENDED_WITHIN, self.child.wait()).await.context("the store did not end")??;
        Ok(())
    }
}

async fn ready(child: &mut Child, folder: &Path, log: &Path) -> anyhow::Result<StoreConfig> {
    loop {
        if let Some(status) = child.try_wait()? {
            bail!("the store ended with {status}; its log is {}", log.display());
        }
        // The file may be an earlier run's: what counts is that somebody answers.
        if let Ok(connection) = ConnectionFile::read(folder) {
            let config = StoreConfig { database: "default".to_owned(), ..connection.config() };
            if Store::new(&config, CancellationToken::new())?.check().await.is_ok() {
                return Ok(connection.config());
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
