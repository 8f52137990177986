//! What a version is made of and where it came from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use foundation::digest::sha256_file;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::RegistryError;
use crate::name::{ModelName, ModelReference, Version};

/// The manifest's file name in a version's folder.
pub const MANIFEST: &str = "manifest.json";

/// The newest form of a manifest that this release writes and reads.
const FORMAT: u32 = 1;

/// What the publisher tells about a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManifestDraft {
    /// The encoder that the model was trained from: `all-MiniLM-L6-v2`.
    pub base: String,
    /// SHA-256 of the training data.
    pub data_digest: String,
    /// The training's parameters.
    pub parameters: Map<String, Value>,
    /// What was measured: per head, the evaluation on the test split, and the parity of the export.
    pub metrics: Map<String, Value>,
    /// The versions that this one was trained on or from: `sentiment@3`.
    pub parents: Vec<String>,
}

/// A version's record, written when it is published and never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this record.
    pub format: u32,
    /// The model.
    pub model: ModelName,
    /// The version.
    pub version: Version,
    /// When it was published, RFC 3339 in UTC.
    pub created: String,
    /// What the publisher told.
    #[serde(flatten)]
    pub draft: ManifestDraft,
    /// Every file but this one, by its path in the folder.
    pub files: BTreeMap<String, FileDigest>,
}

/// How a file is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Its length.
    pub bytes: u64,
    /// Its digest, lower-case hexadecimal.
    pub sha256: String,
}

impl Manifest {
    pub(crate) fn new(
        model: ModelName,
        version: Version,
        created: String,
        draft: ManifestDraft,
        files: BTreeMap<String, FileDigest>,
    ) -> Self {
        Self { format: FORMAT, model, version, created, draft, files }
    }

    /// `name@version`.
    pub fn reference(&self) -> ModelReference {
        ModelReference::Version(self.model.clone(), self.version)
    }

    /// Reads a folder's manifest, without a look at its other files.
    pub(crate) fn read(folder: &Path) -> Result<Self, RegistryError> {
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|source| RegistryError::io("read", &path, source))?;
        let malformed = |error: serde_json::Error| RegistryError::Malformed {
            path: path.clone(),
            message: format!("not a manifest of this registry: {error}"),
        };
        // The version of the form first: a newer form may lack what this release needs.
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let Form { format: found } = serde_json::from_str(&text).map_err(malformed)?;
        if found > FORMAT {
            return Err(RegistryError::NewerFormat { path, found, known: FORMAT });
        }
        serde_json::from_str(&text).map_err(malformed)
    }

    /// Compares every file with its digest; an error names the first one that differs, is missing or does not belong.
    pub(crate) fn verify(&self, folder: &Path) -> Result<(), RegistryError> {
        for (name, expected) in &self.files {
            let path = folder.join(name);
            let damaged = |reason: String| RegistryError::Damaged { path: path.clone(), reason };
            if !path.is_file() {
                return Err(damaged("the file is missing".to_owned()));
            }
            let found = FileDigest::of(&path)?;
            if found.bytes != expected.bytes {
                return Err(damaged(format!("it has {} bytes where {} belong", found.bytes, expected.bytes)));
            }
            if found.sha256 != expected.sha256 {
                return Err(damaged(format!("its sha256 is {} where {} belongs", found.sha256, expected.sha256)));
            }
        }
        for (name, path) in files_of(folder)? {
            if name != MANIFEST && !self.files.contains_key(&name) {
                return Err(RegistryError::Damaged { path, reason: "it was not published with the model".to_owned() });
            }
        }
        Ok(())
    }
}

impl FileDigest {
    pub(crate) fn of(path: &Path) -> Result<Self, RegistryError> {
        let io = |source| RegistryError::io("read", path, source);
        Ok(Self { bytes: fs::metadata(path).map_err(io)?.len(), sha256: sha256_file(path).map_err(io)? })
    }
}

/// All files in and under a folder, by their paths from it, with `/` between the parts.
pub(crate) fn files_of(folder: &Path) -> Result<BTreeMap<String, PathBuf>, RegistryError> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let io = |source| RegistryError::io("read", &folder, source);
        for entry in fs::read_dir(&folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let path = entry.path();
            let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else {
                return Err(RegistryError::Staging { path, reason: "its name is not UTF-8".to_owned() });
            };
            let kind = entry.file_type().map_err(io)?;
            if kind.is_dir() {
                folders.push((format!("{name}/"), path));
            } else if kind.is_file() {
                files.insert(name, path);
            } else {
                let reason = "a model has plain files only, no links: copy the file itself".to_owned();
                return Err(RegistryError::Staging { path, reason });
            }
        }
    }
    Ok(files)
}
