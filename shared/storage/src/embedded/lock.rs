//! One process a directory.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::StorageError;

const LOCK_FILE: &str = "pulsewire-store.lock";
const ENGINE_DIRECTORY: &str = "clickhouse";

/// A store's directory, held by this process until it is dropped or the process ends, however it ends.
pub(super) struct StoreDirectory {
    path: PathBuf,
    _lock: File,
}

impl StoreDirectory {
    /// Makes the directory where it is missing, for its owner only, and takes its lock.
    pub(super) fn take(directory: &Path) -> Result<Self, StorageError> {
        let failed = |action| move |source| StorageError::File { action, path: directory.to_owned(), source };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory.join(ENGINE_DIRECTORY))
            .map_err(failed("make the store's directory"))?;
        let path = directory.canonicalize().map_err(failed("resolve"))?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK_FILE))
            .map_err(failed("lock the store in"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The number is for the message only.
                let process = lock.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(StorageError::Locked { directory: path, process });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock the store in")(source)),
        }
        let mut name_this_process = || {
            lock.set_len(0)?;
            lock.rewind()?;
            writeln!(lock, "{}", std::process::id())
        };
        name_this_process().map_err(failed("lock the store in"))?;
        Ok(Self { path, _lock: lock })
    }

    /// The directory itself, absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the engine keeps its data.
    pub(super) fn engine_path(&self) -> PathBuf {
        self.path.join(ENGINE_DIRECTORY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let directory = tempfile::tempdir().unwrap();
        let first = StoreDirectory::take(directory.path()).unwrap();
        let Err(StorageError::Locked { process, .. }) = StoreDirectory::take(directory.path()) else {
            panic!("taken twice");
        };
        assert_eq!(process, Some(std::process::id()));
        drop(first);
        StoreDirectory::take(directory.path()).unwrap();
    }
}
