//! A `pulsewire monitor` as its users run it: configured by a file, killed and started again at will.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context as _;
use testkit::store::Connection;
use testkit::{ChildProcess, binary};

/// What the tests vary in a monitor's configuration.
#[derive(Debug, Clone)]
pub struct MonitorOptions {
    /// Brokers.
    pub brokers: String,
    /// The feed.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// The database in the store.
    pub database: String,
    /// A registry and the model's name in it.
    pub model: (PathBuf, String),
    /// The rule file.
    pub rules: PathBuf,
    /// Appended to the configuration file.
    pub more: String,
}

/// A running monitor.
pub struct MonitorProcess {
    name: String,
    config: PathBuf,
    folder: PathBuf,
    process: ChildProcess,
}

impl MonitorProcess {
    /// Writes the configuration into `folder` and starts a monitor of this name.
    pub fn start(name: &str, options: &MonitorOptions, store: &Connection, folder: &Path) -> anyhow::Result<Self> {
        let config = folder.join(format!("{name}.toml"));
        fs::write(&config, configuration(name, options, store)).context("cannot write the configuration")?;
        let process = spawn(name, &config, folder)?;
        Ok(Self { name: name.to_owned(), config, folder: folder.to_owned(), process })
    }

    /// SIGKILL, then a new process with the same configuration.
    pub fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process = spawn(&self.name, &self.config, &self.folder)?;
        Ok(())
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        self.process.terminate(deadline)
    }

    /// An error with the log if the process has ended by itself.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.process.ended()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} ended with {status}:\n{}", self.name, self.process.log_tail()),
        }
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The running process.
    pub fn process(&mut self) -> &mut ChildProcess {
        &mut self.process
    }
}

fn spawn(name: &str, config: &Path, folder: &Path) -> anyhow::Result<ChildProcess> {
    let mut command = binary::pulsewire()?;
    ChildProcess::start(name, command.arg("monitor").arg("--config").arg(config), folder)
}

fn configuration(member: &str, options: &MonitorOptions, store: &Connection) -> String {
    let MonitorOptions { brokers, topic, group, database, model: (registry, model), rules, more } = options;
    let Connection { url, user, password } = store;
    let registry = registry.display();
    let rules = rules.display();
    format!(
        r#"
rules = "{rules}"
[kafka]
group = "{group}"
topics = ["{topic}"]
member = "{member}"
session_timeout = "6s"
drain_deadline = "4s"
[kafka.connection]
brokers = "{brokers}"
[store]
url = "{url}"
user = "{user}"
password = "{password}"
database = "{database}"
[model]
name = "{model}"
registry = "{registry}"
[http]
port = 0
[notify]
terminal = false
{more}"#
    )
}
