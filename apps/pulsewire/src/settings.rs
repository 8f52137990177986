//! What several commands take from the configuration file, the environment and flags alike.

use std::path::PathBuf;

use clap::Args;
use foundation::configuration;
use foundation::paths::data_directory;
use serde::{Deserialize, Serialize};
use storage::{ConnectionFile, StoreConfig};

use crate::cli::Global;

/// The folder of the embedded store where no flag names one.
pub(crate) fn default_store_directory() -> PathBuf {
    data_directory().join("store")
}

/// The folder of the model registry where no flag names one.
pub(crate) fn default_registry_directory() -> PathBuf {
    data_directory().join("models")
}

/// The sections of the configuration file that commands beside the monitor read; the monitor checks the rest.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Sections {
    store: StoreConfig,
}

/// Which model, and where it is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArguments {
    /// Model in the registry: its champion, a version or another alias [default: the configuration's]
    #[arg(long, value_name = "NAME[@VERSION|@ALIAS]")]
    pub(crate) model: Option<String>,
    /// Folder of the model registry [default: models in the data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) registry: Option<PathBuf>,
}

/// Which ClickHouse.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreArguments {
    /// ClickHouse's HTTP interface [default: the configuration's, else the embedded store of this machine]
    #[arg(long, value_name = "URL")]
    store_url: Option<String>,
    /// Folder of the embedded store [default: store in the data directory]
    #[arg(long, value_name = "DIR", conflicts_with = "store_url")]
    store_dir: Option<PathBuf>,
}

impl StoreArguments {
    /// The embedded store in `--store-dir`, else the configuration, else the embedded store of this machine.
    pub(crate) fn resolve(&self, global: &Global) -> anyhow::Result<StoreConfig> {
        if let Some(directory) = &self.store_dir {
            return Ok(ConnectionFile::read(directory)?.config());
        }
        let overrides: Vec<(String, String)> =
            self.store_url.iter().map(|url| ("store.url".to_owned(), url.clone())).collect();
        let Sections { store } = configuration::load(global.config.as_deref(), &overrides)?;
        let directory = default_store_directory();
        if store == StoreConfig::default() && ConnectionFile::path(&directory).exists() {
            return Ok(ConnectionFile::read(&directory)?.config());
        }
        store.validate()?;
        Ok(store)
    }
}
