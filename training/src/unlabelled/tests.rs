//! Runs that are interrupted: all that learn from texts without labels, by the same checks.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::adaptation::tests::adaptation;
use crate::checkpoint::{Checkpoints, Pace};
use crate::engine::samples;
use crate::language_model::{LanguageModelRun, tests::run, train_language_model_resumably};
use crate::{Adaptation, PairTask, RankingRun, TrainingError, adapt_resumably, ranking, train_ranking_resumably};

/// What a run comes to: its weights, and its report but for its times.
type Outcome = Result<(Vec<u8>, Value), TrainingError>;

/// A run of this seed, in a directory, with a checkpoint after every so many steps.
type Run<'a> = &'a dyn Fn(u64, &Path, usize) -> Outcome;

fn checkpoints(directory: &Path, steps: usize) -> Checkpoints {
    Checkpoints { path: directory.join("checkpoint"), pace: Pace::Steps(NonZeroUsize::new(steps).unwrap()) }
}

fn outcome(out: PathBuf, report: Value) -> Outcome {
    let mut report = report;
    let times = ["seconds", "texts_per_second", "tokens_per_second", "pairs_per_second"];
    report.as_object_mut().unwrap().retain(|name, _| !times.contains(&name.as_str()));
    Ok((fs::read(out.join("model.safetensors")).unwrap(), report))
}

/// A run of 3 epochs of `steps` steps.
fn check(run: Run<'_>, steps: usize) {
    let directory = tempfile::tempdir().unwrap();
    let (directory, path) = (directory.path(), directory.path().join("checkpoint"));
    let undisturbed = run(3, directory, 1000).unwrap();
    assert!(!path.exists() && undisturbed.1["measured"].as_array().unwrap().len() == 4, "{}", undisturbed.1);
    // The last checkpoint of each first run: within the second epoch, at its end, within the third, after the last step.
    for every in [2 * steps - 1, 2 * steps, 2 * steps + 1, 3 * steps] {
        assert_eq!(run(3, directory, every).unwrap(), undisturbed, "checkpoints change nothing");
        let written = fs::read(&path).unwrap();
        assert_eq!(run(3, directory, 1000).unwrap(), undisturbed, "from step {every}");
        assert!(fs::read(&path).unwrap() == written, "the run began anew");
        fs::remove_file(&path).unwrap();
    }

    run(3, directory, 2 * steps - 1).unwrap();
    let whole = fs::read(&path).unwrap();
    let error = run(4, directory, 1000).err().unwrap();
    let TrainingError::AnotherRunsCheckpoint { differing, .. } = &error else { panic!("{error}") };
    assert_eq!(differing, &["seed"]);
    for damaged in [&whole[..whole.len() / 2], &[&whole[..whole.len() - 70], &[0; 70]].concat()] {
        fs::write(&path, damaged).unwrap();
        let error = run(3, directory, 1000).err().unwrap().to_string();
        assert!(error.contains("does not have its digest") && error.contains("delete it"), "{error}");
        assert!(fs::read(&path).unwrap() == damaged, "the evidence is gone");
    }

    // A device on which every byte is one too many takes the place of the file that is written beside the checkpoint.
    fs::write(&path, &whole).unwrap();
    std::os::unix::fs::symlink("/dev/full", directory.join("checkpoint.partial")).unwrap();
    assert_eq!(run(3, directory, 3 * steps).unwrap(), undisturbed);
    assert!(fs::read(&path).unwrap() == whole, "the old checkpoint is changed");
}

fn adapted(adaptation: &Adaptation, seed: u64, directory: &Path, every: usize) -> Outcome {
    let mut adaptation = Adaptation { seed, ..adaptation.clone() };
    adaptation.settings.epochs = 3;
    let out = directory.join("adapted");
    let report = adapt_resumably(&adaptation, &out, &checkpoints(directory, every))?;
    outcome(out, serde_json::to_value(report).unwrap())
}

#[test]
fn an_adaptation_goes_on_from_any_step_as_if_nothing_had_happened() {
    let directory = tempfile::tempdir().unwrap();
    let mut adaptation = adaptation(directory.path(), 110);
    // 108 texts in steps of 16.
    check(&|seed, directory, every| adapted(&adaptation, seed, directory, every), 7);

    let texts: Vec<String> = (0..240).map(|row| format!("{row:b}").replace('0', "and ").replace('1', "the ")).collect();
    fs::write(&adaptation.data[0].path, format!("text\n{}\n", texts.join("\n"))).unwrap();
    adaptation.settings.pairs = Some(PairTask::Next);
    // 118 pairs.
    check(&|seed, directory, every| adapted(&adaptation, seed, directory, every), 8);
}

#[test]
fn a_language_models_training_goes_on_from_any_step_as_if_nothing_had_happened() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 110);
    (run.settings.epochs, run.settings.dropout, run.settings.batch_size) = (3, 0.2, 16);
    // 108 texts, each of one stretch, in steps of 16.
    run.settings.context = 128;
    let trained = |seed, directory: &Path, every| {
        let (run, out) = (LanguageModelRun { seed, ..run.clone() }, directory.join("model"));
        let report = train_language_model_resumably(&run, &out, &checkpoints(directory, every))?;
        outcome(out, serde_json::to_value(report).unwrap())
    };
    check(&trained, 7);
}

#[test]
fn a_ranking_goes_on_from_any_step_as_if_nothing_had_happened() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = ranking::tests::run(directory.path());
    (run.settings.epochs, run.settings.dropout) = (3, 0.2);
    let trained = |seed, directory: &Path, every| {
        let (run, out) = (RankingRun { seed, ..run.clone() }, directory.join("ranked"));
        let report = train_ranking_resumably(&run, &out, &checkpoints(directory, every))?;
        outcome(out, serde_json::to_value(report).unwrap())
    };
    let (_, report) = trained(3, directory.path(), 1000).unwrap();
    let pairs = report["pairs"].as_u64().unwrap() as usize;
    check(&trained, pairs.div_ceil(run.settings.batch_size));
}

#[test]
fn the_best_epochs_weights_are_kept_over_an_interruption() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 150);
    // Far too high a rate: an early epoch stays the best.
    (run.settings.epochs, run.settings.patience, run.settings.learning_rate) = (60, 1, Some(0.3));
    // All texts in a step.
    (run.settings.batch_size, run.settings.warmup) = (150, 0.0);
    let trained = |every| {
        let out = directory.path().join("model");
        let report = train_language_model_resumably(&run, &out, &checkpoints(directory.path(), every)).unwrap();
        let best = report.best_epoch;
        assert!(best + 2 == report.measured.len() && best < 59, "{report}");
        (best, outcome(out, serde_json::to_value(report).unwrap()).unwrap())
    };
    let (best, undisturbed) = trained(1000);
    // The last checkpoint is of the step after the best epoch.
    assert_eq!(trained(best + 1), (best, undisturbed.clone()));
    assert!(directory.path().join("checkpoint").exists());
    assert_eq!(trained(1000), (best, undisturbed));
}

#[test]
fn a_loss_that_stops_being_a_number_leaves_the_last_good_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let adaptation = adaptation(directory.path(), 110);
    // The base is broken for the last place of a text, and one text goes so far.
    let model = samples::classifier();
    let mut weights = model.snapshot();
    let last = weights[1].len() - 1;
    weights[1][last] = f32::NAN;
    model.restore(weights);
    model.save(&adaptation.base.as_ref().unwrap().join("model.safetensors")).unwrap();
    let texts = fs::read_to_string(&adaptation.data[0].path).unwrap();
    fs::write(&adaptation.data[0].path, format!("{texts}{}\n", "rain ".repeat(60))).unwrap();
    let diverged = || match adapted(&adaptation, 3, directory.path(), 1).err().unwrap() {
        TrainingError::Diverged { step, checkpoint, .. } => (step, checkpoint.unwrap().1),
        error => panic!("{error}"),
    };
    let (step, kept) = diverged();
    assert_eq!(kept, step - 1);
    // It is good: the run goes on from it, to the same end.
    assert_eq!(diverged(), (step, kept));
    assert!(!directory.path().join("adapted").exists());
}
