//! Runs that go on from a fine-tuned model.

use super::distillation::{changed, one_task, right};
use super::interruption::{finish, refusal};
use super::*;
use crate::continual::Continual;

/// The model of a run, in a directory of its own.
fn base_of(run: &TrainingRun, directory: &Path) -> PathBuf {
    train(run, &directory.join("old")).unwrap().staging
}

fn going_on(run: &TrainingRun, base: PathBuf, continual: Continual) -> TrainingRun {
    TrainingRun { base: Some(base), seed: 8, continual: Some(continual), ..run.clone() }
}

fn wrong(label: &str) -> &'static str {
    if label == "up" { "down" } else { "up" }
}

#[test]
fn heads_go_on_label_by_label() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    run.hyperparameters = Hyperparameters { epochs: 12, r_drop: 0.0, ..run.hyperparameters };
    let base = base_of(&run, directory.path());
    // The second head alone, with a new label before its own, and too small a rate to learn anything.
    run.tasks.remove(0);
    let path = &run.tasks[0].data[0].path;
    let rows = std::fs::read_to_string(path).unwrap();
    let new: String =
        WORDS[4..].iter().flat_map(|a| WORDS[4..].iter().map(move |b| format!("{a} {b},cloud\n"))).collect();
    std::fs::write(path, rows + &new).unwrap();
    run.hyperparameters = Hyperparameters { epochs: 1, learning_rate: 1e-12, ..run.hyperparameters };
    let report = |run: &TrainingRun| train(run, &directory.path().join("staging")).unwrap().report.tasks.remove(0);
    let task = report(&going_on(&run, base.clone(), Continual::default()));
    assert_eq!(task.labels, ["cloud", "rain", "sun"]);
    let recalls = |report: &HeadReport| match report {
        HeadReport::SingleLabel(report) => report.labels.iter().skip(1).map(|label| label.recall).collect::<Vec<_>>(),
        other => panic!("{other}"),
    };
    assert!(recalls(&task.test).iter().all(|recall| *recall > 0.9), "{}", task.test);
    let anew = report(&TrainingRun { base: Some(base), ..run });
    assert!(recalls(&anew.test).iter().any(|recall| *recall < 0.6), "{}", anew.test);
}

#[test]
fn an_old_task_is_forgotten_less_where_weights_are_held() {
    let directory = tempfile::tempdir().unwrap();
    let run = one_task(directory.path());
    let base = base_of(&run, directory.path());
    let old = run.tasks[0].data.clone();
    let mut new = run.clone();
    let flipped = |text: &str, label: &str| format!("the {text},{}\n", wrong(label));
    new.tasks[0].data = vec![changed(&run, directory.path(), flipped)];
    let kept = |continual| right(&going_on(&new, base.clone(), continual), directory.path());
    let forgetful = kept(Continual::default());
    let held = kept(Continual { old: old.clone(), ewc: 1e6, ewc_rows: 200, ..Continual::default() });
    let reminded = kept(Continual { old, replay: 0.7, ..Continual::default() });
    assert!(forgetful < 0.3, "{forgetful}");
    assert!(held > forgetful + 0.3 && reminded > forgetful + 0.3, "{forgetful} {held} {reminded}");
}

#[test]
fn a_run_that_goes_on_can_be_interrupted_itself() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = one_task(directory.path());
    run.hyperparameters.epochs = 2;
    let base = base_of(&run, directory.path());
    let old = vec![changed(&run, directory.path(), |text, label| format!("the {text},{label}\n"))];
    let continual = Continual { old: old.clone(), replay: 0.2, ewc: 10.0, ewc_rows: 20, ..Continual::default() };
    let new = going_on(&run, base, continual);
    let undisturbed = finish(&new, directory.path(), 1000).unwrap();
    assert_eq!(finish(&new, directory.path(), 23).unwrap(), undisturbed);
    assert_eq!(finish(&new, directory.path(), 1000).unwrap(), undisturbed);
    let check = |run: &TrainingRun, expected: &str| {
        let error = refusal(run, directory.path());
        let TrainingError::AnotherRunsCheckpoint { differing, .. } = &error else { panic!("{error}") };
        assert_eq!(differing, &[expected]);
    };
    let mut other = new.clone();
    other.continual.as_mut().unwrap().ewc = 11.0;
    check(&other, "ewc");
    std::fs::write(&old[0].path, "text,label\nup and up again,up\n").unwrap();
    check(&new, "old");
}

#[test]
fn what_cannot_be_gone_on_from_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = one_task(directory.path());
    run.hyperparameters.epochs = 1;
    let base = base_of(&run, directory.path());
    let check = |run: &TrainingRun, base: &Path, continual: Continual, expected: &str| {
        let new = going_on(run, base.to_owned(), continual);
        let message = train(&new, &directory.path().join("staging")).err().unwrap().to_string();
        assert!(message.contains(expected), "{message}");
    };
    check(&run, run.base.as_ref().unwrap(), Continual::default(), "not a fine-tuned model");
    let replay = |old: Vec<DataSource>| Continual { old, replay: 0.2, ..Continual::default() };
    check(&run, &base, replay(run.tasks[0].data.clone()), "is left to learn from");
    let strange = changed(&run, directory.path(), |text, _| format!("the {text},sideways\n"));
    check(&run, &base, replay(vec![strange]), "changed.csv:2: unknown label \"sideways\"");
    let mut other = run.clone();
    other.tasks[0].name = "mood".to_owned();
    check(&other, &base, Continual::default(), "none of its heads [\"tone\"]");
}
