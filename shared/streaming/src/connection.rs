//! How to reach a Kafka cluster; shared by consumers and producers.

use std::collections::BTreeMap;

use foundation::Secret;
use foundation::configuration::ConfigurationError;
use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};

/// Settings that belong to the library, with the reason why they cannot be overridden.
const RESERVED: [(&str, &str); 6] = [
    ("bootstrap.servers", "use `brokers`"),
    ("group.id", "use the consumer's `group`"),
    ("enable.auto.commit", "offsets are committed after their rows are stored"),
    ("enable.auto.offset.store", "offsets are committed after their rows are stored"),
    ("partition.assignment.strategy", "partitions are handed over one by one, which only cooperative-sticky can do"),
    ("sasl.password", "use `sasl.password`, which is never printed"),
];

/// How to reach a Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionConfig {
    /// Bootstrap brokers, `host:port`, comma-separated.
    pub brokers: String,
    /// Encrypts the connection; needs a binary built with the `tls` feature.
    pub tls: bool,
    /// Logs in with a name and a password.
    pub sasl: Option<Sasl>,
    /// Further librdkafka properties, by their own names (`fetch.wait.max.ms = "50"`).
    pub properties: BTreeMap<String, String>,
}

/// A SASL login. PLAIN needs nothing; the SCRAM mechanisms need a binary built with the `tls` feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    #[serde(default = "plain")]
    pub mechanism: String,
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

fn plain() -> String {
    "PLAIN".to_owned()
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self { brokers: "127.0.0.1:9092".to_owned(), tls: false, sasl: None, properties: BTreeMap::new() }
    }
}

impl ConnectionConfig {
    /// A plain connection to these brokers.
    pub fn to_brokers(brokers: impl Into<String>) -> Self {
        Self { brokers: brokers.into(), ..Self::default() }
    }

    /// Refuses what cannot work, before anything is opened.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        let invalid = |key: &str, message: String| Err(ConfigurationError::invalid(key, message));
        if self.brokers.split(',').any(|broker| !is_address(broker)) {
            return invalid("brokers", format!("{:?} is not a list of host:port, separated by commas", self.brokers));
        }
        if self.tls && cfg!(not(feature = "tls")) {
            return invalid("tls", "this binary was built without the `tls` feature".to_owned());
        }
        if let Some(sasl) = &self.sasl {
            match sasl.mechanism.as_str() {
                "PLAIN" => {}
                "SCRAM-SHA-256" | "SCRAM-SHA-512" if cfg!(feature = "tls") => {}
                "SCRAM-SHA-256" | "SCRAM-SHA-512" => {
                    return invalid("sasl.mechanism", "SCRAM needs a binary built with the `tls` feature".to_owned());
                }
                other => {
                    return invalid(
                        "sasl.mechanism",
                        format!("{other:?} is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
                    );
                }
            }
        }
        for (name, reason) in RESERVED {
            if self.properties.contains_key(name) {
                return invalid(&format!("properties.{name}"), format!("cannot be set: {reason}"));
            }
        }
        Ok(())
    }

    /// The librdkafka configuration, with these defaults under the user's properties.
    pub(crate) fn client(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "pulsewire")
            .set("log.connection.close", "false");
        let security = match (self.tls, self.sasl.is_some()) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        client.set("security.protocol", security);
        if let Some(sasl) = &self.sasl {
            client
                .set("sasl.mechanism", &sasl.mechanism)
                .set("sasl.username", &sasl.username)
                .set("sasl.password", sasl.password.expose());
        }
        // A broker that comes back is found within seconds.
        client.set("reconnect.backoff.max.ms", "2000");
        for (name, value) in defaults {
            client.set(*name, *value);
        }
        for (name, value) in &self.properties {
            client.set(name, value);
        }
        client
    }
}

fn is_address(text: &str) -> bool {
    text.trim().rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut ConnectionConfig), key: Option<&str>) {
        let mut config = ConnectionConfig::default();
        change(&mut config);
        let found = config.validate().err().map(|error| error.to_string());
        match (key, found) {
            (None, None) => {}
            (Some(key), Some(found)) => assert!(found.starts_with(key), "{found}"),
            (key, found) => panic!("expected {key:?}, found {found:?}"),
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        check(|_| {}, None);
        check(|config| config.brokers = "a:1,b:2".into(), None);
        check(|config| config.brokers = String::new(), Some("brokers"));
        check(|config| config.brokers = "localhost".into(), Some("brokers"));
        check(|config| config.brokers = "localhost:99999".into(), Some("brokers"));
        let set = |name: &'static str| {
            move |config: &mut ConnectionConfig| drop(config.properties.insert(name.into(), "x".into()))
        };
        check(set("fetch.wait.max.ms"), None);
        check(set("enable.auto.commit"), Some("properties.enable.auto.commit"));
        check(set("sasl.password"), Some("properties.sasl.password"));
    }

    #[test]
    fn a_password_reaches_kafka_and_no_log() {
        let config = ConnectionConfig {
            sasl: Some(Sasl { mechanism: plain(), username: "ann".into(), password: Secret::new("hunter2") }),
            ..ConnectionConfig::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.client(&[]).get("sasl.password"), Some("hunter2"));
    }
}
