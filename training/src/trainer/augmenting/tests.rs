use super::*;
use crate::augmentation::AugmentationKind;
use crate::dataset::{TaskData, key};
use crate::trainer::tests::run as two_tasks;
use crate::trainer::train;

fn run(directory: &Path, augmentation: Vec<Augmentation>) -> TrainingRun {
    let mut run = TrainingRun { augmentation, ..two_tasks(directory) };
    run.tasks.truncate(1);
    run.hyperparameters.epochs = 2;
    run
}

fn swap() -> Augmentation {
    Augmentation { rate: Some(0.5), ..Augmentation::new(AugmentationKind::Swap) }
}

fn command(script: &str) -> Augmentation {
    let command = ["sh", "-c", script].map(str::to_owned).into();
    Augmentation { share: 1.0, command, ..Augmentation::new(AugmentationKind::BackTranslation) }
}

#[test]
fn a_batchs_number_decides_how_its_rows_are_changed() {
    let directory = tempfile::tempdir().unwrap();
    let run = run(directory.path(), vec![swap()]);
    let base = run.base.clone().unwrap();
    let data = TaskData::load(&run.tasks, run.split_seed()).unwrap();
    let trainer = Trainer::new(&run, &base, &data).unwrap();
    let rows: Vec<&Row> = trainer.groups[0].rows.iter().collect();
    let tokens = |number| {
        let drawn = trainer.drawn(&rows, number).unwrap();
        drawn.into_iter().map(|reading| reading.map(|reading| reading.tokens)).collect::<Vec<_>>()
    };
    assert_eq!(tokens(3), tokens(3));
    assert_ne!(tokens(3), tokens(4));
    // A half of the rows, less those whose words end where they were or are the same.
    let changed = tokens(3).iter().flatten().count() as f64 / rows.len() as f64;
    assert!((0.3..0.55).contains(&changed), "{changed}");
    for (row, drawn) in rows.iter().zip(tokens(3)) {
        let sorted = |tokens: &[u32]| {
            let mut tokens = tokens.to_vec();
            tokens.sort_unstable();
            tokens
        };
        assert!(drawn.is_none_or(|drawn| sorted(drawn.ids()) == sorted(row.reading.tokens.ids())));
    }
}

#[test]
fn a_run_with_changed_rows_repeats_itself_and_differs_from_one_without() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), vec![swap()]);
    let losses = |run: &TrainingRun| {
        let trained = train(run, &directory.path().join("staging")).unwrap();
        trained.report.epochs.iter().map(|epoch| epoch.loss).collect::<Vec<_>>()
    };
    let first = losses(&run);
    assert_eq!(first, losses(&run));
    run.augmentation.clear();
    assert_ne!(first, losses(&run));
}

#[test]
fn further_rows_have_the_labels_of_their_texts_and_are_none_that_is_held_out() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), Vec::new());
    let base = run.base.clone().unwrap();
    let data = TaskData::load(&run.tasks, run.split_seed()).unwrap();
    let count = |run: &TrainingRun| Trainer::new(run, &base, &data).unwrap().groups[0].rows.len();
    let before = count(&run);
    // Each text with a word more, which no text has: all are new.
    run.augmentation = vec![command("sed 's/$/ zebra/'")];
    let trainer = Trainer::new(&run, &base, &data).unwrap();
    let rows = &trainer.groups[0].rows;
    assert_eq!(rows.len(), 2 * before);
    let labels = |rows: &[Row]| rows.iter().map(|row| row.targets.clone()).collect::<Vec<_>>();
    assert_eq!(labels(&rows[..before]), labels(&rows[before..]));
    // A text that is tested on is not learned, however it is spelled; nor is one of the own rows twice.
    let held_out = key(&data[0].test[0].text).to_uppercase();
    run.augmentation = vec![command(&format!("sed 's/.*/{held_out}/'"))];
    assert_eq!(count(&run), before);
    run.augmentation = vec![command("cat")];
    assert_eq!(count(&run), before);
    run.augmentation = vec![command("head -n 1")];
    let message = Trainer::new(&run, &base, &data).err().unwrap().to_string();
    assert!(message.contains("wrote 1 lines for"), "{message}");
}

#[test]
fn an_encoder_that_guesses_no_words_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let run = run(directory.path(), vec![Augmentation::new(AugmentationKind::Masked)]);
    let message = train(&run, &directory.path().join("staging")).err().unwrap().to_string();
    assert!(message.contains("has not learned to guess") && message.contains("pulsewire adapt"), "{message}");
}
