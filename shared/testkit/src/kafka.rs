//! A real Apache Kafka, by the script that users have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::ports::free_port;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/kafka/kafka.sh");

/// One broker with its files in a folder. Dropping it kills it.
pub struct Kafka {
    directory: PathBuf,
    port: u16,
}

impl Kafka {
    /// Starts a broker with its files in `directory` and returns when it answers.
    pub fn start(directory: &Path) -> anyhow::Result<Self> {
        let kafka = Self { directory: directory.to_owned(), port: free_port()? };
        kafka.restart()?;
        Ok(kafka)
    }

    /// `host:port`, as `bootstrap.servers` takes it.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Lets it finish its files.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.script("stop")
    }

    /// SIGKILL.
    pub fn kill(&self) -> anyhow::Result<()> {
        let pid =
            fs::read_to_string(self.directory.join("server.pid")).context("the broker's process id is not known")?;
        let pid: libc::pid_t = pid.trim().parse().context("the broker's process id is no number")?;
        // SAFETY: kill takes plain integers and touches no memory of this process.
        let killed = unsafe { libc::kill(pid, libc::SIGKILL) };
        ensure!(killed == 0, "cannot kill the broker: {}", std::io::Error::last_os_error());
        crate::wait_until("the broker's end", Duration::from_secs(60), || has_ended(pid).then_some(()))
    }

    /// Starts it again with the same files and port, after a stop or a kill.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.script("start")
    }

    fn script(&self, command: &str) -> anyhow::Result<()> {
        fs::create_dir_all(&self.directory).with_context(|| format!("cannot create {}", self.directory.display()))?;
        let port = self.port.to_string();
        // Through a file: the broker inherits the handles, and a pipe would stay open as long as it runs.
        let words = self.directory.join("script.log");
        let output = fs::File::create(&words).with_context(|| format!("cannot write {}", words.display()))?;
        let errors = output.try_clone().context("cannot share the log")?;
        let status = Command::new("bash")
            .args([SCRIPT, command, "--port", &port, "--dir"])
            .arg(&self.directory)
            .stdout(output)
            .stderr(errors)
            .status()
            .context("cannot run bash")?;
        let said = fs::read_to_string(&words).unwrap_or_default();
        ensure!(status.success(), "kafka.sh {command} ended with {status}:\n{said}");
        Ok(())
    }
}

/// Whether no thread of a process runs any more: its first one is a zombie long before the others have let go of the
/// ports and files, and stays one where nobody waits for it.
fn has_ended(pid: libc::pid_t) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    stat.map_or(true, |stat| stat.contains(") Z ")) && threads <= 1
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // It may be stopped or killed already.
        drop(self.kill());
    }
}
