//! One JSON object a line.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{Columns, RawRow};
use crate::error::{Location, TrainingError};

pub(super) fn read(content: &str, path: &Arc<Path>, columns: &Columns<'_>) -> Result<Vec<RawRow>, TrainingError> {
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
        let extra = columns.extra.iter().map(|name| nullable(&object, name, &at)).collect::<Result<_, _>>()?;
        let (text, label) = (field(&object, columns.text, &at)?, field(&object, columns.label, &at)?);
        rows.push(RawRow { text, label, extra, at });
    }
    Ok(rows)
}

fn find<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    if name.starts_with('/') { object.pointer(name) } else { object.get(name) }
}

fn nullable(object: &Value, name: &str, at: &Location) -> Result<String, TrainingError> {
    match find(object, name) {
        Some(Value::Null) => Ok(String::new()),
        _ => field(object, name, at),
    }
}

fn field(object: &Value, name: &str, at: &Location) -> Result<String, TrainingError> {
    let refused = |message: String| TrainingError::Row { at: at.clone(), field: name.to_owned(), message };
    match find(object, name) {
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
