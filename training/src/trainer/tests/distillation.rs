//! Pupils and their teachers.

use super::interruption::{finish, refusal};
use super::*;
use crate::distillation::{Distillation, Unlabelled};

/// A run of one task on its own file.
pub(super) fn one_task(directory: &Path) -> TrainingRun {
    let mut run = run(directory);
    run.tasks.truncate(1);
    run.hyperparameters = Hyperparameters { epochs: 12, r_drop: 0.0, ..run.hyperparameters };
    run
}

fn teacher(run: &TrainingRun, directory: &Path, name: &str, seed: u64) -> PathBuf {
    let run = TrainingRun { seed, split_seed: Some(run.seed), distillation: None, ..run.clone() };
    train(&run, &directory.join(name)).unwrap().staging
}

fn taught(run: &TrainingRun, distillation: Distillation) -> TrainingRun {
    TrainingRun { split_seed: Some(run.seed), distillation: Some(distillation), ..run.clone() }
}

fn write(directory: &Path, name: &str, lines: impl IntoIterator<Item = String>) -> DataSource {
    let path = directory.join(name);
    std::fs::write(&path, lines.into_iter().collect::<String>()).unwrap();
    DataSource::new(path)
}

/// The task's file with `change` done to the fields of each line.
pub(super) fn changed(run: &TrainingRun, directory: &Path, change: impl Fn(&str, &str) -> String) -> DataSource {
    let lines = std::fs::read_to_string(&run.tasks[0].data[0].path).unwrap();
    let rows = lines.lines().skip(1).filter_map(|line| line.split_once(',')).map(|(text, label)| change(text, label));
    write(directory, "changed.csv", std::iter::once("text,label\n".to_owned()).chain(rows))
}

/// The share of texts that say "up" or "down" and are called so.
pub(super) fn right(run: &TrainingRun, directory: &Path) -> f64 {
    let trained = train(run, &directory.join("staging")).unwrap();
    let texts = ["up", "down"].iter().flat_map(|word| {
        WORDS[4..].iter().flat_map(move |a| WORDS[4..].iter().map(move |b| (format!("{a} {word} {b}"), *word)))
    });
    let texts: Vec<(String, &str)> = texts.collect();
    let logits = trained.logits(&texts.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>()).unwrap();
    // Columns: down, up.
    let hits = logits.outer_iter().zip(&texts).filter(|(row, (_, word))| (row[1] > row[0]) == (*word == "up"));
    hits.count() as f64 / texts.len() as f64
}

#[test]
fn a_pupil_follows_its_teachers_more_than_labels() {
    let directory = tempfile::tempdir().unwrap();
    let run = one_task(directory.path());
    let teachers = [5, 6].map(|seed| teacher(&run, directory.path(), &format!("teacher {seed}"), seed)).to_vec();
    let mut pupil = taught(&run, Distillation { teachers, weight: 1.0, other_data: true, ..Distillation::default() });
    let wrong = |label: &str| if label == "up" { "down" } else { "up" };
    pupil.tasks[0].data = vec![changed(&run, directory.path(), |text, label| format!("{text},{}\n", wrong(label)))];
    // The last epoch is kept, not the one that is best on wrong labels.
    let follows = right(&pupil, directory.path());
    pupil.distillation = None;
    let learns = right(&pupil, directory.path());
    assert!(follows > 0.9 && learns < 0.1, "{follows} {learns}");
}

#[test]
fn texts_without_labels_teach_what_labels_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let run = one_task(directory.path());
    let teachers = vec![teacher(&run, directory.path(), "teacher", 5)];
    let texts = |text: &str, _: &str| format!("again and {text},\n");
    let mut data = changed(&run, directory.path(), texts);
    std::fs::rename(&data.path, directory.path().join("texts.csv")).unwrap();
    data.path = directory.path().join("texts.csv");
    let unlabelled = Unlabelled { data: vec![data], share: 0.8, most: 250, ..Unlabelled::default() };
    let distillation = Distillation {
        teachers,
        weight: 0.0,
        other_data: true,
        unlabelled: Some(unlabelled.clone()),
        ..Distillation::default()
    };
    let mut pupil = taught(&run, distillation.clone());
    // Labelled rows without the words that count.
    let noise = |text: &str, label: &str| format!("{},{label}\n", text.replace("up", "the").replace("down", "the"));
    pupil.tasks[0].data = vec![changed(&run, directory.path(), noise)];
    let soft = right(&pupil, directory.path());
    let hard = Unlabelled { hard_above: Some(0.6), ..unlabelled };
    pupil.distillation = Some(Distillation { unlabelled: Some(hard), ..distillation });
    let hard = right(&pupil, directory.path());
    pupil.distillation = None;
    let alone = right(&pupil, directory.path());
    assert!(soft > 0.85 && hard > 0.85 && alone < 0.65, "{soft} {hard} {alone}");
}

#[test]
fn no_text_of_a_side_is_learned_without_its_label() {
    let directory = tempfile::tempdir().unwrap();
    let run = one_task(directory.path());
    let data = TaskData::load(&run.tasks, run.seed).unwrap();
    let apart = |lines: Vec<String>| {
        let source = write(directory.path(), "texts.csv", std::iter::once("text\n".to_owned()).chain(lines));
        let mut cleaning = Default::default();
        let rows = crate::dataset::read_unlabelled(&[source], run.tasks[0].cleaning, &data, &mut cleaning).unwrap();
        (rows.into_iter().map(|row| row.text).collect::<Vec<_>>(), cleaning)
    };
    let line = |text: &str| format!("{text}\n");
    let sides = [&data[0].test[0], &data[0].validation[0], &data[0].train[0]];
    let mut lines: Vec<String> = sides.iter().map(|example| line(&example.text.to_uppercase())).collect();
    lines.extend(["a new text", "A new  text", "another"].map(line));
    let (texts, cleaning) = apart(lines);
    assert_eq!(texts, ["a new text", "another"]);
    assert_eq!((cleaning.repeats_of_held_out, cleaning.duplicates), (3, 1));

    // The run's own file leaves nothing to learn from.
    let staging = directory.path().join("staging");
    let teachers = vec![teacher(&run, directory.path(), "teacher", 5)];
    let unlabelled = Some(Unlabelled { data: run.tasks[0].data.clone(), ..Unlabelled::default() });
    let pupil = taught(&run, Distillation { teachers, unlabelled, ..Distillation::default() });
    let message = train(&pupil, &staging).err().unwrap().to_string();
    assert!(message.contains("up.csv is left to learn from"), "{message}");
}

#[test]
fn teachers_of_something_else_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let run = one_task(directory.path());
    let mut quick = run.clone();
    quick.hyperparameters.epochs = 1;
    let staging = directory.path().join("staging");
    let good = teacher(&quick, directory.path(), "teacher", 5);
    let check = |run: &TrainingRun, teacher: &Path, expected: &str| {
        let teachers = vec![teacher.to_owned()];
        let pupil = TrainingRun { distillation: Some(Distillation { teachers, ..Default::default() }), ..run.clone() };
        let message = train(&pupil, &staging).err().unwrap().to_string();
        assert!(message.contains(expected) && message.contains(teacher.to_str().unwrap()), "{message}");
    };
    check(&TrainingRun { split_seed: Some(9), ..run.clone() }, &good, "other rows or another split");
    check(&run, run.base.as_ref().unwrap(), "not a fine-tuned model");
    check(&run, &directory.path().join("missing"), "cannot read");

    let mut other = run.clone();
    let label = |label: &str| if label == "up" { "UP".to_owned() } else { label.to_owned() };
    other.tasks[0].data = vec![changed(&run, directory.path(), |text, own| format!("{text},{}\n", label(own)))];
    check(&other, &good, "labels must be the task's");
    let mut other = TrainingRun { tasks: super::run(&sub(directory.path())).tasks, ..run.clone() };
    other.tasks.iter_mut().for_each(|task| task.name.push('s'));
    check(&other, &good, "teach none of the tasks");

    // Order does not matter, nor does the only head's name.
    other = run.clone();
    other.tasks[0].name = "mood".to_owned();
    other.hyperparameters.epochs = 1;
    other.distillation = Some(Distillation { teachers: vec![good.clone()], ..Default::default() });
    train(&other, &staging).unwrap();

    let request =
        CrossValidationRequest { run: &other, folds: 2, only: &[], from: &[], slices: &[], out_of_fold: None };
    let message = cross_validate(&request).err().unwrap().to_string();
    assert!(message.contains("has seen the rows of every fold"), "{message}");
}

#[test]
fn teachers_of_the_runs_own_making_teach_fold_by_fold() {
    let directory = tempfile::tempdir().unwrap();
    let run = one_task(directory.path());
    let distillation = Distillation { seeds: vec![5, 6], weight: 1.0, ..Default::default() };
    let pupil = TrainingRun { distillation: Some(distillation), ..run.clone() };
    let judged = |run: &TrainingRun| {
        let request = CrossValidationRequest { run, folds: 2, only: &[], from: &[], slices: &[], out_of_fold: None };
        cross_validate(&request).unwrap().tasks.remove(0).accuracy.mean
    };
    assert!(judged(&pupil) > 0.65, "{}", judged(&pupil));

    // They say what models of their seeds say.
    let dirs = [5, 6].map(|seed| teacher(&run, directory.path(), &format!("teacher {seed}"), seed)).to_vec();
    let weights = |run: &TrainingRun| {
        let staging = train(run, &directory.path().join("staging")).unwrap().staging;
        std::fs::read(staging.join("model.safetensors")).unwrap()
    };
    let taught = taught(&run, Distillation { teachers: dirs, weight: 1.0, ..Default::default() });
    assert!(weights(&taught) == weights(&pupil));
}

fn sub(directory: &Path) -> PathBuf {
    let sub = directory.join("sub");
    std::fs::create_dir(&sub).unwrap();
    sub
}

#[test]
fn a_taught_run_goes_on_from_a_checkpoint_and_knows_its_teachers() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = one_task(directory.path());
    run.hyperparameters = Hyperparameters { epochs: 2, r_drop: 1.0, dropout: 0.2, mixup: 0.2, ..run.hyperparameters };
    let teachers = vec![teacher(&run, directory.path(), "teacher", 5)];
    let data = write(
        directory.path(),
        "texts.csv",
        ["text\n", "up again and again\n", "the shares down\n"].map(str::to_owned),
    );
    let unlabelled = Some(Unlabelled { data: vec![data.clone()], share: 0.3, ..Unlabelled::default() });
    let pupil = taught(&run, Distillation { teachers: teachers.clone(), unlabelled, ..Distillation::default() });
    let undisturbed = finish(&pupil, directory.path(), 1000).unwrap();
    assert!(!directory.path().join("checkpoint").exists());
    assert_eq!(finish(&pupil, directory.path(), 11).unwrap(), undisturbed);
    assert_eq!(finish(&pupil, directory.path(), 1000).unwrap(), undisturbed);

    let check = |pupil: &TrainingRun, expected: &[&str]| {
        let error = refusal(pupil, directory.path());
        let TrainingError::AnotherRunsCheckpoint { differing, .. } = &error else { panic!("{error}") };
        assert_eq!(differing, expected);
    };
    let mut other = pupil.clone();
    other.distillation.as_mut().unwrap().temperature = 3.0;
    check(&other, &["temperature"]);
    other.distillation.as_mut().unwrap().temperature = 2.0;
    other.distillation.as_mut().unwrap().teachers.push(teacher(&run, directory.path(), "other", 6));
    check(&other, &["teachers"]);
    check(&TrainingRun { distillation: None, ..pupil.clone() }, &["distillation"]);
    std::fs::write(&data.path, "text\nup again\n").unwrap();
    check(&pupil, &["data"]);
}

#[test]
fn states_of_teachers_are_learned_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = one_task(directory.path());
    run.hyperparameters = Hyperparameters { epochs: 4, r_drop: 1.0, mixup: 0.2, ..run.hyperparameters };
    let teachers = [5, 6].map(|seed| teacher(&run, directory.path(), &format!("teacher {seed}"), seed)).to_vec();
    let pupil = taught(&run, Distillation { teachers, weight: 0.0, hidden: 100.0, ..Distillation::default() });
    let undisturbed = finish(&pupil, directory.path(), 11).unwrap();
    assert_eq!(finish(&pupil, directory.path(), 1000).unwrap(), undisturbed);
    // At this weight the loss is all but the distance: the map and the encoder come closer.
    let losses: Vec<f64> =
        undisturbed.1["epochs"].as_array().unwrap().iter().map(|epoch| epoch["loss"].as_f64().unwrap()).collect();
    assert!(losses[3] < 0.5 * losses[0], "{losses:?}");
    // What is saved has no map in it, and is a teacher itself.
    let weights =
        candle_core::safetensors::load(directory.path().join("staging/model.safetensors"), &candle_core::Device::Cpu);
    assert!(weights.unwrap().keys().all(|name| !name.contains("projection")));
}
