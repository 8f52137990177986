//! How other commands on this machine find a running embedded store.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use foundation::Secret;
use serde::{Deserialize, Serialize};

use crate::{StorageError, StoreConfig};

/// The file's name inside the store's directory.
pub const CONNECTION_FILE: &str = "pulsewire-store.json";

/// Address and password of an embedded store, readable by its owner only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionFile {
    /// The address: `http://127.0.0.1:8123`.
    pub url: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// As it stands in the file, with the password in clear.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    url: String,
    user: String,
    password: String,
}

impl ConnectionFile {
    /// Where a store's file lies.
    pub fn path(directory: &Path) -> PathBuf {
        directory.join(CONNECTION_FILE)
    }

    /// Reads the file of the store in `directory`.
    pub fn read(directory: &Path) -> Result<Self, StorageError> {
        let path = Self::path(directory);
        let text =
            fs::read(&path).map_err(|source| StorageError::File { action: "read", path: path.clone(), source })?;
        let stored: Stored =
            serde_json::from_slice(&text).map_err(|source| StorageError::ConnectionFile { path, source })?;
        Ok(Self { url: stored.url, user: stored.user, password: Secret::new(stored.password) })
    }

    /// Writes the file whole or not at all, with permissions 0600.
    pub fn write(&self, directory: &Path) -> Result<(), StorageError> {
        let path = Self::path(directory);
        let draft = path.with_extension("json.new");
        let stored = Stored {
            version: 1,
            url: self.url.clone(),
            user: self.user.clone(),
            password: self.password.expose().to_owned(),
        };
        let write = || {
            let text = serde_json::to_vec_pretty(&stored)?;
            if draft.exists() {
                fs::remove_file(&draft)?;
            }
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(|source| StorageError::File { action: "write", path: path.clone(), source })
    }

    /// The configuration that reaches this store.
    pub fn config(&self) -> StoreConfig {
        StoreConfig {
            url: self.url.clone(),
            user: self.user.clone(),
            password: self.password.clone(),
            ..StoreConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn reads_as_written_and_belongs_to_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let file = ConnectionFile {
            url: "http://127.0.0.1:1".into(),
            user: "pulsewire".into(),
            password: Secret::new("\"\\"),
        };
        file.write(directory.path()).unwrap();
        file.write(directory.path()).unwrap();
        assert_eq!(ConnectionFile::read(directory.path()).unwrap(), file);
        let mode = fs::metadata(ConnectionFile::path(directory.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
