//! Bytes to text.

use std::path::Path;
use std::sync::Arc;

use super::Encoding;
use crate::error::{Location, TrainingError};

pub(super) fn decode(bytes: Vec<u8>, encoding: Encoding, path: &Arc<Path>) -> Result<String, TrainingError> {
    match encoding {
        Encoding::Latin1 => Ok(bytes.into_iter().map(char::from).collect()),
        Encoding::Utf8 => {
            let mut text = String::from_utf8(bytes).map_err(|error| {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
                TrainingError::Row {
                    at: Location { path: path.clone(), line },
                    field: "encoding".to_owned(),
                    message: "the bytes are not UTF-8 (an older Western file may need `encoding = \"latin-1\"`)"
                        .to_owned(),
                }
            })?;
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Ok(text)
        }
    }
}
