//! Why the registry refuses.

use std::path::PathBuf;

use foundation::{Failure, FailureKind};

use crate::name::Version;

/// Everything that can go wrong in the registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A name that cannot be a folder or that the registry keeps for itself.
    #[error("{name:?} is no model name: use lower-case letters, digits, `-`, `_` and `.`, beginning with a letter")]
    Name {
        /// What was given.
        name: String,
    },
    /// Text that refers to no model.
    #[error("{text:?} is no reference to a model: use `name`, `name@3` or `name@champion`")]
    Reference {
        /// What was given.
        text: String,
    },
    /// There is no such model.
    #[error("there is no model {model} in {}: `pulsewire model list` shows what there is", root.display())]
    UnknownModel {
        /// The model.
        model: String,
        /// The registry.
        root: PathBuf,
    },
    /// The model has no such version.
    #[error("model {model} has no version {version}: `pulsewire model list` shows what there is")]
    UnknownVersion {
        /// The model.
        model: String,
        /// The version.
        version: Version,
    },
    /// The alias points nowhere yet.
    #[error("model {model} has no {alias}: `pulsewire model promote {model}@VERSION` makes one")]
    NoAlias {
        /// The model.
        model: String,
        /// The alias.
        alias: String,
    },
    /// There is nothing to go back to.
    #[error("model {model} has had no other {alias} than version {version}: there is nothing to roll back to")]
    NothingBefore {
        /// The model.
        model: String,
        /// The alias.
        alias: String,
        /// The version that it has always been.
        version: Version,
    },
    /// A file of a version is not what was published.
    #[error("{} is damaged: {reason}; publish the model again, or roll back", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not agree.
        reason: String,
    },
    /// A manifest or an alias file is not readable.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A file comes from a newer release.
    #[error("{} has format version {found}; this release reads up to {known}: update pulsewire", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest that this release knows.
        known: u32,
    },
    /// The staging directory holds nothing that could be published.
    #[error("{} cannot be published: {reason}", path.display())]
    Staging {
        /// The staging directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk refuses.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl RegistryError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}

impl Failure for RegistryError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Name { .. }
            | Self::Reference { .. }
            | Self::UnknownModel { .. }
            | Self::UnknownVersion { .. }
            | Self::NoAlias { .. }
            | Self::NothingBefore { .. }
            | Self::NewerFormat { .. } => FailureKind::Configuration,
            Self::Damaged { .. } | Self::Malformed { .. } => FailureKind::Corrupt,
            Self::Staging { .. } => FailureKind::Input,
            Self::Io { .. } => FailureKind::Unavailable,
        }
    }
}
