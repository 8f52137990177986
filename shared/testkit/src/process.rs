//! Child processes that can be killed and that never outlive their test.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::wait::try_until;

/// How much of a log an error shows.
const TAIL_LINES: usize = 30;

/// A running program in a process group of its own; dropping it kills the group.
pub struct ChildProcess {
    name: String,
    child: Child,
    log: PathBuf,
}

impl ChildProcess {
    /// Starts a program; its standard output and error are appended to `<folder>/<name>.log`.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone().context("cannot share the log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} ({command:?})"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file that holds what it printed.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last lines that it printed, for error messages.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// The status with which it ended, if it has.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot ask for the state of {}", self.name))
    }

    /// Waits for a condition; an end of the process before it is an error that shows its log.
    pub fn wait_until<T>(
        &mut self,
        what: &str,
        deadline: Duration,
        mut probe: impl FnMut() -> Option<T>,
    ) -> anyhow::Result<T> {
        let waited = try_until(what, deadline, || match (probe(), self.ended()?) {
            (Some(found), _) => Ok(Some(found)),
            (None, Some(status)) => bail!("{} ended with {status} before {what}", self.name),
            (None, None) => Ok(None),
        });
        waited.with_context(|| format!("log of {}:\n{}", self.name, self.log_tail()))
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        try_until(&what, deadline, || self.ended())
            .with_context(|| format!("log of {}:\n{}", self.name, self.log_tail()))
    }

    /// SIGTERM, then its end.
    pub fn terminate(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(libc::SIGTERM);
        self.wait(deadline)
    }

    /// SIGINT, without waiting.
    pub fn interrupt(&self) {
        self.signal(libc::SIGINT);
    }

    /// SIGKILL to the whole group, then its end.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(libc::SIGKILL);
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name))
    }

    fn signal(&self, signal: libc::c_int) {
        signal_group(self.child.id(), signal);
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.signal(libc::SIGKILL);
            // It cannot refuse SIGKILL, and there is nobody to tell if waiting fails.
            drop(self.child.wait());
        }
    }
}

/// Sends a signal to a process group; one that has gone already is no error.
pub(crate) fn signal_group(group: u32, signal: libc::c_int) {
    if let Ok(group) = libc::pid_t::try_from(group) {
        // SAFETY: kill takes plain integers and touches no memory of this process.
        unsafe { libc::kill(-group, signal) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, folder: &Path) -> ChildProcess {
        ChildProcess::start("shell", Command::new("sh").args(["-c", script]), folder).unwrap()
    }

    fn is_alive(id: &str) -> bool {
        // A zombie, which nobody has waited for yet, counts as gone.
        fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn killing_takes_the_whole_group_along() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = shell("sleep 600 & echo $!; wait", folder.path());
        let id = shell.wait_until("the grandchild", LONG, {
            let log = shell.log_path().to_owned();
            move || fs::read_to_string(&log).ok().filter(|text| text.ends_with('\n'))
        });
        let id = id.unwrap().trim().to_owned();
        assert!(is_alive(&id));
        assert_eq!(shell.kill().unwrap().signal(), Some(libc::SIGKILL));
        crate::wait_until("the grandchild's end", LONG, || (!is_alive(&id)).then_some(())).unwrap();
    }

    #[test]
    fn dropping_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let shell = shell("sleep 600", folder.path());
        let id = shell.id().to_string();
        drop(shell);
        assert!(!is_alive(&id));
    }

    #[test]
    fn an_end_before_its_time_is_an_error_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = shell("echo no such topic; exit 3", folder.path());
        let error = format!("{:#}", shell.wait_until("readiness", LONG, || None::<()>).unwrap_err());
        assert!(error.contains("no such topic") && error.contains("exit status: 3"), "{error}");
    }
}
