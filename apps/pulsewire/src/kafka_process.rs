//! A real Kafka for the time of one command, through the script that `deploy/kafka` gives to everybody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

const FILES: [(&str, &str); 3] = [
    ("kafka.sh", include_str!("../../../deploy/kafka/kafka.sh")),
    ("pom.xml", include_str!("../../../deploy/kafka/pom.xml")),
    ("log4j2.properties", include_str!("../../../deploy/kafka/log4j2.properties")),
];

/// A running broker with its files in a folder; [`KafkaProcess::stop`] ends it.
pub(crate) struct KafkaProcess {
    script: PathBuf,
    directory: PathBuf,
    /// `host:port`.
    pub(crate) brokers: String,
}

impl KafkaProcess {
    /// Starts a broker with its files below `folder`; fetches Kafka where it is not in the cache.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        for (name, text) in FILES {
            fs::write(folder.join(name), text).with_context(|| format!("cannot write into {}", folder.display()))?;
        }
        let (script, directory) = (folder.join("kafka.sh"), folder.join("data"));
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no free port on loopback")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        let kafka = Self { script, directory, brokers: format!("127.0.0.1:{port}") };
        kafka.call("start", &["--port", &port.to_string()]).await?;
        Ok(kafka)
    }

    /// Ends the broker.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        self.call("stop", &[]).await
    }

    async fn call(&self, action: &str, more: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("bash");
        command.arg(&self.script).arg(action).arg("--dir").arg(&self.directory).args(more);
        let output = command.stdin(Stdio::null()).output().await.context("cannot run bash")?;
        if !output.status.success() {
            bail!("cannot {action} Kafka: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}
