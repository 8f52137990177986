//! One JSON object a line.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::RawRow;
use crate::error::{Location, TrainingError};

pub(super) fn read(content: &str, path: &Arc<Path>, text: &str, label: &str) -> Result<Vec<RawRow>, TrainingError> {
    let mut rows = Vec::new();
    for (index, line) in content.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let at = Location { path: path.clone(), line: index as u64 + 1 };
        let object: Value = serde_json::from_str(line).map_err(|error| TrainingError::Row {
            at: at.clone(),
            field: "row".to_owned(),
            message: format!("not JSON: {error}"),
        })?;
        rows.push(RawRow { text: field(&object, text, &at)?, label: field(&object, label, &at)?, at });
    }
    Ok(rows)
}

fn field(object: &Value, name: &str, at: &Location) -> Result<String, TrainingError> {
    let refused = |message: String| TrainingError::Row { at: at.clone(), field: name.to_owned(), message };
    let found = if name.starts_with('/') { object.pointer(name) } else { object.get(name) };
    match found {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(flag)) => Ok(flag.to_string()),
        Some(_) => Err(refused("is not a string, a number or a boolean".to_owned())),
        None => {
            let keys = object.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>().join(", "));
            Err(refused(format!("is missing; the object's keys are: {}", keys.unwrap_or_default())))
        }
    }
}
