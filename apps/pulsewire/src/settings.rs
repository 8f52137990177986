//! What several commands take from the configuration file, the environment and flags alike.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use foundation::configuration;
use foundation::paths::data_directory;
use registry::Registry;
use sentiment_monitor::MonitorConfig;
use serde::de::DeserializeOwned;
use storage::{ConnectionFile, StoreConfig};

use crate::cli::Global;
use crate::exit::UsageError;

/// The folder of the embedded store where no flag names one.
pub(crate) fn default_store_directory() -> PathBuf {
    data_directory().join("store")
}

/// The whole configuration: its file, the environment, and these flags as dotted keys over both.
pub(crate) fn load(global: &Global, overrides: &[(&str, Option<String>)]) -> anyhow::Result<MonitorConfig> {
    let set = overrides.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?)));
    Ok(configuration::load(global.config.as_deref(), &set.collect::<Vec<_>>())?)
}

/// Which Kafka.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Kafka")]
pub(crate) struct KafkaArguments {
    /// Bootstrap brokers, host:port, comma-separated [default: the configuration's, else 127.0.0.1:9092]
    #[arg(long, value_name = "LIST")]
    pub(crate) brokers: Option<String>,
}

impl KafkaArguments {
    /// The configuration with the flag over it, its connection checked.
    pub(crate) fn resolve(&self, global: &Global) -> anyhow::Result<MonitorConfig> {
        let config = load(global, &[("kafka.connection.brokers", self.brokers.clone())])?;
        config.kafka.connection.validate()?;
        Ok(config)
    }
}

/// Which model, and where it is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArguments {
    /// Model of the registry (its champion, a version or an alias), or a model directory [default: the configuration's]
    #[arg(long, value_name = "NAME[@VERSION|@ALIAS]")]
    pub(crate) model: Option<String>,
    /// Folder of the model registry [default: the configuration's, else models in the data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) registry: Option<PathBuf>,
}

/// Where models are kept.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct RegistryArguments {
    /// Folder of the model registry [default: the configuration's, else models in the data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) registry: Option<PathBuf>,
}

impl RegistryArguments {
    /// Opens the registry, which is made where it is missing.
    pub(crate) fn open(&self, global: &Global) -> anyhow::Result<Registry> {
        let config = load(global, &[("model.registry", text_of(self.registry.as_deref()))])?;
        Ok(Registry::open(config.model.registry))
    }
}

impl ModelArguments {
    /// Another model of the same registry.
    pub(crate) fn of(&self, model: String) -> Self {
        Self { model: Some(model), registry: self.registry.clone() }
    }

    /// The configuration with these flags over it.
    pub(crate) fn config(&self, global: &Global) -> anyhow::Result<MonitorConfig> {
        load(global, &[("model.name", self.model.clone()), ("model.registry", text_of(self.registry.as_deref()))])
    }

    /// The model, with the digests of its files checked if it is the registry's.
    pub(crate) fn find(&self, global: &Global) -> anyhow::Result<FoundModel> {
        let config = self.config(global)?.model;
        let path = Path::new(&config.name);
        if path.join("config.json").exists() {
            return Ok(FoundModel {
                name: config.name.clone(),
                version: FoundModel::LOCAL.into(),
                directory: path.to_owned(),
            });
        }
        let resolved = Registry::open(&config.registry).resolve(&config.name)?;
        Ok(FoundModel {
            name: resolved.manifest.model.to_string(),
            version: resolved.manifest.version.to_string(),
            directory: resolved.path,
        })
    }
}

fn text_of(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.to_string_lossy().into_owned())
}

/// A model that a command works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundModel {
    /// Its name, or its directory.
    pub(crate) name: String,
    /// Its version, or [`FoundModel::LOCAL`].
    pub(crate) version: String,
    /// Where its files lie.
    pub(crate) directory: PathBuf,
}

impl FoundModel {
    /// The version of a model directory that is not the registry's.
    pub(crate) const LOCAL: &str = "local";
}

impl fmt::Display for FoundModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
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
    /// The folder of the embedded store that the user named.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.store_dir.as_deref()
    }

    /// The embedded store in `--store-dir`, else the configuration, else the embedded store of this machine.
    pub(crate) fn resolve(&self, global: &Global) -> anyhow::Result<StoreConfig> {
        let config = load(global, &[("store.url", self.store_url.clone())])?;
        if let Some(directory) = &self.store_dir {
            if !ConnectionFile::path(directory).exists() {
                let directory = directory.display();
                let mend = format!("`pulsewire store serve --dir {directory}` makes one");
                return Err(UsageError(format!("there is no embedded store in {directory}: {mend}")).into());
            }
            return Ok(ConnectionFile::read(directory)?.config());
        }
        let directory = default_store_directory();
        if config.store == StoreConfig::default() && ConnectionFile::path(&directory).exists() {
            return Ok(ConnectionFile::read(&directory)?.config());
        }
        config.store.validate()?;
        Ok(config.store)
    }
}

/// Reads a flag's value by the names that the configuration file uses for the same type.
pub(crate) fn serde_name<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|error| error.to_string())
}
