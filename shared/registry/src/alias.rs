//! Alias files: which version plays a part, and which did before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use foundation::EventTime;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::error::RegistryError;
use crate::name::{Alias, ModelName, Version};

const FORMAT: u32 = 1;

/// One change of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum AliasChange {
    /// A version took the part.
    Promote {
        /// The version.
        version: Version,
        /// When, RFC 3339 in UTC.
        at: String,
    },
    /// The version before the last one took it back.
    Rollback {
        /// The version that took it back.
        version: Version,
        /// When, RFC 3339 in UTC.
        at: String,
    },
}

/// All changes of an alias, oldest first; nothing is ever taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AliasHistory {
    format: u32,
    pub(crate) changes: Vec<AliasChange>,
}

impl Default for AliasHistory {
    fn default() -> Self {
        Self { format: FORMAT, changes: Vec::new() }
    }
}

impl AliasHistory {
    /// The version that plays the part.
    pub(crate) fn current(&self) -> Option<Version> {
        self.changes.last().map(|change| match change {
            AliasChange::Promote { version, .. } | AliasChange::Rollback { version, .. } => *version,
        })
    }

    /// The version that a rollback would bring back: promotions are undone one by one, each once.
    pub(crate) fn previous(&self) -> Option<Version> {
        let mut promoted = Vec::new();
        for change in &self.changes {
            match change {
                AliasChange::Promote { version, .. } => promoted.push(*version),
                AliasChange::Rollback { .. } => drop(promoted.pop()),
            }
        }
        promoted.len().checked_sub(2).map(|previous| promoted[previous])
    }
}

/// An alias of one model on disk.
pub(crate) struct AliasFile {
    folder: PathBuf,
    alias: Alias,
}

impl AliasFile {
    pub(crate) fn new(model_folder: &Path, alias: Alias) -> Self {
        Self { folder: model_folder.join("aliases"), alias }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(self.alias.as_str())
    }

    /// The history; empty where the alias was never set.
    pub(crate) fn read(&self) -> Result<AliasHistory, RegistryError> {
        let path = self.path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(AliasHistory::default()),
            Err(source) => return Err(RegistryError::io("read", path, source)),
        };
        let history: AliasHistory = serde_json::from_str(&text).map_err(|error| RegistryError::Malformed {
            path: path.clone(),
            message: format!("not an alias of this registry: {error}"),
        })?;
        if history.format > FORMAT {
            return Err(RegistryError::NewerFormat { path, found: history.format, known: FORMAT });
        }
        Ok(history)
    }

    /// Makes a version the alias. Promoting the current one changes nothing.
    pub(crate) fn promote(&self, version: Version) -> Result<(), RegistryError> {
        self.change(|history| {
            if history.current() != Some(version) {
                history.changes.push(AliasChange::Promote { version, at: EventTime::now().to_string() });
            }
            Ok(version)
        })
        .map(drop)
    }

    /// Brings the version before the current one back, after `check` has agreed to it.
    pub(crate) fn rollback(
        &self,
        model: &ModelName,
        check: impl FnOnce(Version) -> Result<(), RegistryError>,
    ) -> Result<Version, RegistryError> {
        self.change(|history| {
            let (model, alias) = (model.to_string(), self.alias.to_string());
            let Some(current) = history.current() else { return Err(RegistryError::NoAlias { model, alias }) };
            let Some(version) = history.previous() else {
                return Err(RegistryError::NothingBefore { model, alias, version: current });
            };
            check(version)?;
            history.changes.push(AliasChange::Rollback { version, at: EventTime::now().to_string() });
            Ok(version)
        })
    }

    /// Reads, changes and replaces the file, one process at a time. The lock ends with its process.
    fn change(
        &self,
        change: impl FnOnce(&mut AliasHistory) -> Result<Version, RegistryError>,
    ) -> Result<Version, RegistryError> {
        fs::create_dir_all(&self.folder).map_err(|source| RegistryError::io("create", &self.folder, source))?;
        let lock_path = self.folder.join(".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|source| RegistryError::io("lock", &lock_path, source))?;
        let mut history = self.read()?;
        let unchanged = history.clone();
        let version = change(&mut history)?;
        if history != unchanged {
            self.replace(&history)?;
        }
        drop(lock);
        Ok(version)
    }

    fn replace(&self, history: &AliasHistory) -> Result<(), RegistryError> {
        let path = self.path();
        let io = |source| RegistryError::io("write", &path, source);
        let text = serde_json::to_string_pretty(history).map_err(|error| io(error.into()))?;
        let mut file = NamedTempFile::new_in(&self.folder).map_err(io)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(io)?;
        file.persist(&path).map_err(|error| io(error.error))?;
        sync_folder(&self.folder)
    }
}

/// Makes renames in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), RegistryError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| RegistryError::io("write", folder, source))
}
