//! A staging directory becomes a version, whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use foundation::EventTime;

use crate::alias::sync_folder;
use crate::error::RegistryError;
use crate::manifest::{FileDigest, MANIFEST, Manifest, ManifestDraft, files_of};
use crate::name::{ModelName, Version};
use crate::store::versions;

/// Moves a staging directory into a model's folder under the first version that is free.
pub(crate) fn publish(
    folder: &Path,
    model: &ModelName,
    staging: &Path,
    draft: ManifestDraft,
) -> Result<Version, RegistryError> {
    let files = digests(staging)?;
    fs::create_dir_all(folder).map_err(|source| RegistryError::io("create", folder, source))?;
    let newest = versions(folder)?.last().copied();
    let mut version = newest.map_or(Version::FIRST, Version::next);
    let created = EventTime::now().to_string();
    let mut manifest = Manifest::new(model.clone(), version, created, draft, files);
    let mut incoming = Incoming { path: staging.to_owned(), copy: None };
    loop {
        manifest.version = version;
        write_manifest(&incoming.path, &manifest)?;
        let target = folder.join(version.to_string());
        match fs::rename(&incoming.path, &target) {
            Ok(()) => {
                sync_folder(folder)?;
                incoming.finish(staging);
                return Ok(version);
            }
            // Another publisher was faster.
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                version = version.next();
            }
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices && incoming.copy.is_none() => {
                incoming = Incoming::copy(staging, folder)?;
            }
            Err(source) => return Err(RegistryError::io("create", target, source)),
        }
    }
}

/// What will be renamed: the staging directory itself, or a copy beside the versions if it lies on another disk.
struct Incoming {
    path: PathBuf,
    /// Removed when dropped, unless it was renamed away.
    copy: Option<tempfile::TempDir>,
}

impl Incoming {
    fn copy(staging: &Path, folder: &Path) -> Result<Self, RegistryError> {
        let copy = tempfile::Builder::new()
            .prefix(".incoming-")
            .tempdir_in(folder)
            .map_err(|source| RegistryError::io("create", folder, source))?;
        for (name, from) in files_of(staging)? {
            let to = copy.path().join(name);
            to.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::copy(&from, &to))
                .and_then(|_| File::open(&to)?.sync_all())
                .map_err(|source| RegistryError::io("write", &to, source))?;
        }
        Ok(Self { path: copy.path().to_owned(), copy: Some(copy) })
    }

    /// After the rename: a staging directory that was copied is no longer needed.
    fn finish(self, staging: &Path) {
        let Some(copy) = self.copy else { return };
        // The folder has moved away: there is nothing to remove under its old name.
        let _moved = copy.keep();
        if let Err(error) = fs::remove_dir_all(staging) {
            tracing::warn!(%error, staging = %staging.display(), "a staging directory is left behind");
        }
    }
}

/// The digests of all files, each brought to the disk first.
fn digests(staging: &Path) -> Result<BTreeMap<String, FileDigest>, RegistryError> {
    let refused = |reason: &str| RegistryError::Staging { path: staging.to_owned(), reason: reason.to_owned() };
    if !staging.is_dir() {
        return Err(refused("it is no directory"));
    }
    let mut digests = BTreeMap::new();
    for (name, path) in files_of(staging)? {
        if name == MANIFEST {
            // Left by an earlier try.
            continue;
        }
        File::open(&path)
            .and_then(|file| file.sync_all())
            .map_err(|source| RegistryError::io("write", &path, source))?;
        digests.insert(name, FileDigest::of(&path)?);
    }
    if digests.is_empty() { Err(refused("it holds no files")) } else { Ok(digests) }
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<(), RegistryError> {
    let path = folder.join(MANIFEST);
    let io = |source| RegistryError::io("write", &path, source);
    let text = serde_json::to_string_pretty(manifest).map_err(|error| io(error.into()))?;
    fs::write(&path, text).and_then(|()| File::open(&path)?.sync_all()).map_err(io)?;
    sync_folder(folder)
}
