//! What a search has tried so far, on disk.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use foundation::configuration::ConfigurationError;
use serde::{Deserialize, Serialize};

use crate::error::TrainingError;
use crate::run::Hyperparameters;

const LEDGER: &str = "trials.ndjson";
const LOCK: &str = "lock";
const CHECKPOINT: &str = "checkpoint-";

/// A trial that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Tells searches on other data, tasks, seeds or base encoders apart.
    search: String,
    /// All settings, not only those that were drawn.
    hyperparameters: Hyperparameters,
    /// Each task's score on its validation side; none where the loss was no number.
    pub(super) validation_scores: Vec<f64>,
    pub(super) seconds: f64,
}

impl Line {
    pub(super) fn new(search: &str, hyperparameters: Hyperparameters, scores: Vec<f64>, seconds: f64) -> Self {
        Self { search: search.to_owned(), hyperparameters, validation_scores: scores, seconds }
    }
}

/// A search's folder, this process's alone.
#[derive(Debug)]
pub(super) struct Ledger {
    folder: PathBuf,
    search: String,
    lines: Vec<Line>,
    _lock: File,
}

impl Ledger {
    /// Opens the folder for a search of this identity.
    ///
    /// # Errors
    ///
    /// A folder that another process works in or that cannot be written, and a line that is none of ours.
    pub(super) fn open(folder: &Path, search: String) -> Result<Self, TrainingError> {
        let unwritable = |source| TrainingError::Unwritable { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(unwritable)?;
        let lock = File::create(folder.join(LOCK)).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(unwritable(source)),
            Err(TryLockError::WouldBlock) => {
                let message = format!("{} is searched in by another process: choose another", folder.display());
                return Err(ConfigurationError::invalid("folder", message).into());
            }
        }
        let path = folder.join(LEDGER);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(TrainingError::Unreadable { path, source }),
        };
        let read = |(index, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| {
                let message = format!("{}:{}: no trial of a search: {error}", path.display(), index + 1);
                TrainingError::from(ConfigurationError::invalid("folder", message))
            })
        };
        let lines = text.lines().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { folder: folder.to_owned(), search, lines, _lock: lock })
    }

    pub(super) fn search(&self) -> &str {
        &self.search
    }

    /// The trial of these settings, if it is over.
    pub(super) fn find(&self, hyperparameters: &Hyperparameters) -> Option<&Line> {
        self.lines.iter().find(|line| line.search == self.search && line.hyperparameters == *hyperparameters)
    }

    /// Where the trial of these settings keeps its checkpoint.
    pub(super) fn checkpoint(&self, hyperparameters: &Hyperparameters) -> PathBuf {
        let content = format!("{} {hyperparameters:?}", self.search);
        self.folder.join(format!("{CHECKPOINT}{}", &foundation::digest::sha256(content.as_bytes())[..12]))
    }

    /// Writes a trial down. The file is written anew as a whole: whenever the program ends, no line in it is torn.
    pub(super) fn add(&mut self, line: Line) -> Result<(), TrainingError> {
        let checkpoint = self.checkpoint(&line.hyperparameters);
        self.lines.push(line);
        let path = self.folder.join(LEDGER);
        let partial = self.folder.join(format!("{LEDGER}.partial"));
        let written = File::create(&partial).and_then(|mut file| {
            for line in &self.lines {
                writeln!(file, "{}", serde_json::to_string(line)?)?;
            }
            file.sync_all()?;
            fs::rename(&partial, &path)
        });
        written.map_err(|source| TrainingError::Unwritable { path, source })?;
        match fs::remove_file(&checkpoint) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!("cannot delete {}: {error}", checkpoint.display());
            }
            _ => {}
        }
        Ok(())
    }
}
