use std::collections::HashSet;

use super::*;
use crate::dataset::{CleaningRules, Example, Target};
use crate::run::Split;
use crate::source::DataSource;

fn task(directory: &tempfile::TempDir, name: &str, content: &str) -> Task {
    let path = directory.path().join(format!("{name}.csv"));
    std::fs::write(&path, content).unwrap();
    Task {
        name: name.to_owned(),
        kind: crate::TaskKind::default(),
        data: vec![DataSource::new(path)],
        validation: Vec::new(),
        test: Vec::new(),
        label_names: None,
        cleaning: CleaningRules::default(),
        split: Split::default(),
        loss: crate::LossKind::default(),
    }
}

fn rows(label: &str, count: usize) -> String {
    (0..count).map(|number| format!("{label} text {number},{label}\n")).collect()
}

fn texts(examples: &[Example]) -> HashSet<String> {
    examples.iter().map(|example| example.text.clone()).collect()
}

fn refusal(tasks: &[Task], count: usize) -> String {
    Folds::load(tasks, count, 1, &[]).err().unwrap().to_string()
}

#[test]
fn every_row_is_held_out_once_and_never_learned_from_then() {
    let directory = tempfile::tempdir().unwrap();
    let task = task(&directory, "tone", &format!("text,label\n{}{}", rows("up", 63), rows("down", 22)));
    let folds = Folds::load(std::slice::from_ref(&task), 5, 1, &[]).unwrap();
    let mut seen = HashSet::new();
    for fold in 0..5 {
        let [data] = &folds.data(fold).unwrap()[..] else { panic!() };
        let (train, validation, test) = (texts(&data.train), texts(&data.validation), texts(&data.test));
        assert_eq!(train.len() + validation.len() + test.len(), 85);
        assert!(train.is_disjoint(&validation) && train.is_disjoint(&test) && validation.is_disjoint(&test));
        let count =
            |side: &[Example], label| side.iter().filter(|example| example.target == Target::Label(label)).count();
        // 22 and 63 rows in five folds; 15 % of the rest chooses the epoch.
        assert!((4..=5).contains(&count(&data.test, 0)) && (12..=13).contains(&count(&data.test, 1)));
        assert_eq!(test.len(), 17);
        assert_eq!(count(&data.validation, 0), 3);
        let held_out: Vec<&str> = folds.tasks()[0].held_out(fold).map(|(row, _)| row.text.as_str()).collect();
        assert_eq!(held_out, data.test.iter().map(|example| example.text.as_str()).collect::<Vec<_>>());
        seen.extend(test);
    }
    assert_eq!(seen.len(), 85);
    let again = |seed| Folds::load(std::slice::from_ref(&task), 5, seed, &[]).unwrap().digest();
    assert!(again(1) == folds.digest() && again(2) != folds.digest());
}

#[test]
fn tasks_share_their_folds() {
    let directory = tempfile::tempdir().unwrap();
    let row = |number: usize| format!("text {number},{},{}\n", ["up", "down"][number % 2], ["a", "b", "c"][number % 3]);
    let content: String = std::iter::once("text,tone,topic\n".to_owned()).chain((0..90).map(row)).collect();
    let tasks = ["tone", "topic"].map(|name| {
        let mut task = task(&directory, "both", &content);
        task.data[0].label = Some(name.to_owned());
        Task { name: name.to_owned(), ..task }
    });
    let folds = Folds::load(&tasks, 3, 1, &[]).unwrap();
    for fold in 0..3 {
        let data = folds.data(fold).unwrap();
        assert_eq!(texts(&data[0].test), texts(&data[1].test));
        assert_eq!(texts(&data[0].validation), texts(&data[1].validation));
        assert_eq!(data[1].cleaning.repeats_of_held_out, 0);
    }
}

#[test]
fn groups_stay_together() {
    let directory = tempfile::tempdir().unwrap();
    let row = |number: usize| format!("text {number},{},{}\n", ["up", "down"][number / 2 % 2], number % 13);
    let content: String = std::iter::once("text,label,author\n".to_owned()).chain((0..120).map(row)).collect();
    let mut task = task(&directory, "tone", &content);
    task.split.by = SplitBy::Group { column: "author".to_owned() };
    let author = |text: &String| text["text ".len()..].parse::<usize>().unwrap() % 13;
    for fold in 0..4 {
        let data = Folds::load(std::slice::from_ref(&task), 4, 1, &[]).unwrap().data(fold).unwrap().remove(0);
        let [train, validation, test] = [&data.train, &data.validation, &data.test]
            .map(|side| texts(side).iter().map(author).collect::<HashSet<_>>());
        assert!(train.is_disjoint(&validation) && train.is_disjoint(&test) && validation.is_disjoint(&test));
        // Thirteen groups of nine or ten rows: three a fold, and four in one of them.
        assert!(test.len() >= 3 && data.test.len() >= 27, "{} groups, {} rows", test.len(), data.test.len());
    }
    assert!(refusal(&[task], 14).contains("13 groups, fewer than the 14 folds"));
}

#[test]
fn folds_that_cannot_be_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut task = task(&directory, "tone", &format!("text,label\n{}{}", rows("up", 20), rows("down", 8)));
    let message = refusal(std::slice::from_ref(&task), 10);
    assert!(message.contains("label \"down\" has 8 rows, fewer than the 10 folds"), "{message}");
    assert!(refusal(std::slice::from_ref(&task), 1).contains("folds: must be at least 2"));
    assert!(Folds::load(std::slice::from_ref(&task), 8, 1, &[]).is_ok());
    task.split.by = SplitBy::Time { column: "label".to_owned() };
    assert!(refusal(&[task], 2).contains("split by time"));
}
