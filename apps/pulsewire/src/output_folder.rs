//! The hidden folder beside a folder that is to be made, for as long as the making takes: the checkpoint, the rows that were
//! fetched, and the folder until it is whole.
//!
//! One target has one such folder, so that the same command finds its checkpoint again, and other settings are told that there
//! is one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use training::{Checkpoints, Pace};

use crate::exit::UsageError;
use crate::training_folder::{remove, try_lock};

/// The folder of a target begins so.
const PREFIX: &str = ".unfinished-";

/// A target's folder, this process's alone. Dropped without a checkpoint in it, it is gone.
#[derive(Debug)]
pub(crate) struct OutputFolder {
    path: PathBuf,
    target: PathBuf,
    _lock: File,
}

impl OutputFolder {
    /// Takes the folder of a target that must not exist yet, with the checkpoint that an interrupted process has left there
    /// unless it is to be forgotten.
    pub(crate) fn claim(target: &Path, forget: bool) -> anyhow::Result<Self> {
        let exists = || UsageError(format!("--out {} exists already", target.display()));
        if target.exists() {
            return Err(exists().into());
        }
        let Some(name) = target.file_name() else {
            return Err(UsageError(format!("--out {} names no folder", target.display())).into());
        };
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let path = parent.join(format!("{PREFIX}{}", name.to_string_lossy()));
        let cannot_write = || format!("cannot write into {}", parent.display());
        fs::create_dir_all(&path).with_context(cannot_write)?;
        let Some(lock) = try_lock(&path).with_context(cannot_write)? else {
            let message =
                format!("another process is making {}: wait for it, or choose another --out", target.display());
            return Err(UsageError(message).into());
        };
        let folder = Self { path, target: target.to_owned(), _lock: lock };
        // By a process that had the lock until now.
        if target.exists() {
            return Err(exists().into());
        }
        if forget {
            remove(fs::remove_file(folder.checkpoint())).with_context(cannot_write)?;
        }
        if !folder.checkpoint().exists() {
            remove(fs::remove_dir_all(folder.data())).with_context(cannot_write)?;
        }
        remove(fs::remove_dir_all(folder.model())).with_context(cannot_write)?;
        Ok(folder)
    }

    /// Where and how often a checkpoint is written.
    pub(crate) fn checkpoints(&self, pace: Pace) -> Checkpoints {
        Checkpoints { path: self.checkpoint(), pace }
    }

    /// Where the target is made.
    pub(crate) fn model(&self) -> PathBuf {
        self.path.join("model")
    }

    /// Where rows lie that were fetched. They stay as they are until the target is there.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    /// Gives what was made its name; nothing is to be gone on with.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let (made, target) = (self.model(), &self.target);
        fs::rename(&made, target).with_context(|| format!("cannot move {} to {}", made.display(), target.display()))?;
        if let Err(error) = remove(fs::remove_file(self.checkpoint())) {
            tracing::warn!("cannot delete {}: {error}", self.checkpoint().display());
        }
        Ok(())
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        let left = if self.checkpoint().exists() { self.model() } else { self.path.clone() };
        if let Err(error) = remove(fs::remove_dir_all(&left)) {
            tracing::warn!("cannot delete {}: {error}", left.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_target_finds_its_checkpoint_again() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("deep/encoder");
        let folder = OutputFolder::claim(&target, false).unwrap();
        let error = OutputFolder::claim(&target, false).unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().contains("another process"), "{error}");
        fs::write(folder.checkpoint(), "so far").unwrap();
        for part in [folder.model(), folder.data()] {
            fs::create_dir(part).unwrap();
        }
        drop(folder);
        let folder = OutputFolder::claim(&target, false).unwrap();
        assert_eq!(fs::read(folder.checkpoint()).unwrap(), b"so far");
        assert!(
            !folder.model().exists() && folder.data().exists(),
            "rows are the checkpoint's, half a model is nothing"
        );
        drop(folder);
        let folder = OutputFolder::claim(&target, true).unwrap();
        assert!(!folder.checkpoint().exists() && !folder.data().exists(), "it was to be forgotten");
        fs::write(folder.checkpoint(), "the end").unwrap();
        fs::create_dir(folder.model()).unwrap();
        folder.finish().unwrap();
        let left: Vec<_> = fs::read_dir(target.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, std::slice::from_ref(&target));
        let error = OutputFolder::claim(&target, false).unwrap_err();
        assert!(error.to_string().contains("exists already"), "{error}");
    }

    #[test]
    fn nothing_is_left_of_what_came_to_nothing() {
        let root = tempfile::tempdir().unwrap();
        let folder = OutputFolder::claim(&root.path().join("encoder"), false).unwrap();
        fs::create_dir(folder.model()).unwrap();
        drop(folder);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(OutputFolder::claim(&root.path().join(".."), false).is_err());
    }
}
