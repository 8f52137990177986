//! Which field of a record is what.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;

use foundation::configuration::ConfigurationError;
use serde::{Deserialize, Serialize};

use crate::error::StreamingError;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordFormat {
    /// One JSON object.
    #[default]
    Json,
    /// The payload is the text.
    Text,
}

/// JSON Pointers (RFC 6901) to one field, tried in order: the first that leads to a value wins.
///
/// In a configuration one string or a list: `"/headline"`, `["/body", "/summary"]`. A plain name is a pointer to a field
/// at the top: `headline`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "OneOrMany", into = "OneOrMany")]
pub struct Pointers(Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Pointers {
    fn from(given: OneOrMany) -> Self {
        match given {
            OneOrMany::One(one) => Self::new([one]),
            OneOrMany::Many(many) => Self::new(many),
        }
    }
}

impl From<Pointers> for OneOrMany {
    fn from(pointers: Pointers) -> Self {
        match <[String; 1]>::try_from(pointers.0) {
            Ok([one]) => Self::One(one),
            Err(many) => Self::Many(many),
        }
    }
}

impl From<&str> for Pointers {
    fn from(pointer: &str) -> Self {
        Self::new([pointer])
    }
}

impl Pointers {
    /// These pointers, in this order.
    pub fn new(pointers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let rooted = |pointer: String| if pointer.starts_with('/') { pointer } else { format!("/{pointer}") };
        Self(pointers.into_iter().map(Into::into).map(rooted).collect())
    }

    /// The reference tokens of each pointer: `/a~1b/0` is `["a/b", "0"]`.
    pub(crate) fn paths(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        let unescape = |token: &str| token.replace("~1", "/").replace("~0", "~");
        self.0.iter().map(move |pointer| pointer.split('/').skip(1).map(unescape).collect())
    }

    fn is_among(&self, columns: &[String]) -> bool {
        self.paths().any(|path| path.first().is_some_and(|name| columns.contains(name)))
    }
}

impl fmt::Display for Pointers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}

/// Which field of a record is what, and how large it may be.
///
/// The defaults fit `{"id", "time", "title", "text", "source"}` and the usual other names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldMapping {
    /// How records are written.
    pub format: RecordFormat,
    /// The text.
    pub text: Pointers,
    /// The headline beside the text; may be absent from a record.
    pub title: Pointers,
    /// When it happened; Kafka's timestamp where absent from a record.
    pub time: Pointers,
    /// The feed's id; made of topic, partition and offset where absent from a record.
    pub id: Pointers,
    /// Who says so; may be absent from a record.
    pub source: Pointers,
    /// A larger payload is refused.
    pub max_payload_bytes: NonZeroUsize,
    /// A longer text is cut.
    pub max_text_chars: NonZeroUsize,
}

impl Default for FieldMapping {
    fn default() -> Self {
        Self {
            format: RecordFormat::Json,
            text: Pointers::new(["text", "body", "content", "message", "headline", "title"]),
            title: Pointers::new(["title", "headline"]),
            time: Pointers::new([
                "time",
                "timestamp",
                "published_utc",
                "published_at",
                "published",
                "created_at",
                "date",
            ]),
            id: Pointers::new(["id", "guid", "tweet_id", "url", "path"]),
            source: Pointers::new(["source", "publisher", "feed"]),
            max_payload_bytes: NonZeroUsize::new(1 << 20).unwrap_or(NonZeroUsize::MIN),
            max_text_chars: NonZeroUsize::new(20_000).unwrap_or(NonZeroUsize::MIN),
        }
    }
}

impl FieldMapping {
    /// Refuses a mapping that cannot work.
    pub fn validate(&self) -> Result<(), ConfigurationError> {
        let fields = [
            ("text", &self.text),
            ("title", &self.title),
            ("time", &self.time),
            ("id", &self.id),
            ("source", &self.source),
        ];
        for (key, pointers) in fields {
            for pointer in &pointers.0 {
                if pointer == "/" || has_stray_tilde(pointer) {
                    return Err(ConfigurationError::invalid(
                        key,
                        format!("{pointer:?} is not a JSON Pointer such as /article/headline"),
                    ));
                }
            }
        }
        if self.format == RecordFormat::Json && self.text.0.is_empty() {
            return Err(ConfigurationError::invalid("text", "name the field that holds the text"));
        }
        Ok(())
    }

    /// Checks a file's columns: the text must be among them, and so must the time, since a file has no other.
    pub fn require_columns(&self, path: &Path, columns: &[String]) -> Result<(), StreamingError> {
        for pointers in [&self.text, &self.time] {
            if !pointers.is_among(columns) {
                return Err(StreamingError::Column {
                    path: path.to_owned(),
                    wanted: pointers.to_string(),
                    columns: columns.to_vec(),
                });
            }
        }
        Ok(())
    }
}

/// A tilde is always followed by 0 or 1.
fn has_stray_tilde(pointer: &str) -> bool {
    pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']))
}
