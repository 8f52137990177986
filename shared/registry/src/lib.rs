//! The model registry: every model that was ever published, and which one is in use.
//!
//! ```text
//! <root>/<model>/<version>/          the model directory and its manifest.json; never changed once it is there
//! <root>/<model>/aliases/champion    the version in use, and the ones before it
//! ```
//!
//! Versions count 1, 2, 3 …. A version appears by one rename, so a crash leaves none in part; an alias changes by one
//! rename, so a reader sees the old one or the new one. Several processes may publish and promote at once.

mod alias;
mod error;
mod manifest;
mod name;
mod publish;
mod store;

pub use alias::AliasChange;
pub use error::RegistryError;
pub use manifest::{FileDigest, MANIFEST, Manifest, ManifestDraft};
pub use name::{Alias, ModelName, ModelReference, Version};
pub use store::{ModelSummary, ModelVersion, Registry};
