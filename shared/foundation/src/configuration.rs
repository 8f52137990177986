//! Layered configuration: defaults, then a TOML file, then the environment, then flags. Unknown keys are errors.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::{Failure, FailureKind};

/// Environment variables with this prefix override the file: `PULSEWIRE__STORE__URL`.
pub const ENVIRONMENT_PREFIX: &str = "PULSEWIRE";

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, or a key in it is unknown or has the wrong type.
    #[error("{}:{line}:{column}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The file alone is right; with the environment and the flags over it, it is not.
    #[error("configuration (environment {ENVIRONMENT_PREFIX}__… and flags included): {0}")]
    Layered(#[source] Box<config::ConfigError>),
    /// A value does not go with the rest.
    #[error("{key}: {message}")]
    Invalid {
        /// The key, dotted: `store.url`.
        key: String,
        /// What is wrong and what would mend it.
        message: String,
    },
    /// The same, of a file that stands by itself.
    #[error("{}: {key}: {message}", path.display())]
    InvalidInFile {
        /// The file.
        path: PathBuf,
        /// The key, dotted: `hyperparameters.epochs`.
        key: String,
        /// What is wrong and what would mend it.
        message: String,
    },
}

impl ConfigurationError {
    /// A value that validation refuses.
    pub fn invalid(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { key: key.into(), message: message.into() }
    }

    /// The same, with the section that the key stands in.
    pub fn within(self, section: &str) -> Self {
        match self {
            Self::Invalid { key, message } => Self::Invalid { key: format!("{section}.{key}"), message },
            other => other,
        }
    }

    /// The same, with the file that the key stands in.
    pub fn of_file(self, path: &Path) -> Self {
        match self {
            Self::Invalid { key, message } => Self::InvalidInFile { path: path.to_owned(), key, message },
            other => other,
        }
    }
}

impl Failure for ConfigurationError {
    fn kind(&self) -> FailureKind {
        FailureKind::Configuration
    }
}

/// Loads `T`: its `Default`, then `file`, then `PULSEWIRE__SECTION__KEY` variables, then `overrides` (dotted key and value).
///
/// `T` and its parts must carry `#[serde(deny_unknown_fields, default)]`, which makes an unknown key an error. A key that
/// nobody sets has its value in `T`'s default, also where the part that it belongs to has another default by itself.
pub fn load<T>(file: Option<&Path>, overrides: &[(String, String)]) -> Result<T, ConfigurationError>
where
    T: DeserializeOwned + Serialize + Default,
{
    let defaults = config::Config::try_from(&T::default()).map_err(layered)?;
    let mut builder = config::Config::builder().add_source(defaults);
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigurationError::Unreadable { path: path.to_owned(), source })?;
        // Read once on its own, since the layered reader cannot tell line and column.
        parse_toml::<T>(&text, path)?;
        builder = builder.add_source(config::File::from_str(&text, config::FileFormat::Toml));
    }
    builder = builder.add_source(
        config::Environment::with_prefix(ENVIRONMENT_PREFIX).prefix_separator("__").separator("__").try_parsing(true),
    );
    for (key, value) in overrides {
        builder = builder.set_override(key, value.as_str()).map_err(layered)?;
    }
    builder.build().and_then(config::Config::try_deserialize).map_err(layered)
}

/// Reads one TOML text into `T`; an error names the file, the line and the column.
pub fn parse_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ConfigurationError> {
    toml::from_str(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let (line, column) = line_and_column(text, offset);
        ConfigurationError::File { path: path.to_owned(), line, column, message: error.message().to_owned() }
    })
}

/// Line and column, both from 1, of a byte offset in a text.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

fn layered(error: config::ConfigError) -> ConfigurationError {
    ConfigurationError::Layered(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        name: String,
        topic: Option<String>,
        store: Store,
    }

    /// The whole's default of a part's key differs from the part's own.
    impl Default for Sample {
        fn default() -> Self {
            Self { name: String::new(), topic: None, store: Store { rows: 20, ..Store::default() } }
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Store {
        url: String,
        rows: u32,
    }

    impl Default for Store {
        fn default() -> Self {
            Self { url: "http://127.0.0.1:8123".into(), rows: 10 }
        }
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = file("name = \"a\"\n[store]\nrows = 20\n");
        let sample: Sample = load(Some(file.path()), &[("store.rows".into(), "30".into())]).unwrap();
        assert_eq!(sample, Sample { name: "a".into(), topic: None, store: Store { rows: 30, ..Store::default() } });
    }

    #[test]
    fn setting_one_key_of_a_part_leaves_the_whole_s_defaults_of_the_others() {
        let sample: Sample = load(None, &[("store.url".into(), "http://store".into())]).unwrap();
        assert_eq!(sample.store, Store { url: "http://store".into(), rows: 20 });
    }

    #[test]
    fn an_unknown_key_names_its_line_and_column() {
        let file = file("name = \"a\"\n[store]\nrowz = 20\n");
        let error = load::<Sample>(Some(file.path()), &[]).unwrap_err().to_string();
        assert!(error.contains(":3:1: ") && error.contains("rowz"), "{error}");
    }

    #[test]
    fn an_unknown_flag_key_is_an_error() {
        assert!(load::<Sample>(None, &[("store.rowz".into(), "1".into())]).is_err());
    }
}
