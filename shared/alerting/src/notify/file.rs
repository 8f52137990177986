//! Alerts as lines of JSON.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use foundation::EventTime;
use serde::{Deserialize, Serialize};

use super::Notifier;
use crate::error::AlertingError;
use crate::rule::{Scope, Severity};
use crate::transition::{Evidence, State, Transition};

/// One line of the file. `at` to `evidence` is what scoring and people read first.
#[derive(Debug, Clone, Serialize)]
pub struct Record<'a> {
    /// Event time of the transition, RFC 3339.
    pub at: EventTime,
    /// The entity or topic; `*` for the whole feed.
    pub entity: &'a str,
    /// The rule's name.
    pub rule: &'a str,
    /// The rule's severity.
    pub severity: Severity,
    /// Whether the alert starts or ends.
    pub state: State,
    /// Identity of the alert.
    pub alert_id: &'a str,
    /// What the rule watches.
    pub scope: Scope,
    /// When the alert started.
    pub started_at: EventTime,
    /// The window is (`window_start`, `window_end`].
    pub window_start: EventTime,
    /// End of the window, inclusive.
    pub window_end: EventTime,
    /// What was measured.
    pub value: f64,
    /// What it takes to fire.
    pub threshold: f64,
    /// What was to be expected, for a surge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
    /// Messages in the window.
    pub messages: u64,
    /// The messages that contributed most.
    pub evidence: &'a [Evidence],
}

impl<'a> From<&'a Transition> for Record<'a> {
    fn from(transition: &'a Transition) -> Self {
        Self {
            at: transition.at,
            entity: &transition.entity,
            rule: &transition.rule,
            severity: transition.severity,
            state: transition.state,
            alert_id: &transition.alert_id,
            scope: transition.scope,
            started_at: transition.started_at,
            window_start: transition.window_start,
            window_end: transition.window_end,
            value: transition.value,
            threshold: transition.threshold,
            expected: transition.expected,
            messages: transition.messages,
            evidence: &transition.evidence,
        }
    }
}

/// Appends alerts to an NDJSON file, one line each, on disk before the call returns.
///
/// What the file holds already is not written again: an evaluator that was killed before it could save its state fires
/// its last alerts once more, with the same identities.
#[derive(Debug)]
pub struct AlertFile {
    path: PathBuf,
    file: File,
    /// Where the last whole line ends.
    end: u64,
    with_resolved: bool,
    written: HashSet<Identity>,
}

/// What makes a line of the file unlike all others.
#[derive(Debug, PartialEq, Eq, Hash, Deserialize)]
struct Identity {
    alert_id: String,
    state: State,
}

impl AlertFile {
    /// Opens or creates the file. Only firing transitions are written, unless `with_resolved`.
    ///
    /// A last line that a crash has cut off is overwritten.
    pub fn append(path: &Path, with_resolved: bool) -> Result<Self, AlertingError> {
        let open = || -> std::io::Result<(File, u64, HashSet<Identity>)> {
            let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
            let (end, written) = read_lines(&file)?;
            file.set_len(end)?;
            Ok((file, end, written))
        };
        let (file, end, written) = open().map_err(|source| AlertingError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file, end, with_resolved, written })
    }

    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(lines)?;
        self.file.sync_data()?;
        self.end += lines.len() as u64;
        Ok(())
    }
}

/// Where the last whole line ends, and the identities of all lines that are alerts.
fn read_lines(file: &File) -> std::io::Result<(u64, HashSet<Identity>)> {
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    let (mut end, mut written) = (0, HashSet::new());
    while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        end += line.len() as u64;
        written.extend(serde_json::from_slice::<Identity>(&line));
        line.clear();
    }
    Ok((end, written))
}

impl Notifier for AlertFile {
    fn name(&self) -> &str {
        "file"
    }

    fn notify(&mut self, transitions: &[Transition]) -> Result<(), AlertingError> {
        let mut lines = Vec::new();
        let mut identities = Vec::new();
        for transition in transitions {
            let identity = Identity { alert_id: transition.alert_id.clone(), state: transition.state };
            let wanted = self.with_resolved || transition.state == State::Firing;
            if wanted && !self.written.contains(&identity) {
                identities.push(identity);
                serde_json::to_writer(&mut lines, &Record::from(transition)).map_err(AlertingError::Encode)?;
                lines.push(b'\n');
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.write(&lines).map_err(|source| {
            // A full disk must not leave half a line before the next one.
            if let Err(error) = self.file.set_len(self.end) {
                tracing::warn!(%error, path = %self.path.display(), "cannot cut off a half-written alert");
            }
            AlertingError::Write { path: self.path.clone(), source }
        })?;
        self.written.extend(identities);
        Ok(())
    }
}
