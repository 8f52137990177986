//! Gets the run-time parts into the cache: fetch by the registry's own client, check, unpack, one rename.
//!
//! All of it happens under a lock and in a folder of its own beside the parts, so that a cut run leaves nothing that
//! counts, the next one clears it away, and two at once do the work once.

pub(crate) mod error;
mod fetch;
mod unpack;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use foundation::digest;
use foundation::parts::{MARKER, Part, Pin};
use foundation::paths::cache_directory;

pub(crate) use error::SetupError;
pub(crate) use fetch::client_command;

/// Folders with this prefix are work in progress.
const INCOMING: &str = ".incoming-";

/// Where archives come from, and whether a part that is there already counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// A folder that holds the archives.
    pub(crate) from: Option<PathBuf>,
    /// Use no network.
    pub(crate) offline: bool,
    /// Install again what is there.
    pub(crate) force: bool,
}

/// How a part came to be usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was there, with the right marker and sizes.
    Present(PathBuf),
    /// A variable puts another path in its place.
    Replaced(PathBuf),
    /// It was installed now.
    Installed(PathBuf),
}

/// Installs those of the parts that are missing, for commands that need them.
pub(crate) async fn ensure(parts: &[Part]) -> Result<(), SetupError> {
    for part in parts {
        install(*part, &Options::default()).await?;
    }
    Ok(())
}

/// Makes one part usable.
pub(crate) async fn install(part: Part, options: &Options) -> Result<Outcome, SetupError> {
    if part.replacement().is_some() {
        return Ok(Outcome::Replaced(part.locate()?));
    }
    let pin = part.pin()?;
    if !pin.fits_this_machine() {
        return Err(SetupError::Platform {
            title: pin.title.clone(),
            platform: pin.platform.clone().unwrap_or_default(),
            variable: part.variable(),
        });
    }
    install_into(pin, &cache_directory(), options).await
}

async fn install_into(pin: &Pin, cache: &Path, options: &Options) -> Result<Outcome, SetupError> {
    let directory = pin.directory(cache);
    if !options.force && pin.check(&directory).is_ok() {
        return Ok(Outcome::Present(directory));
    }
    let parts = cache.join("parts");
    fs::create_dir_all(&parts).map_err(|source| SetupError::io("create", &parts, source))?;
    let _lock = lock(&parts)?;
    // Another process may have been faster.
    if !options.force && pin.check(&directory).is_ok() {
        return Ok(Outcome::Present(directory));
    }
    clear_leftovers(&parts)?;
    check_space(pin, &parts)?;
    let incoming = tempfile::Builder::new()
        .prefix(INCOMING)
        .tempdir_in(&parts)
        .map_err(|source| SetupError::io("create a folder in", &parts, source))?;
    let archive = obtain(pin, incoming.path(), options).await?;
    let staging = incoming.path().join("staging");
    tokio::task::block_in_place(|| {
        unpack::unpack(pin, &archive, &staging)?;
        publish(pin, &staging, &directory, incoming.path())
    })?;
    Ok(Outcome::Installed(directory))
}

/// The archive with the pinned digest, from a folder or from its registry.
async fn obtain(pin: &Pin, incoming: &Path, options: &Options) -> Result<PathBuf, SetupError> {
    if let Some(folder) = &options.from {
        let path = folder.join(&pin.archive.file);
        if !path.is_file() {
            return Err(SetupError::ArchiveMissing { path, command: client_command(pin) });
        }
        check_archive(pin, &path)?;
        return Ok(path);
    }
    if options.offline {
        let (title, version) = (pin.title.clone(), pin.version.clone());
        return Err(SetupError::Offline { title, version, command: client_command(pin) });
    }
    let path = fetch::fetch(pin, incoming).await?;
    check_archive(pin, &path).inspect_err(|_| {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!("cannot delete {}: {error}", path.display());
        }
    })?;
    Ok(path)
}

fn check_archive(pin: &Pin, path: &Path) -> Result<(), SetupError> {
    let found = tokio::task::block_in_place(|| digest::sha256_file(path))
        .map_err(|source| SetupError::io("read", path, source))?;
    if found == pin.archive.sha256 {
        return Ok(());
    }
    let found_bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    Err(SetupError::Checksum {
        file: pin.archive.file.clone(),
        expected: pin.archive.sha256.clone(),
        expected_bytes: pin.archive.bytes,
        found,
        found_bytes,
    })
}

/// Puts the marker into the staging folder, writes everything through to the disk and renames it into place.
fn publish(pin: &Pin, staging: &Path, directory: &Path, incoming: &Path) -> Result<(), SetupError> {
    let marker = staging.join(MARKER);
    fs::write(&marker, &pin.archive.sha256).map_err(|source| SetupError::io("write", &marker, source))?;
    sync(&marker)?;
    sync(staging)?;
    if directory.exists() {
        // Goes with the incoming folder; a process that has the old library open keeps it.
        let old = incoming.join("old");
        fs::rename(directory, &old).map_err(|source| SetupError::io("move away", directory, source))?;
    }
    fs::rename(staging, directory).map_err(|source| SetupError::io("move the unpacked part to", directory, source))?;
    directory.parent().map_or(Ok(()), sync)
}

fn sync(path: &Path) -> Result<(), SetupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|source| SetupError::io("write through", path, source))
}

/// The lock lasts as long as the file is open.
fn lock(parts: &Path) -> Result<File, SetupError> {
    let path = parts.join(".lock");
    let file = File::create(&path).map_err(|source| SetupError::io("create", &path, source))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => tracing::info!("another process is installing parts; waiting for it"),
        Err(TryLockError::Error(source)) => return Err(SetupError::io("lock", &path, source)),
    }
    tokio::task::block_in_place(|| file.lock()).map_err(|source| SetupError::io("lock", &path, source))?;
    Ok(file)
}

/// Removes what a cut run left; the lock says that nobody is at work there.
fn clear_leftovers(parts: &Path) -> Result<(), SetupError> {
    let entries = fs::read_dir(parts).map_err(|source| SetupError::io("list", parts, source))?;
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(INCOMING)) {
        tracing::info!("removing {}, left by a setup that was cut", entry.path().display());
        fs::remove_dir_all(entry.path()).map_err(|source| SetupError::io("remove", &entry.path(), source))?;
    }
    Ok(())
}

fn check_space(pin: &Pin, parts: &Path) -> Result<(), SetupError> {
    // The client's own copy, the archive, and its members.
    let needed = 2 * pin.archive.bytes + pin.members.iter().map(|member| member.bytes).sum::<u64>();
    match free_bytes(parts) {
        Some(free) if free < needed => {
            Err(SetupError::Space { title: pin.title.clone(), path: parts.to_owned(), needed, free })
        }
        _ => Ok(()),
    }
}

/// What a file system still takes, where the system tells.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    rustix::fs::statvfs(path).ok().map(|status| status.f_bavail.saturating_mul(status.f_frsize))
}

#[cfg(test)]
mod tests;
