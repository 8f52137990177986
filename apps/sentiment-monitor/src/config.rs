//! The monitor's configuration file.

use std::path::PathBuf;
use std::time::Duration;

use alerting::notify::WebhookConfig;
use foundation::configuration::ConfigurationError;
use foundation::paths;
use foundation::time::duration_text;
use inference::{BackendConfig, BatchingConfig};
use serde::{Deserialize, Serialize};
use service::HttpConfig;
use storage::StoreConfig;
use streaming::{ConsumerConfig, FieldMapping};

use crate::evaluation::EvaluationConfig;

/// Everything that `pulsewire monitor` can be told. Each part belongs to the crate that it configures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorConfig {
    /// The feed: brokers, group, topics.
    pub kafka: ConsumerConfig,
    /// Where in a message its text, title, time, id and source stand.
    pub mapping: FieldMapping,
    /// Topic of dead letters; `<topic>.dlq` where it is not set.
    pub dead_letter_topic: Option<String>,
    /// The ClickHouse server.
    pub store: StoreConfig,
    /// The model.
    pub model: ModelConfig,
    /// What runs it.
    pub inference: BackendConfig,
    /// How texts are batched.
    pub batching: BatchingConfig,
    /// CSV of companies (`name,ticker,aliases`); the built-in sample where it is not set.
    pub companies: Option<PathBuf>,
    /// TOML of alert rules; the built-in ones where it is not set.
    pub rules: Option<PathBuf>,
    /// Whether this process stands for election to evaluate the rules.
    pub evaluate: bool,
    /// When rules are evaluated.
    pub evaluation: EvaluationConfig,
    /// Who is told of alerts.
    pub notify: NotifyConfig,
    /// `/health` and `/metrics`.
    pub http: HttpConfig,
    /// How long everything in work may take to end on shutdown.
    #[serde(with = "duration_text")]
    pub shutdown_deadline: Duration,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            kafka: ConsumerConfig { topics: vec!["news".to_owned()], ..ConsumerConfig::default() },
            mapping: FieldMapping::default(),
            dead_letter_topic: None,
            store: StoreConfig::default(),
            model: ModelConfig::default(),
            inference: BackendConfig::default(),
            batching: BatchingConfig::default(),
            companies: None,
            rules: None,
            evaluate: true,
            evaluation: EvaluationConfig::default(),
            notify: NotifyConfig::default(),
            http: HttpConfig::default(),
            shutdown_deadline: Duration::from_secs(25),
        }
    }
}

/// The model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// `name`, `name@version` or `name@alias` in the registry (a bare name means its champion), or a model directory.
    pub name: String,
    /// The registry's folder.
    pub registry: PathBuf,
    /// How often the alias is looked at; a new champion is swapped in without a restart.
    #[serde(with = "duration_text")]
    pub watch_every: Duration,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: "sentiment".to_owned(),
            registry: paths::data_directory().join("models"),
            watch_every: Duration::from_secs(5),
        }
    }
}

/// Who is told of alerts. History rows are always written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Prints alerts to the terminal.
    pub terminal: bool,
    /// Appends alerts that start to fire to this NDJSON file.
    pub file: Option<PathBuf>,
    /// Sends alerts that start or end to this Kafka topic, as the same JSON objects, keyed by alert.
    pub topic: Option<String>,
    /// Posts alerts in Alertmanager's webhook form.
    pub webhook: Option<WebhookConfig>,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self { terminal: true, file: None, topic: None, webhook: None }
    }
}

impl MonitorConfig {
    /// Refuses what cannot work, before any port, file or consumer is opened.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        let invalid = |key: &str, message: String| Err(ConfigurationError::invalid(key, message));
        self.kafka.validate().map_err(|error| error.within("kafka"))?;
        if self.store.url.is_empty() {
            return invalid(
                "store.url",
                "name a ClickHouse server, or start one with `pulsewire store serve`".to_owned(),
            );
        }
        if self.model.name.trim().is_empty() {
            return invalid(
                "model.name",
                "name a model of the registry (`pulsewire model list`) or a folder".to_owned(),
            );
        }
        if self.evaluation.interval.is_zero() {
            return invalid("evaluation.interval", "must be more than zero, for example 1s".to_owned());
        }
        if self.shutdown_deadline < self.kafka.drain_deadline {
            return invalid(
                "shutdown_deadline",
                format!(
                    "{} is shorter than kafka.drain_deadline ({}): blocks in work would be cut off",
                    duration_text::format(self.shutdown_deadline),
                    duration_text::format(self.kafka.drain_deadline)
                ),
            );
        }
        if let Some(topic) = &self.notify.topic
            && self.kafka.topics.contains(topic)
        {
            return invalid("notify.topic", format!("{topic:?} is a feed: alerts would be scored as news"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut MonitorConfig), key: Option<&str>) {
        let mut config = MonitorConfig::default();
        change(&mut config);
        let found = config.validate().err().map(|error| error.to_string());
        assert_eq!(found.is_some(), key.is_some(), "{found:?}");
        if let (Some(found), Some(key)) = (found, key) {
            assert!(found.starts_with(key), "{found}");
        }
    }

    #[test]
    fn what_cannot_work_is_named() {
        check(|_| {}, None);
        check(|config| config.kafka.topics.clear(), Some("kafka.topics"));
        check(|config| config.model.name.clear(), Some("model.name"));
        check(|config| config.shutdown_deadline = Duration::from_secs(1), Some("shutdown_deadline"));
        check(|config| config.notify.topic = Some("news".into()), Some("notify.topic"));
    }

    #[test]
    fn the_documented_file_holds_the_defaults() {
        let text = include_str!("../../../deploy/pulsewire.toml");
        let read: MonitorConfig =
            foundation::configuration::parse_toml(text, "deploy/pulsewire.toml".as_ref()).unwrap();
        assert_eq!(read, MonitorConfig::default());
    }

    #[test]
    fn unknown_keys_are_refused() {
        let read = |text: &str| foundation::configuration::parse_toml::<MonitorConfig>(text, "p.toml".as_ref());
        assert!(read("[model]\nname = \"a\"\n[inference]\nbackend = \"tract\"").is_ok());
        for wrong in ["kafak = 1", "[kafka]\nbroker = \"x\"", "[model]\nnam = \"a\"", "[notify]\nslack = true"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
