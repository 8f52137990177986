//! Which run a checkpoint belongs to.

use std::path::Path;

use serde_json::{Value, json};

use crate::augmentation::Augmentation;
use crate::continual::Continual;
use crate::directory::model_digest;
use crate::distillation::Distillation;
use crate::error::TrainingError;
use crate::run::TrainingRun;

/// What differs where nothing better can be said.
const SETTINGS: &str = "the settings";

/// All that decides what a run computes, as JSON: settings, and digests of its data, its base encoder and its teachers.
pub(crate) fn identity(run: &TrainingRun, base: &Path, data_digest: &str) -> Result<String, TrainingError> {
    let tasks: Vec<&str> = run.tasks.iter().map(|task| task.name.as_str()).collect();
    let kinds: Vec<_> = run.tasks.iter().map(|task| task.kind).collect();
    let losses: Vec<_> = run.tasks.iter().map(|task| &task.loss).collect();
    let distillation = run.distillation.as_ref().map(Distillation::by_content).transpose()?;
    let continual = run.continual.as_ref().map(Continual::by_content).transpose()?;
    let augmentation = run.augmentation.iter().map(Augmentation::by_content).collect::<Result<Vec<_>, _>>()?;
    let identity = json!({
        "pulsewire's version": env!("CARGO_PKG_VERSION"),
        "name": run.name,
        "seed": run.seed,
        "tasks": tasks,
        "kinds": kinds,
        "losses": losses,
        "hyperparameters": run.hyperparameters,
        "the data": data_digest,
        "the base encoder": model_digest(base)?,
        "distillation": distillation,
        "continual": continual,
        "few_shot": run.few_shot,
        "augmentation": augmentation,
    });
    Ok(identity.to_string())
}

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
