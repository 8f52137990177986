//! Where the store is.

use std::time::Duration;

use axum::http::Uri;
use foundation::Secret;
use foundation::time::duration_text;
use serde::{Deserialize, Serialize};

use crate::StorageError;

/// The ClickHouse server that everything is written to: a real one, or `pulsewire store serve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `http://host:port` or `https://host:port` of the HTTP interface.
    pub url: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: Secret,
    /// The database; made where it is missing.
    pub database: String,
    /// Whether what is sent and received is compressed.
    pub compression: StoreCompression,
    /// How long one request may take before it is given up and, where that is safe, tried again.
    #[serde(with = "duration_text")]
    pub request_timeout: Duration,
}

/// Whether what is sent and received is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreCompression {
    /// LZ4 towards other machines, none on loopback, where it would only cost processor time.
    #[default]
    Auto,
    /// None.
    None,
    /// LZ4.
    Lz4,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8123".to_owned(),
            user: "default".to_owned(),
            password: Secret::default(),
            database: "pulsewire".to_owned(),
            compression: StoreCompression::Auto,
            request_timeout: Duration::from_secs(120),
        }
    }
}

impl StoreConfig {
    /// Checks what can be checked without the server.
    pub fn validate(&self) -> Result<(), StorageError> {
        self.endpoint()?;
        if self.user.is_empty() || self.user.contains(|c: char| c.is_control()) {
            return Err(invalid("store.user", "a user name is needed"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.database.is_empty() || !self.database.chars().all(plain) {
            let message = format!("{:?} is no database name: letters, digits and underscores", self.database);
            return Err(invalid("store.database", message));
        }
        if self.request_timeout.is_zero() {
            return Err(invalid("store.request_timeout", "must be longer than nothing, for example 120s"));
        }
        Ok(())
    }

    pub(crate) fn endpoint(&self) -> Result<Endpoint, StorageError> {
        let wrong = |why: &str| {
            invalid("store.url", format!("{:?} {why}; write http://host:port or https://host:port", self.url))
        };
        let uri: Uri = self.url.parse().map_err(|_| wrong("is no address"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("has no scheme that ClickHouse speaks")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid(
                "store.url",
                "user and password have keys of their own: store.user and store.password",
            ));
        }
        let host = authority.host().trim_matches(['[', ']']);
        let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let scheme = if secure { "https" } else { "http" };
        Ok(Endpoint { url: format!("{scheme}://{authority}"), secure, loopback })
    }
}

/// A checked address.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) secure: bool,
    pub(crate) loopback: bool,
}

fn invalid(key: &'static str, message: impl Into<String>) -> StorageError {
    StorageError::Configuration { key, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<(&str, bool, bool)>) {
        let config = StoreConfig { url: url.to_owned(), ..StoreConfig::default() };
        let read = config.endpoint().ok().map(|end| (end.url, end.secure, end.loopback));
        assert_eq!(read, expected.map(|(url, secure, loopback)| (url.to_owned(), secure, loopback)), "{url}");
    }

    #[test]
    fn addresses_are_checked_before_anything_starts() {
        check("http://127.0.0.1:8123", Some(("http://127.0.0.1:8123", false, true)));
        check("http://[::1]:8123/", Some(("http://[::1]:8123", false, true)));
        check("http://localhost:8123", Some(("http://localhost:8123", false, true)));
        check("https://click.example.org:8443/?a=b", Some(("https://click.example.org:8443", true, false)));
        check("tcp://127.0.0.1:9000", None);
        check("127.0.0.1:8123", None);
        check("http://user:word@127.0.0.1:8123", None);
        check("", None);
    }

    #[test]
    fn a_client_for_an_encrypted_address_can_be_made() {
        let config = StoreConfig { url: "https://click.example.org:8443".into(), ..StoreConfig::default() };
        let store = crate::Store::new(&config, tokio_util::sync::CancellationToken::new()).unwrap();
        assert_eq!(store.endpoint(), "https://click.example.org:8443");
    }

    #[test]
    fn database_names_are_plain() {
        let named = |database: &str| StoreConfig { database: database.to_owned(), ..StoreConfig::default() }.validate();
        assert!(named("pulse_1").is_ok());
        assert!(named("pulse`; DROP").is_err());
        assert!(named("").is_err());
    }
}
