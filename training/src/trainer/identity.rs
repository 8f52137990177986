//! Which run a checkpoint belongs to.

use std::path::Path;

use serde_json::json;

use crate::augmentation::Augmentation;
use crate::continual::Continual;
use crate::directory::model_digest;
use crate::distillation::Distillation;
use crate::error::TrainingError;
use crate::run::TrainingRun;

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
