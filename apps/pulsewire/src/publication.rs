//! From a training run to a version in the registry: train, export, prove, publish, promote. Shared by `train` and `demo`.

use anyhow::Context as _;
use registry::{Alias, ManifestDraft, ModelName, Registry, Version};
use serde::Serialize;
use serde_json::{Map, Value};
use training::export::{ParityReport, check_parity, export};
use training::{Checkpoints, Pace, TrainingReport, TrainingRun, train_resumably};

use crate::training_folder::TrainingFolder;

/// How a run is trained and published.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PublicationOptions {
    /// Make the version champion even if there is one.
    pub(crate) promote: bool,
    /// Begin anew even if the same run was interrupted and could go on.
    pub(crate) restart: bool,
    /// How often a checkpoint is written.
    pub(crate) pace: Pace,
}

/// A trained model in the registry.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Publication {
    /// The model.
    pub(crate) model: ModelName,
    /// Its new version.
    pub(crate) version: Version,
    /// The part that the version plays from now on.
    pub(crate) alias: Alias,
    /// How far the back ends are from the trainer.
    pub(crate) parity: ParityReport,
    /// What was learned from what.
    pub(crate) report: TrainingReport,
}

/// Trains, and publishes what agrees with the trainer in every back end. The same run that was interrupted goes on where it was.
///
/// The version becomes champion where there is none, or with `promote`; else it is the challenger. Blocks for as long as
/// training takes.
pub(crate) fn train_and_publish(
    run: &TrainingRun,
    registry: &Registry,
    options: &PublicationOptions,
) -> anyhow::Result<Publication> {
    // Before hours of training rather than after.
    let model: ModelName = run.name.parse()?;
    let folder = TrainingFolder::claim(registry.root(), run, options.restart)?;
    let checkpoints = Checkpoints { path: folder.checkpoint(), pace: options.pace };
    let trained = train_resumably(run, &folder.model(), &checkpoints)?;
    export(&trained.staging)?;
    let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
    let reference = trained.logits(&sample)?;
    let parity = check_parity(&trained.staging, &|_| reference.clone(), &sample)?;
    let version = registry.publish(&model, &trained.staging, draft(run, &trained.report, &parity)?)?;
    let first = registry.current(&model, Alias::Champion)?.is_none();
    let alias = if options.promote || first { Alias::Champion } else { Alias::Challenger };
    registry.promote(&model, version, alias)?;
    folder.finish();
    Ok(Publication { model, version, alias, parity, report: trained.report })
}

fn draft(run: &TrainingRun, report: &TrainingReport, parity: &ParityReport) -> anyhow::Result<ManifestDraft> {
    let json = |value: serde_json::Result<Value>| value.context("the report cannot be written as JSON");
    let mut metrics = Map::new();
    for task in &report.tasks {
        metrics.insert(task.name.clone(), json(serde_json::to_value(&task.test))?);
    }
    metrics.insert("parity".to_owned(), json(serde_json::to_value(parity))?);
    let mut parameters = match json(serde_json::to_value(&run.hyperparameters))? {
        Value::Object(parameters) => parameters,
        _ => Map::new(),
    };
    parameters.insert("seed".to_owned(), run.seed.into());
    parameters.insert("best_epoch".to_owned(), report.best_epoch.into());
    Ok(ManifestDraft {
        base: report.base.clone(),
        data_digest: report.data_digest.clone(),
        parameters,
        metrics,
        parents: Vec::new(),
    })
}
