//! A model that is made of another one, by `export` or `prune`: where it goes, and what it is checked on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use inference::ModelDirectory;
use inference::backend::{BackendChoice, BackendConfig};
use registry::{ModelVersion, Registry};
use training::evaluation::kind_of;
use training::export::{ParityReport, check_parity, logits_in};
use training::{Row, TaskKind};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::labelled::LabelledArguments;
use crate::publication::{Derivation, publish_derived};
use crate::remote::RemoteRows;
use crate::settings::{FoundModel, ModelArguments};

/// Texts that the back ends are compared on.
const PARITY_TEXTS: usize = 64;

/// Where a finished model goes.
pub(crate) enum Target {
    /// A folder of this name, which is not there yet.
    Folder(PathBuf),
    /// The registry, as the next version of this one's model.
    Registry(Registry, Box<ModelVersion>),
}

impl Target {
    /// The registry that holds the model.
    pub(crate) fn registry(found: &FoundModel, model: &ModelArguments, global: &Global) -> anyhow::Result<Self> {
        if found.version == FoundModel::LOCAL {
            return Err(UsageError(format!("--publish takes a model of the registry, and {found} is none")).into());
        }
        let registry = Registry::open(model.config(global)?.model.registry);
        let version = registry.show(&found.to_string())?;
        Ok(Self::Registry(registry, Box::new(version)))
    }

    /// The folder beside which the model is made, so that it can be moved to its place in one step.
    pub(crate) fn parent(&self) -> &Path {
        match self {
            Self::Folder(out) => out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            Self::Registry(registry, _) => registry.root(),
        }
    }

    /// Moves a finished folder to its place, which is told.
    pub(crate) fn put(self, finished: &Path, derivation: Derivation, promote: bool) -> anyhow::Result<String> {
        match self {
            Self::Folder(out) => {
                fs::rename(finished, &out)
                    .with_context(|| format!("cannot move {} to {}", finished.display(), out.display()))?;
                Ok(out.display().to_string())
            }
            Self::Registry(registry, parent) => {
                let (version, alias) = publish_derived(&registry, &parent.manifest, finished, derivation, promote)?;
                Ok(format!("the registry as {}@{version}, the {alias}", parent.manifest.model))
            }
        }
    }
}

/// The labelled rows on which a model is compared with what is made of it: none without `--data`.
pub(crate) fn labelled_rows(
    labelled: &LabelledArguments,
    directory: &ModelDirectory,
    head: Option<&str>,
    remote: &RemoteRows<'_>,
) -> anyhow::Result<Vec<Row>> {
    if labelled.data.is_empty() {
        return Ok(Vec::new());
    }
    let kind = kind_of(directory.heads(), head)?;
    if kind != TaskKind::SingleLabel {
        let message = format!(
            "--data measures what a head that chooses one label loses; this head is {kind}: leave --data out, and measure both \
             models with `pulsewire evaluate`"
        );
        return Err(UsageError(message).into());
    }
    labelled.rows(kind, &[], remote)
}

/// Holds the back ends against each other on some of the texts. The trainer is not here: tract's logits stand for it.
pub(crate) fn compare_backends(directory: &Path, texts: &[String]) -> anyhow::Result<ParityReport> {
    let sample: Vec<&str> = texts.iter().take(PARITY_TEXTS).map(String::as_str).collect();
    let model = ModelDirectory::open_for_cleaned_texts(directory)?;
    let config = BackendConfig { backend: BackendChoice::Tract, ..BackendConfig::default() };
    let (_, reference) = logits_in(&model, &config, &sample)?;
    Ok(check_parity(directory, &|_| reference.clone(), &sample)?)
}
