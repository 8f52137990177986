use std::num::NonZeroUsize;

use super::*;
use crate::engine::samples;
use crate::trainer::tests;

/// One head, some seconds.
fn small(directory: &Path, epochs: usize) -> TrainingRun {
    let mut run = tests::run(directory);
    run.tasks.truncate(1);
    run.hyperparameters.epochs = epochs;
    run
}

fn plan(text: &str) -> SearchPlan {
    toml::from_str(text).unwrap()
}

const RATES: &str = "trials = 4\n[space]\nlearning_rate = { from = 1e-4, to = 5e-3, scale = \"log\" }\n";

#[test]
fn trials_that_are_over_are_not_trained_again() {
    let directory = tempfile::tempdir().unwrap();
    let (run, folder) = (small(directory.path(), 2), directory.path().join("search"));
    let first = search(&run, &SearchPlan { trials: 2, ..plan(RATES) }, &folder).unwrap();
    assert_eq!(first.trials.len(), 2);
    let ledger = std::fs::read_to_string(folder.join("trials.ndjson")).unwrap();
    assert_eq!(ledger.lines().count(), 2);
    // Times alone are changed: a trial that is trained again would have one of its own.
    let marked = ledger.lines().map(|line| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["seconds"] = 12345.0.into();
        format!("{line}\n")
    });
    std::fs::write(folder.join("trials.ndjson"), marked.collect::<String>()).unwrap();
    let more = SearchPlan { trials: 3, ..plan(RATES) };
    let second = search(&run, &more, &folder).unwrap();
    let taken = second.trials.iter().filter(|trial| trial.seconds == 12345.0).count();
    assert_eq!((second.trials.len(), taken), (3, 2));
    let other = TrainingRun { seed: 5, ..run };
    let third = search(&other, &SearchPlan { trials: 1, ..more }, &folder).unwrap();
    assert!(third.trials[0].seconds < 12345.0, "a trial of another seed is another trial");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "the ledger and the lock: checkpoints are gone");
}

#[test]
fn halving_takes_the_best_to_the_longest_rung() {
    let directory = tempfile::tempdir().unwrap();
    let run = small(directory.path(), 4);
    let plan = plan("trials = 4\nhalving = { reduction = 2, shortest = 1 }\n[space]\nlearning_rate = [1e-7, 5e-3]\n");
    let report = search(&run, &plan, &directory.path().join("search")).unwrap();
    assert_eq!(report.rungs, [1, 2, 4]);
    let reached = |rung| report.trials.iter().filter(|trial| trial.rung >= Some(rung)).count();
    assert_eq!([reached(0), reached(1), reached(2)], [4, 2, 1]);
    let rate = |trial: &Trial| trial.settings["learning_rate"].as_float().unwrap();
    assert!(report.trials.iter().any(|trial| rate(trial) == 1e-7), "both rates are drawn");
    assert_eq!(rate(report.best().unwrap()), 5e-3, "{report}");
}

#[test]
fn trials_that_diverge_have_failed_and_the_search_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let run = small(directory.path(), 2);
    let model = samples::classifier();
    let mut weights = model.snapshot();
    weights[3][0] = f32::NAN;
    model.restore(weights);
    model.save(&run.base.as_ref().unwrap().join("model.safetensors")).unwrap();
    let report = search(&run, &SearchPlan { trials: 2, ..plan(RATES) }, &directory.path().join("search")).unwrap();
    assert_eq!(report.best(), None);
    assert_eq!(report.to_string().matches("failed").count(), 2, "{report}");
}

#[test]
fn what_would_be_refused_is_told_before_the_first_trial() {
    let directory = tempfile::tempdir().unwrap();
    let run = small(directory.path(), 2);
    let refused = |text: &str, expected: &str| {
        let error = search(&run, &plan(text), &directory.path().join("search")).unwrap_err().to_string();
        assert!(error.contains(expected), "{text} gave {error}");
        assert!(!directory.path().join("search/trials.ndjson").exists());
    };
    refused("trials = 1\n[space]\ncolour = [1]\n", "colour");
    refused("trials = 1\n[space]\nlearning_rate = [2.0]\n", "hyperparameters.learning_rate");
    refused("trials = 0\n[space]\nlearning_rate = [1e-4]\n", "trials");
    refused("trials = 1\n[space]\n", "space");
    refused("trials = 1\n[space]\nbatch_size = []\n", "space.batch_size");
    refused("trials = 2\nhalving = {}\n[space]\nepochs = [1, 2]\n", "space.epochs");
    refused("trials = 2\nhalving = { reduction = 1 }\n[space]\nbatch_size = [1, 2]\n", "reduction");
}

#[test]
fn a_folder_is_one_searchs_alone() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("search");
    let held = Ledger::open(&folder, "one".to_owned()).unwrap();
    let error = Ledger::open(&folder, "one".to_owned()).unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(held);
    std::fs::write(folder.join("trials.ndjson"), "{}\n").unwrap();
    let error = Ledger::open(&folder, "one".to_owned()).unwrap_err().to_string();
    assert!(error.contains("trials.ndjson:1"), "{error}");
}

#[test]
fn an_interrupted_trial_goes_on_from_its_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let (run, folder) = (small(directory.path(), 2), directory.path().join("search"));
    let plan = SearchPlan { trials: 1, ..plan(RATES) };
    let undisturbed = search(&run, &plan, &directory.path().join("undisturbed")).unwrap();

    let base = run.base.clone().unwrap();
    let data = TaskData::load(&run.tasks, run.split_seed()).unwrap();
    let bench = Bench { run: &run, base: &base, data: &data, pace: Pace::Steps(NonZeroUsize::new(20).unwrap()) };
    let ledger = Ledger::open(&folder, bench.identity().unwrap()).unwrap();
    let trial = Trial::new((0, plan.draw(0)));
    let hyperparameters = trial.hyperparameters(&run).unwrap();
    // What a process leaves that is killed after its last checkpoint and before it writes the trial down.
    bench.run(&trial, &hyperparameters, &ledger).unwrap();
    let checkpoint = ledger.checkpoint(&hyperparameters);
    drop(ledger);
    let whole = std::fs::read(&checkpoint).unwrap();
    std::fs::write(&checkpoint, &whole[..whole.len() / 2]).unwrap();
    let error = search(&run, &plan, &folder).unwrap_err().to_string();
    assert!(error.contains("checkpoint"), "the checkpoint is what it goes on from: {error}");
    std::fs::write(&checkpoint, &whole).unwrap();
    let resumed = search(&run, &plan, &folder).unwrap();
    assert_eq!(resumed.trials[0].score, undisturbed.trials[0].score);
    assert!(!checkpoint.exists());
}
