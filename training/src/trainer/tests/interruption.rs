//! Runs that are interrupted, and checkpoints that cannot be gone on from.

use std::fs;
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use super::*;
use crate::checkpoint::Pace;
use crate::random::Random;

/// What [`outcome`] leaves out.
const TIMES: [&str; 3] = ["seconds", "samples_per_second", "run_seconds"];
/// Set in a child process: the folder that it works in.
const CHILD: &str = "PULSEWIRE_TEST_TRAINING_DIRECTORY";

/// Three epochs of 36 steps, with everything on that a step may depend on.
fn small(directory: &Path) -> TrainingRun {
    let run = run(directory);
    let hyperparameters = Hyperparameters {
        epochs: 3,
        dropout: 0.2,
        r_drop: 1.0,
        weight_average: 0.9,
        task_temperature: 0.5,
        layer_decay: 0.9,
        ..run.hyperparameters
    };
    TrainingRun { hyperparameters, ..run }
}

fn checkpoints(directory: &Path, steps: usize) -> Checkpoints {
    Checkpoints { path: directory.join("checkpoint"), pace: Pace::Steps(NonZeroUsize::new(steps).unwrap()) }
}

/// The weights' file, and the report but for its times.
fn outcome(staging: &Path) -> (String, Value) {
    fn without_times(value: &mut Value) {
        if let Value::Object(fields) = value {
            fields.retain(|name, _| !TIMES.contains(&name.as_str()));
            fields.values_mut().for_each(without_times);
        }
        value.as_array_mut().into_iter().flatten().for_each(without_times);
    }
    let mut report = serde_json::from_slice(&fs::read(staging.join("report.json")).unwrap()).unwrap();
    without_times(&mut report);
    (foundation::digest::sha256_file(&staging.join("model.safetensors")).unwrap(), report)
}

/// Trains in a staging directory of its own, from the checkpoint if there is one.
pub(super) fn finish(run: &TrainingRun, directory: &Path, every: usize) -> Result<(String, Value), TrainingError> {
    let staging = directory.join("staging");
    train_resumably(run, &staging, &checkpoints(directory, every), None).map(|trained| outcome(&trained.staging))
}

pub(super) fn refusal(run: &TrainingRun, directory: &Path) -> TrainingError {
    finish(run, directory, 1000).err().unwrap()
}

#[test]
fn a_run_goes_on_from_any_step_as_if_nothing_had_happened() {
    let directory = tempfile::tempdir().unwrap();
    let run = small(directory.path());
    let undisturbed = outcome(&train(&run, &directory.path().join("undisturbed")).unwrap().staging);
    assert_eq!(undisturbed.1["epochs"].as_array().unwrap().len(), 3);
    // The last checkpoint of each first run: within the second epoch, at its end, within the third, after the last step.
    for (every, last) in [(55, 55), (36, 108), (72, 72), (73, 73), (100, 100)] {
        assert_eq!(finish(&run, directory.path(), every).unwrap(), undisturbed, "checkpoints change nothing");
        let written = fs::metadata(directory.path().join("checkpoint")).unwrap().modified().unwrap();
        assert_eq!(finish(&run, directory.path(), 1000).unwrap(), undisturbed, "from step {last}");
        let after = fs::metadata(directory.path().join("checkpoint")).unwrap().modified().unwrap();
        assert_eq!(written, after, "the run began anew");
        fs::remove_file(directory.path().join("checkpoint")).unwrap();
    }
}

#[test]
fn a_soup_goes_on_within_its_last_fit() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = small(directory.path());
    (run.hyperparameters.epochs, run.hyperparameters.soup) = (2, 2);
    let undisturbed = outcome(&train(&run, &directory.path().join("undisturbed")).unwrap().staging);
    assert_eq!(undisturbed.1["epochs"].as_array().unwrap().len(), 4);
    // After the second fit's first step, within it, at its last epoch's beginning, and after its last step.
    for last in [73, 100, 108, 144] {
        assert_eq!(finish(&run, directory.path(), last).unwrap(), undisturbed, "checkpoints change nothing");
        assert_eq!(finish(&run, directory.path(), 1000).unwrap(), undisturbed, "from step {last}");
        fs::remove_file(directory.path().join("checkpoint")).unwrap();
    }
}

#[test]
fn a_run_with_an_adapter_goes_on_too() {
    let directory = tempfile::tempdir().unwrap();
    let plain = small(directory.path());
    for kind in adapted::all() {
        let mut run = plain.clone();
        run.hyperparameters.adapter = Some(kind.clone());
        let undisturbed = outcome(&train(&run, &directory.path().join("undisturbed")).unwrap().staging);
        // AdaLoRA's budget falls from step 11 on and has settled after step 76.
        for last in [55, 80] {
            assert_eq!(
                finish(&run, directory.path(), last).unwrap(),
                undisturbed,
                "{kind:?}: checkpoints change nothing"
            );
            assert_eq!(finish(&run, directory.path(), 1000).unwrap(), undisturbed, "{kind:?}: from step {last}");
            fs::remove_file(directory.path().join("checkpoint")).unwrap();
        }
    }
}

#[test]
fn the_best_epochs_weights_are_kept_over_an_interruption() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = small(directory.path());
    // Too small a rate to change any answer: the first epoch stays the best, the third is the last.
    run.hyperparameters = Hyperparameters { epochs: 9, learning_rate: 1e-12, patience: 2, ..run.hyperparameters };
    let undisturbed = finish(&run, directory.path(), 100).unwrap();
    assert_eq!((&undisturbed.1["best_epoch"], undisturbed.1["epochs"].as_array().unwrap().len()), (&json!(1), 3));
    assert_eq!(finish(&run, directory.path(), 1000).unwrap(), undisturbed);
}

#[test]
fn a_full_disk_leaves_the_last_checkpoint_and_training_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let run = small(directory.path());
    let undisturbed = finish(&run, directory.path(), 60).unwrap();
    let checkpoint = directory.path().join("checkpoint");
    let before = fs::read(&checkpoint).unwrap();
    // A device on which every byte is one too many takes the place of the file that is written beside the checkpoint.
    std::os::unix::fs::symlink("/dev/full", directory.path().join("checkpoint.partial")).unwrap();
    assert_eq!(finish(&run, directory.path(), 80).unwrap(), undisturbed);
    assert!(fs::read(&checkpoint).unwrap() == before, "the old checkpoint is changed");
    assert!(!directory.path().join("checkpoint.partial").exists());
    // Once there is room again, checkpoints are written again.
    assert_eq!(finish(&run, directory.path(), 80).unwrap(), undisturbed);
    assert!(fs::read(&checkpoint).unwrap() != before);
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let run = small(directory.path());
    finish(&run, directory.path(), 60).unwrap();
    let path = directory.path().join("checkpoint");
    let whole = fs::read(&path).unwrap();
    let check = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        let message = refusal(&run, directory.path()).to_string();
        for part in [path.to_str().unwrap(), "does not have its digest", "delete it"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(fs::read(&path).unwrap() == content, "the evidence is gone");
    };
    for length in [0, 7, 63, 64, 1000, whole.len() / 2, whole.len() - 64, whole.len() - 1] {
        check(&whole[..length]);
    }
    for place in [0, 9, 500, whole.len() / 2, whole.len() - 65, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[place] ^= 4;
        check(&changed);
    }
    // Whole, but of a release to come.
    let mut newer = whole[..whole.len() - 64].to_vec();
    let version = br#""version":"1""#;
    let at = newer.windows(version.len()).position(|window| window == version).unwrap();
    newer[at + version.len() - 2] = b'7';
    newer.extend(foundation::digest::sha256(&newer).into_bytes());
    fs::write(&path, newer).unwrap();
    let message = refusal(&run, directory.path()).to_string();
    assert!(message.contains("its version is 7"), "{message}");
}

#[test]
fn another_runs_checkpoint_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let run = small(directory.path());
    finish(&run, directory.path(), 60).unwrap();
    let checkpoint = fs::read(directory.path().join("checkpoint")).unwrap();
    let check = |run: &TrainingRun, expected: &[&str]| {
        let error = refusal(run, directory.path());
        let TrainingError::AnotherRunsCheckpoint { path, differing } = &error else { panic!("{error}") };
        assert_eq!(differing, expected);
        assert_eq!(path, &directory.path().join("checkpoint"));
        assert!(error.to_string().contains("delete it"), "{error}");
    };
    let mut other = run.clone();
    (other.hyperparameters.dropout, other.hyperparameters.epochs) = (0.3, 4);
    check(&other, &["epochs", "dropout"]);
    check(&TrainingRun { seed: 8, ..run.clone() }, &["seed", "the data"]);

    let base = run.base.as_ref().unwrap().join("model.safetensors");
    let weights = fs::read(&base).unwrap();
    let mut changed = weights.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&base, changed).unwrap();
    check(&run, &["the base encoder"]);
    fs::write(&base, weights).unwrap();

    let data = &run.tasks[0].data[0].path;
    let rows = fs::read_to_string(data).unwrap();
    fs::write(data, format!("{rows}the sun and the shares,up\n")).unwrap();
    check(&run, &["the data"]);
    fs::write(data, rows).unwrap();

    assert!(fs::read(directory.path().join("checkpoint")).unwrap() == checkpoint);
    finish(&run, directory.path(), 1000).unwrap();
}

#[test]
fn a_loss_that_stops_being_a_number_leaves_the_last_good_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let run = small(directory.path());
    // A text of its own has a word that the base encoder is broken for.
    let data = &run.tasks[0].data[0].path;
    let rows = fs::read_to_string(data).unwrap();
    fs::write(data, format!("{rows}gibberish the shares up today,up\n")).unwrap();
    let model = samples::classifier();
    let mut weights = model.snapshot();
    weights[0][18..36].fill(f32::NAN);
    model.restore(weights);
    model.save(&run.base.as_ref().unwrap().join("model.safetensors")).unwrap();

    let diverged = || match finish(&run, directory.path(), 1).err().unwrap() {
        error @ TrainingError::Diverged { step, checkpoint: Some(_), .. } => (step, error),
        error => panic!("{error}"),
    };
    let (step, error) = diverged();
    assert!(step > 1 && !directory.path().join("staging").exists());
    let path = directory.path().join("checkpoint");
    let expected = format!("of step {}, is {}", step - 1, path.display());
    assert!(error.to_string().contains(&expected), "{error}");
    let kept = fs::read(&path).unwrap();
    // It is good: the run goes on from it, to the same end.
    assert_eq!(diverged().0, step);
    assert!(fs::read(&path).unwrap() == kept);
}

/// What a child process runs. In the test run itself it holds that a folder that is not there stops nothing.
#[test]
fn training_process() {
    if let Some(directory) = std::env::var_os(CHILD).map(PathBuf::from) {
        let run = serde_json::from_slice(&fs::read(directory.join("run.json")).unwrap()).unwrap();
        finish(&run, &directory, 1).unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let checkpoints = checkpoints(&directory.path().join("missing"), 1);
    let trained = train_resumably(&small(directory.path()), &directory.path().join("staging"), &checkpoints, None);
    assert!(trained.is_ok() && !checkpoints.path.exists());
}

fn start(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["trainer::tests::interruption::training_process", "--exact", "--test-threads=1"])
        .env(CHILD, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_again_and_again_a_run_ends_with_the_same_weights() {
    const KILLS: usize = 8;
    let directory = tempfile::tempdir().unwrap();
    let run = small(directory.path());
    fs::write(directory.path().join("run.json"), serde_json::to_vec(&run).unwrap()).unwrap();
    let (checkpoint, staging) = (directory.path().join("checkpoint"), directory.path().join("staging"));
    let anew = || {
        fs::remove_file(&checkpoint).unwrap();
        fs::remove_dir_all(&staging).unwrap();
    };
    let begun = Instant::now();
    assert!(start(directory.path()).wait().unwrap().success());
    let whole = begun.elapsed();
    let undisturbed = outcome(&staging);
    anew();

    let mut random = Random::new(std::process::id().into(), "kills");
    let (mut kills, mut went_on) = (0, 0);
    let (_never, silence) = mpsc::channel::<()>();
    while kills < KILLS {
        went_on += usize::from(checkpoint.exists());
        let mut child = start(directory.path());
        assert!(silence.recv_timeout(whole.mul_f64(0.6 * random.unit())).is_err());
        match child.try_wait().unwrap() {
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
            Some(status) => {
                assert!(status.success() && outcome(&staging) == undisturbed, "after {kills} kills: {status}");
                anew();
            }
        }
    }
    assert!(went_on > 0, "no run went on from a checkpoint");
    assert!(start(directory.path()).wait().unwrap().success());
    assert_eq!(outcome(&staging), undisturbed);
}
