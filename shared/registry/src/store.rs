//! The registry on a local directory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::alias::{AliasChange, AliasFile};
use crate::error::RegistryError;
use crate::manifest::{Manifest, ManifestDraft};
use crate::name::{Alias, ModelName, ModelReference, Version};
use crate::publish;

/// The registry under one directory. Cheap to clone; holds nothing open.
#[derive(Debug, Clone)]
pub struct Registry {
    root: PathBuf,
}

/// A version whose files are all as they were published.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelVersion {
    /// The model directory.
    pub path: PathBuf,
    /// Its record.
    pub manifest: Manifest,
}

/// What `list` tells of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelSummary {
    /// The model.
    pub model: ModelName,
    /// Its versions, oldest first.
    pub versions: Vec<Version>,
    /// The versions that play a part.
    pub aliases: BTreeMap<Alias, Version>,
}

impl Registry {
    /// Opens the registry in a directory, which the first publication creates.
    pub fn open(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a staging directory the model's next version; it is gone afterwards. No alias changes.
    pub fn publish(&self, model: &ModelName, staging: &Path, draft: ManifestDraft) -> Result<Version, RegistryError> {
        let version = publish::publish(&self.folder(model), model, staging, draft)?;
        tracing::info!(%model, %version, "model published");
        Ok(version)
    }

    /// Finds the version that `name`, `name@3` or `name@champion` means, and checks all its files.
    pub fn resolve(&self, reference: &str) -> Result<ModelVersion, RegistryError> {
        let reference: ModelReference = reference.parse()?;
        let found = self.find(&reference)?;
        found.manifest.verify(&found.path)?;
        Ok(found)
    }

    /// The same without a look at the files but the manifest.
    pub fn show(&self, reference: &str) -> Result<ModelVersion, RegistryError> {
        self.find(&reference.parse()?)
    }

    /// All models, by name.
    pub fn list(&self) -> Result<Vec<ModelSummary>, RegistryError> {
        let mut names: Vec<ModelName> = entries(&self.root)?.iter().filter_map(|name| name.parse().ok()).collect();
        names.sort_unstable();
        let mut models = Vec::new();
        for model in names {
            let folder = self.folder(&model);
            let versions = versions(&folder)?;
            let mut aliases = BTreeMap::new();
            for alias in Alias::ALL {
                if let Some(version) = AliasFile::new(&folder, alias).read()?.current() {
                    aliases.insert(alias, version);
                }
            }
            if !versions.is_empty() {
                models.push(ModelSummary { model, versions, aliases });
            }
        }
        Ok(models)
    }

    /// Gives a version the part of an alias, once its files are checked.
    pub fn promote(&self, model: &ModelName, version: Version, alias: Alias) -> Result<(), RegistryError> {
        let reference = ModelReference::Version(model.clone(), version);
        let found = self.find(&reference)?;
        found.manifest.verify(&found.path)?;
        AliasFile::new(&self.folder(model), alias).promote(version)?;
        tracing::info!(%model, %version, %alias, "model promoted");
        Ok(())
    }

    /// Gives the part back to the version that had it before, and tells which.
    pub fn rollback(&self, model: &ModelName, alias: Alias) -> Result<Version, RegistryError> {
        self.require(model)?;
        let version = AliasFile::new(&self.folder(model), alias).rollback(model, |version| {
            let found = self.find(&ModelReference::Version(model.clone(), version))?;
            found.manifest.verify(&found.path)
        })?;
        tracing::info!(%model, %version, %alias, "model rolled back");
        Ok(version)
    }

    /// The version that plays the part, if one does. Reads one small file: cheap enough to poll each second.
    pub fn current(&self, model: &ModelName, alias: Alias) -> Result<Option<Version>, RegistryError> {
        Ok(AliasFile::new(&self.folder(model), alias).read()?.current())
    }

    /// All changes of an alias, oldest first.
    pub fn history(&self, model: &ModelName, alias: Alias) -> Result<Vec<AliasChange>, RegistryError> {
        Ok(AliasFile::new(&self.folder(model), alias).read()?.changes)
    }

    fn find(&self, reference: &ModelReference) -> Result<ModelVersion, RegistryError> {
        let model = reference.model();
        self.require(model)?;
        let version = match reference {
            ModelReference::Version(_, version) => *version,
            ModelReference::Alias(_, alias) => self
                .current(model, *alias)?
                .ok_or_else(|| RegistryError::NoAlias { model: model.to_string(), alias: alias.to_string() })?,
        };
        let path = self.folder(model).join(version.to_string());
        if !path.is_dir() {
            return Err(RegistryError::UnknownVersion { model: model.to_string(), version });
        }
        let manifest = Manifest::read(&path)?;
        if (&manifest.model, manifest.version) != (model, version) {
            return Err(RegistryError::Damaged {
                path: path.join(crate::MANIFEST),
                reason: format!("it belongs to {}", manifest.reference()),
            });
        }
        Ok(ModelVersion { path, manifest })
    }

    fn require(&self, model: &ModelName) -> Result<(), RegistryError> {
        if versions(&self.folder(model))?.is_empty() {
            return Err(RegistryError::UnknownModel { model: model.to_string(), root: self.root.clone() });
        }
        Ok(())
    }

    fn folder(&self, model: &ModelName) -> PathBuf {
        self.root.join(model.as_str())
    }
}

/// The versions in a model's folder, oldest first; none where there is no folder.
pub(crate) fn versions(folder: &Path) -> Result<Vec<Version>, RegistryError> {
    let mut versions: Vec<Version> = entries(folder)?.iter().filter_map(|name| name.parse().ok()).collect();
    versions.sort_unstable();
    Ok(versions)
}

fn entries(folder: &Path) -> Result<Vec<String>, RegistryError> {
    let io = |source| RegistryError::io("read", folder, source);
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect::<Result<_, _>>()
            .map_err(io),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(io(source)),
    }
}

#[cfg(test)]
mod tests;
