//! From a training run to a version in the registry: train, export, prove, publish, promote. Shared by `train`, `demo` and
//! the commands that publish what they make of a version.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use registry::{Alias, Manifest, ManifestDraft, ModelName, Registry, Version};
use serde::Serialize;
use serde_json::{Map, Value};
use training::export::{ParityReport, check_parity, export};
use training::{Checkpoints, EvaluationReport, Pace, Remote, TrainingReport, TrainingRun, Watcher, train_resumably};

use crate::training_folder::TrainingFolder;

/// How a run is trained and published.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PublicationOptions {
    /// Make the version champion even if there is one.
    pub(crate) promote: bool,
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

/// Where a model keeps the rows that were fetched for it.
const ROWS: &str = "data";

/// Trains in the run's folder, and publishes what agrees with the trainer in every back end. The same run that was interrupted goes
/// on where it was.
///
/// The version becomes champion where there is none, or with `promote`; else it is the challenger. Blocks for as long as
/// training takes.
pub(crate) fn train_and_publish(
    run: &TrainingRun,
    folder: TrainingFolder,
    registry: &Registry,
    options: &PublicationOptions,
    watcher: Option<Watcher<'_>>,
) -> anyhow::Result<Publication> {
    let model: ModelName = run.name.parse()?;
    let checkpoints = Checkpoints { path: folder.checkpoint(), pace: options.pace };
    let trained = train_resumably(run, &folder.model(), &checkpoints, watcher)?;
    export(&trained.staging)?;
    let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
    let reference = trained.logits(&sample)?;
    let parity = check_parity(&trained.staging, &|_| reference.clone(), &sample)?;
    let mut draft = draft(run, &trained.report, &parity)?;
    draft.parameters.extend(keep_rows(run, &trained.staging)?);
    let version = registry.publish(&model, &trained.staging, draft)?;
    let alias = give_part(registry, &model, version, options.promote)?;
    folder.finish();
    Ok(Publication { model, version, alias, parity, report: trained.report })
}

/// Puts the rows of queries and topics beside the model that has learned from them; answers what each file is the answer to.
fn keep_rows(run: &TrainingRun, model: &Path) -> anyhow::Result<Map<String, Value>> {
    let mut kept = Map::new();
    for source in run.clone().sources_mut() {
        let (Some(Remote::Query(text) | Remote::Topic(text)), Some(file)) = (source.remote(), &source.fetched) else {
            continue;
        };
        let name = Path::new(ROWS).join(file.file_name().unwrap_or_default());
        fs::create_dir_all(model.join(ROWS))
            .and_then(|()| fs::copy(file, model.join(&name)))
            .with_context(|| format!("cannot keep {} with the model", file.display()))?;
        kept.insert(name.to_string_lossy().into_owned(), text.into());
    }
    Ok(kept)
}

/// What a manifest says of a version that was made of another one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Derivation {
    parameters: Map<String, Value>,
    metrics: Map<String, Value>,
}

impl Derivation {
    /// How it was made, under a parameter's name; the card of that, under a metric's name; and a head's own figures, if some were
    /// measured.
    pub(crate) fn new(
        parameter: &str,
        value: Value,
        metric: &str,
        card: &impl Serialize,
        report: Option<&EvaluationReport>,
    ) -> anyhow::Result<Self> {
        let json = |value: serde_json::Result<Value>| value.context("the card cannot be written as JSON");
        let mut metrics = Map::from_iter([(metric.to_owned(), json(serde_json::to_value(card))?)]);
        if let Some(report) = report {
            metrics.insert(report.head.clone(), json(serde_json::to_value(report))?);
        }
        Ok(Self { parameters: Map::from_iter([(parameter.to_owned(), value)]), metrics })
    }
}

/// Publishes what was made of a version as the next one of its model, by the same rule.
pub(crate) fn publish_derived(
    registry: &Registry,
    parent: &Manifest,
    folder: &Path,
    derivation: Derivation,
    promote: bool,
) -> anyhow::Result<(Version, Alias)> {
    let mut draft = ManifestDraft { parents: vec![parent.reference().to_string()], ..parent.draft.clone() };
    draft.parameters.extend(derivation.parameters);
    // The parent's figures are not this version's: it has those that were measured.
    draft.metrics = derivation.metrics;
    let version = registry.publish(&parent.model, folder, draft)?;
    Ok((version, give_part(registry, &parent.model, version, promote)?))
}

fn give_part(registry: &Registry, model: &ModelName, version: Version, promote: bool) -> anyhow::Result<Alias> {
    let first = registry.current(model, Alias::Champion)?.is_none();
    let alias = if promote || first { Alias::Champion } else { Alias::Challenger };
    registry.promote(model, version, alias)?;
    Ok(alias)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn derivation() -> Derivation {
        let labels = ["down", "up"].map(str::to_owned);
        let report = EvaluationReport::from_pairs("mood", &labels, [(0, 0), (1, 0)]);
        let card = serde_json::json!({ "bytes": 25 });
        Derivation::new("precision", "int8".into(), "export", &card, Some(&report)).unwrap()
    }

    #[test]
    fn a_version_made_of_another_names_its_parent_and_has_its_own_figures() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path().join("models"));
        let model: ModelName = "news".parse().unwrap();
        let staging = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("model.onnx"), name).unwrap();
            path
        };
        let metrics = Map::from_iter([("mood".to_owned(), serde_json::json!({ "accuracy": 1.0 }))]);
        let draft = ManifestDraft { base: "tiny".to_owned(), metrics, ..ManifestDraft::default() };
        let first = registry.publish(&model, &staging("full"), draft).unwrap();
        registry.promote(&model, first, Alias::Champion).unwrap();
        let parent = registry.resolve("news@1").unwrap().manifest;

        let publish =
            |name: &str, promote| publish_derived(&registry, &parent, &staging(name), derivation(), promote).unwrap();
        let (second, alias) = publish("small", false);
        assert_eq!((alias, registry.current(&model, Alias::Challenger).unwrap()), (Alias::Challenger, Some(second)));
        let draft = registry.resolve("news@challenger").unwrap().manifest.draft;
        assert_eq!((draft.base.as_str(), &*draft.parents), ("tiny", &["news@1".to_owned()][..]));
        assert_eq!(draft.parameters["precision"], "int8");
        assert_eq!((&draft.metrics["mood"]["accuracy"], &draft.metrics["export"]["bytes"]), (&0.5.into(), &25.into()));
        assert_eq!(publish("smaller", true).1, Alias::Champion);
    }
}
