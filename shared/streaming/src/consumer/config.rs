//! The settings of a consumer.

use std::num::NonZeroUsize;
use std::time::Duration;

use foundation::configuration::ConfigurationError;
use foundation::time::duration_text;
use serde::{Deserialize, Serialize};

use crate::connection::ConnectionConfig;

/// Where a group starts on a partition of which neither the store nor Kafka knows an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// With the oldest message that Kafka still has.
    #[default]
    Earliest,
    /// With the next message that arrives.
    Latest,
}

/// The settings of a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsumerConfig {
    /// The cluster.
    pub connection: ConnectionConfig,
    /// The consumer group.
    pub group: String,
    /// The topics.
    pub topics: Vec<String>,
    /// Where to start on a partition that nobody has read yet.
    pub start: Start,
    /// A fixed name of this member: a restart within the session timeout then moves no partition.
    pub member: Option<String>,
    /// After this long without a heartbeat Kafka gives the partitions to others.
    #[serde(with = "duration_text")]
    pub session_timeout: Duration,
    /// How long blocks in work may take to end when a partition is taken away or the program stops.
    #[serde(with = "duration_text")]
    pub drain_deadline: Duration,
    /// How often stored offsets are committed to Kafka.
    #[serde(with = "duration_text")]
    pub commit_interval: Duration,
    /// How often ends of partitions are asked for, for the lag.
    #[serde(with = "duration_text")]
    pub lag_interval: Duration,
    /// When a block is handed on.
    pub block: BlockConfig,
    /// How many blocks of a partition may wait before its intake pauses.
    pub queue_blocks: NonZeroUsize,
    /// How many messages librdkafka reads ahead, all partitions together.
    pub prefetch_messages: NonZeroUsize,
    /// How many bytes librdkafka reads ahead, all partitions together.
    pub prefetch_bytes: NonZeroUsize,
}

/// When a block is handed on: whichever comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockConfig {
    /// This many records.
    pub max_rows: NonZeroUsize,
    /// This many bytes of keys, values and headers; one larger record is a block of its own.
    pub max_bytes: NonZeroUsize,
    /// This long after its first record.
    #[serde(with = "duration_text")]
    pub max_age: Duration,
}

impl Default for BlockConfig {
    fn default() -> Self {
        Self { max_rows: at_least_one(4096), max_bytes: at_least_one(4 << 20), max_age: Duration::from_millis(200) }
    }
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            connection: ConnectionConfig::default(),
            group: "pulsewire".to_owned(),
            topics: Vec::new(),
            start: Start::default(),
            member: None,
            session_timeout: Duration::from_secs(30),
            drain_deadline: Duration::from_secs(20),
            commit_interval: Duration::from_secs(1),
            lag_interval: Duration::from_secs(5),
            block: BlockConfig::default(),
            queue_blocks: at_least_one(8),
            prefetch_messages: at_least_one(20_000),
            prefetch_bytes: at_least_one(32 << 20),
        }
    }
}

fn at_least_one(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

impl ConsumerConfig {
    /// Refuses what cannot work, before anything is opened.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        let invalid = |key: &str, message: String| Err(ConfigurationError::invalid(key, message));
        self.connection.validate()?;
        if self.group.trim().is_empty() {
            return invalid("group", "a consumer needs the name of its group".to_owned());
        }
        if self.topics.is_empty() {
            return invalid("topics", "name at least one topic".to_owned());
        }
        for topic in &self.topics {
            if !is_topic(topic) {
                return invalid(
                    "topics",
                    format!("{topic:?} is not a topic: 1 to 249 letters, digits, dots, underscores and dashes"),
                );
            }
        }
        if self.session_timeout < Duration::from_secs(1) {
            return invalid("session_timeout", "must be at least 1s".to_owned());
        }
        if self.drain_deadline >= self.session_timeout {
            return invalid(
                "drain_deadline",
                format!(
                    "{} must be shorter than session_timeout ({}), or Kafka gives the partitions away in the middle of a drain",
                    duration_text::format(self.drain_deadline),
                    duration_text::format(self.session_timeout),
                ),
            );
        }
        for (key, duration) in [
            ("commit_interval", self.commit_interval),
            ("lag_interval", self.lag_interval),
            ("block.max_age", self.block.max_age),
        ] {
            if duration.is_zero() {
                return invalid(key, "must be more than zero".to_owned());
            }
        }
        Ok(())
    }
}

fn is_topic(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut ConsumerConfig), expected: Option<&str>) {
        let mut config = ConsumerConfig { topics: vec!["news".into()], ..ConsumerConfig::default() };
        change(&mut config);
        let found = config.validate().err().map(|error| error.to_string());
        match (expected, found) {
            (None, None) => {}
            (Some(expected), Some(found)) => assert!(found.starts_with(&format!("{expected}: ")), "{found}"),
            (expected, found) => panic!("expected {expected:?}, found {found:?}"),
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        check(|_| {}, None);
        check(|config| config.group = " ".into(), Some("group"));
        check(|config| config.topics.clear(), Some("topics"));
        check(|config| config.topics.push("a b".into()), Some("topics"));
        check(|config| config.topics.push("..".into()), Some("topics"));
        check(|config| config.drain_deadline = config.session_timeout, Some("drain_deadline"));
        check(|config| config.session_timeout = Duration::ZERO, Some("session_timeout"));
        check(|config| config.block.max_age = Duration::ZERO, Some("block.max_age"));
        check(|config| config.connection.brokers = "nowhere".into(), Some("brokers"));
    }
}
