//! In what two runs differ, by their identities.

use serde_json::Value;

/// What differs where nothing better can be said.
const SETTINGS: &str = "the settings";

/// What two runs differ in; nothing if they are the same.
pub(super) fn differences(one: &str, other: &str) -> Vec<String> {
    if one == other {
        return Vec::new();
    }
    let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let mut differing = Vec::new();
    collect(&read(one), &read(other), SETTINGS, &mut differing);
    if differing.is_empty() {
        // Two floats may be read as one.
        differing.push(SETTINGS.to_owned());
    }
    differing
}

fn collect(one: &Value, other: &Value, name: &str, differing: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(others)) => {
            let missing = one.keys().filter(|key| !others.contains_key(*key));
            differing.extend(missing.cloned());
            for (key, other) in others {
                collect(one.get(key).unwrap_or(&Value::Null), other, key, differing);
            }
        }
        _ if one != other => differing.push(name.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_names() {
        let check =
            |one: &str, other: &str, expected: &[&str]| assert_eq!(differences(one, other), expected, "{other}");
        let run = r#"{"seed":1,"hyperparameters":{"dropout":0.1,"epochs":3}}"#;
        check(run, run, &[]);
        check(run, r#"{"seed":2,"hyperparameters":{"dropout":0.2,"epochs":3}}"#, &["seed", "dropout"]);
        check(run, r#"{"seed":1,"hyperparameters":{"epochs":3,"focal":2.0}}"#, &["dropout", "focal"]);
        check("[]", run, &["the settings"]);
        check(run, &run.replace("0.1", "0.10"), &["the settings"]);
    }
}
