//! What must be the same in a model and in whatever is made of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use foundation::digest::{sha256, sha256_file};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::export::ExportError;

/// The digests of a model directory's tokenizer and labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// SHA-256 of `tokenizer.json`.
    pub tokenizer_sha256: String,
    /// SHA-256 of the labels in `config.json` and their heads, in order.
    pub labels_sha256: String,
}

/// The part of `config.json` that names labels.
#[derive(Deserialize)]
struct Labels {
    #[serde(default)]
    id2label: BTreeMap<String, Value>,
    heads: Option<Value>,
}

impl Identity {
    /// Reads a model directory's.
    pub fn of(directory: &Path) -> Result<Self, ExportError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            |source| ExportError::Io { path, source }
        };
        let (tokenizer, path) = (directory.join("tokenizer.json"), directory.join("config.json"));
        let tokenizer_sha256 = sha256_file(&tokenizer).map_err(io(&tokenizer))?;
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        let config: Labels =
            serde_json::from_str(&text).map_err(|error| ExportError::Config { path, message: error.to_string() })?;
        let labels = json!([config.id2label, config.heads]);
        Ok(Self { tokenizer_sha256, labels_sha256: sha256(labels.to_string().as_bytes()) })
    }

    /// Reads a copy's, which must be that of the model it was made from.
    pub fn shared(source: &Path, copy: &Path) -> Result<Self, ExportError> {
        let (expected, found) = (Self::of(source)?, Self::of(copy)?);
        let other = |what| ExportError::OtherIdentity { what, copy: copy.to_owned(), source_model: source.to_owned() };
        if found.tokenizer_sha256 != expected.tokenizer_sha256 {
            return Err(other("tokens"));
        }
        if found.labels_sha256 != expected.labels_sha256 {
            return Err(other("labels"));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(tokenizer: &str, config: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("tokenizer.json"), tokenizer).unwrap();
        fs::write(directory.path().join("config.json"), config).unwrap();
        directory
    }

    #[test]
    fn a_copy_has_the_same_tokens_and_labels() {
        let model = directory("{}", r#"{"id2label": {"0": "down", "1": "up"}, "dtype": "float32"}"#);
        let check = |tokenizer: &str, config: &str| {
            let copy = directory(tokenizer, config);
            Identity::shared(model.path(), copy.path()).map_err(|error| error.to_string())
        };
        assert!(check("{}", r#"{"dtype": "float16", "id2label": {"1": "up", "0": "down"}}"#).is_ok());
        assert!(check("{ }", r#"{"id2label": {"0": "down", "1": "up"}}"#).unwrap_err().contains("the tokens of"));
        for other in [r#"{"0": "up", "1": "down"}"#, r#"{"0": "down", "1": "up", "2": "flat"}"#] {
            assert!(check("{}", &format!(r#"{{"id2label": {other}}}"#)).unwrap_err().contains("the labels of"));
        }
        let heads = r#"{"id2label": {"0": "down", "1": "up"}, "heads": [{"name": "mood", "labels": ["down", "up"]}]}"#;
        assert!(check("{}", heads).is_err());
    }
}
