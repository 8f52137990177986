//! The hidden folder in the registry's root in which a run is trained: its checkpoint, the rows that were fetched for it, and its
//! model until that is published.
//!
//! Its name follows from the run, so that the same command finds it again. A lock, which ends with its process, tells a folder
//! that is worked in from one that was left behind; those are cleared away by later runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use foundation::EventTime;
use foundation::digest::sha256;
use registry::ModelName;
use training::TrainingRun;

use crate::exit::UsageError;

/// Folders of runs begin so; no model's name does.
const PREFIX: &str = ".training-";
/// Held while folders are made or cleared away.
const ROOT_LOCK: &str = ".training.lock";
const LOCK: &str = "lock";
const CHECKPOINT: &str = "checkpoint";
const MODEL: &str = "model";
/// Rows that were fetched for the run.
const DATA: &str = "data";
/// Tells when the run began.
const BEGAN: &str = "began";
/// How long an interrupted run can be gone on with.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// A run's folder, this process's alone. Dropped without a checkpoint in it, it is gone.
#[derive(Debug)]
pub(crate) struct TrainingFolder {
    path: PathBuf,
    root: PathBuf,
    began: EventTime,
    _lock: File,
}

impl TrainingFolder {
    /// Takes the run's folder, with the checkpoint that an interrupted process has left there unless it is to be forgotten.
    pub(crate) fn claim(root: &Path, run: &TrainingRun, forget: bool) -> anyhow::Result<Self> {
        let cannot_write = || format!("cannot write into the registry {}", root.display());
        // Before hours of training rather than after.
        let _: ModelName = run.name.parse()?;
        fs::create_dir_all(root).with_context(|| format!("cannot create the registry {}", root.display()))?;
        let _root_lock = lock_root(root).with_context(cannot_write)?;
        let prefix = format!("{PREFIX}{}-", run.name);
        let path = root.join(format!("{prefix}{}", &sha256(&serde_json::to_vec(run)?)[..12]));
        fs::create_dir_all(&path).with_context(cannot_write)?;
        let Some(lock) = try_lock(&path).with_context(cannot_write)? else {
            let message =
                "this very run is being trained by another process: wait for it, or choose another seed or name";
            return Err(UsageError(message.to_owned()).into());
        };
        let mut folder = Self { path, root: root.to_owned(), began: EventTime::now(), _lock: lock };
        if forget {
            remove(fs::remove_file(folder.checkpoint())).with_context(cannot_write)?;
        }
        remove(fs::remove_dir_all(folder.model())).with_context(cannot_write)?;
        folder.begin().with_context(cannot_write)?;
        if let Err(error) = clear_others(&folder, &prefix) {
            tracing::warn!("folders of interrupted runs in {} cannot be cleared away: {error}", root.display());
        }
        Ok(folder)
    }

    /// The run's checkpoint.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINT)
    }

    /// The model's staging directory.
    pub(crate) fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// Where rows lie that were fetched for the run. They stay as they are until it is over.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// When the run began, by whichever process.
    pub(crate) fn began(&self) -> EventTime {
        self.began
    }

    /// Finds the beginning of the run that is gone on with; else it is now, and nothing fetched before counts.
    fn begin(&mut self) -> io::Result<()> {
        let file = self.path.join(BEGAN);
        let earlier = fs::read_to_string(&file).ok().and_then(|text| EventTime::parse(&text).ok());
        match earlier.filter(|_| self.checkpoint().exists()) {
            Some(earlier) => self.began = earlier,
            None => {
                remove(fs::remove_dir_all(self.data()))?;
                fs::write(file, self.began.to_string())?;
            }
        }
        Ok(())
    }

    /// The run is over: nothing is to be gone on with.
    pub(crate) fn finish(self) {
        if let Err(error) = remove(fs::remove_file(self.checkpoint())) {
            tracing::warn!("cannot delete {}: {error}", self.checkpoint().display());
        }
    }
}

impl Drop for TrainingFolder {
    fn drop(&mut self) {
        // Without the lock, another process may just be taking this folder.
        let Ok(_root_lock) = lock_root(&self.root) else { return };
        let left = if self.checkpoint().exists() { self.model() } else { self.path.clone() };
        if let Err(error) = remove(fs::remove_dir_all(&left)) {
            tracing::warn!("cannot delete {}: {error}", left.display());
        }
    }
}

/// Removes other runs' folders that nobody works in, but those with a checkpoint that is not old.
fn clear_others(own: &TrainingFolder, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(&own.root)? {
        let entry = entry?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if !name.starts_with(PREFIX) || path == own.path || !entry.file_type()?.is_dir() {
            continue;
        }
        let Some(_lock) = try_lock(&path)? else { continue };
        let checkpoint = fs::metadata(path.join(CHECKPOINT)).and_then(|checkpoint| checkpoint.modified());
        // A time in the future is that of a clock that was set back.
        if checkpoint.is_ok_and(|written| written.elapsed().unwrap_or_default() < KEPT) {
            if name.strip_prefix(prefix).is_some_and(|digest| !digest.contains('-')) {
                let (path, days) = (path.display(), KEPT.as_secs() / 86_400);
                tracing::info!(
                    "an interrupted run of this model with other settings is kept in {path} for {days} days: the command that \
                     began it goes on with it"
                );
            }
        } else {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

fn lock_root(root: &Path) -> io::Result<File> {
    let file = open(&root.join(ROOT_LOCK))?;
    file.lock()?;
    Ok(file)
}

/// The lock of a run's folder; none if a process holds it.
pub(crate) fn try_lock(folder: &Path) -> io::Result<Option<File>> {
    let file = open(&folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

/// What is not there need not be removed.
pub(crate) fn remove(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn run(name: &str, seed: u64) -> TrainingRun {
        TrainingRun {
            name: name.to_owned(),
            seed,
            base: None,
            tensorboard: None,
            split_seed: None,
            distillation: None,
            augmentation: Vec::new(),
            continual: None,
            few_shot: None,
            tasks: Vec::new(),
            hyperparameters: Default::default(),
        }
    }

    fn folders(root: &Path) -> usize {
        fs::read_dir(root).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    }

    #[test]
    fn the_same_run_finds_its_checkpoint_again() {
        let root = tempfile::tempdir().unwrap();
        let root = &root.path().join("models");
        let claim = |seed, forget| TrainingFolder::claim(root, &run("news", seed), forget).unwrap();
        let folder = claim(1, false);
        fs::write(folder.checkpoint(), "so far").unwrap();
        fs::create_dir(folder.model()).unwrap();
        fs::create_dir(folder.data()).unwrap();
        let began = folder.began();
        drop(folder);
        assert!(!claim(2, false).checkpoint().exists(), "another run has a folder of its own");
        let folder = claim(1, false);
        assert_eq!(fs::read(folder.checkpoint()).unwrap(), b"so far");
        assert!(!folder.model().exists(), "half a model is nothing to begin with");
        assert!(folder.data().exists() && folder.began() == began, "rows and beginning are the checkpoint's");
        drop(folder);
        let folder = claim(1, true);
        assert!(!folder.checkpoint().exists() && !folder.data().exists(), "it was to be forgotten");
        fs::write(folder.checkpoint(), "the end").unwrap();
        folder.finish();
        assert_eq!(folders(root), 0);
    }

    #[test]
    fn two_processes_do_not_train_the_same_run() {
        let root = tempfile::tempdir().unwrap();
        let first = TrainingFolder::claim(root.path(), &run("news", 1), false).unwrap();
        let error = TrainingFolder::claim(root.path(), &run("news", 1), true).unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().contains("another process"), "{error}");
        let _other_seed = TrainingFolder::claim(root.path(), &run("news", 2), false).unwrap();
        assert_eq!(folders(root.path()), 2, "a folder that is worked in is cleared away");
        drop(first);
        TrainingFolder::claim(root.path(), &run("news", 1), false).unwrap();
    }

    #[test]
    fn folders_of_interrupted_runs_do_not_pile_up() {
        let root = tempfile::tempdir().unwrap();
        let leave = |name: &str, age: Duration| {
            let folder = root.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&folder).unwrap();
            let checkpoint = File::create(folder.join(CHECKPOINT)).unwrap();
            checkpoint.set_modified(SystemTime::now() - age).unwrap();
            folder
        };
        let (old, young) = (leave("news-0123", KEPT * 2), leave("other-0123", KEPT / 2));
        let empty = root.path().join(format!("{PREFIX}news-4567"));
        fs::create_dir(&empty).unwrap();
        fs::create_dir(root.path().join("news")).unwrap();
        drop(TrainingFolder::claim(root.path(), &run("news", 1), false).unwrap());
        assert!(!old.exists() && !empty.exists() && young.exists() && root.path().join("news").exists());
    }
}
