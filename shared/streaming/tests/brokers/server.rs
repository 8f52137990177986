//! A real Kafka, started by `deploy/kafka/kafka.sh` for the tests that run at the moment.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use streaming::ConnectionConfig;
use tempfile::TempDir;

/// A running broker; the last test that holds it stops it.
pub(crate) struct Server {
    directory: TempDir,
    port: u16,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    /// The server that other tests of this process use just now, or a new one.
    pub(crate) fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { directory, port };
        server.command("start");
        server
    }

    /// Stops the broker and keeps its files.
    pub(crate) fn stop(&self) {
        self.command("stop");
    }

    /// Starts it again on the same port and files.
    pub(crate) fn restart(&self) {
        self.command("start");
    }

    /// One of its own, for a test that stops it.
    pub(crate) fn own() -> Self {
        Self::start()
    }

    pub(crate) fn connection(&self) -> ConnectionConfig {
        ConnectionConfig::to_brokers(format!("127.0.0.1:{}", self.port))
    }

    fn command(&self, name: &str) {
        let output = Command::new(script())
            .args([name, "--port", &self.port.to_string(), "--dir"])
            .arg(self.directory.path())
            .env("PULSEWIRE_KAFKA_HEAP", "256m")
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", script().display()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "these tests need a real Kafka (Java 17, and Maven for the first time): {said}"
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.command("stop");
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kafka/kafka.sh")
}
