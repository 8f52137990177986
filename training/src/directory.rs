//! The JSON files of a model directory.

use std::path::Path;

use foundation::digest::{sha256, sha256_file};
use serde_json::Value;

use crate::engine::EncoderConfig;
use crate::error::TrainingError;

/// What a base encoder is called: its configuration's name, else its directory's.
pub(crate) fn base_name(base: &Path) -> String {
    let of_config = EncoderConfig::load(base).ok().and_then(|config| {
        config.raw.get("_name_or_path").and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned)
    });
    of_config.unwrap_or_else(|| base.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned()))
}

/// SHA-256 over the files that decide what a model answers.
pub(crate) fn model_digest(directory: &Path) -> Result<String, TrainingError> {
    let files = ["config.json", "tokenizer.json", "model.safetensors"];
    let digests = files.map(|name| file_digest(&directory.join(name)));
    let digests = digests.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(sha256(digests.concat().as_bytes()))
}

/// SHA-256 of a file.
pub(crate) fn file_digest(path: &Path) -> Result<String, TrainingError> {
    sha256_file(path).map_err(|source| TrainingError::Unreadable { path: path.to_owned(), source })
}

pub(crate) fn read_json(path: &Path) -> Result<Value, TrainingError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| TrainingError::Unreadable { path: path.to_owned(), source })?;
    serde_json::from_str(&text)
        .map_err(|error| TrainingError::BaseEncoder { path: path.to_owned(), message: error.to_string() })
}

pub(crate) fn write_json(path: &Path, value: &Value) -> Result<(), TrainingError> {
    let unwritable = |source| TrainingError::Unwritable { path: path.to_owned(), source };
    let text = serde_json::to_string_pretty(value).map_err(|error| unwritable(std::io::Error::other(error)))?;
    std::fs::write(path, text + "\n").map_err(unwritable)
}
