use super::tests::{load_task, task, write};
use super::*;

/// A task of this kind on rows of `text,label`.
fn load(kind: TaskKind, content: &str) -> Result<TaskData, TrainingError> {
    let directory = tempfile::tempdir().unwrap();
    load_task(&Task { kind, ..task(write(&directory, "data.csv", content)) }, 1)
}

fn rows(labels: &str, count: usize) -> String {
    (0..count).map(|number| format!("{labels} text {number},{labels}\n")).collect()
}

fn sides(data: &TaskData) -> [&[Example]; 3] {
    [&data.train, &data.validation, &data.test]
}

#[test]
fn every_label_of_many_falls_on_the_sides_in_the_same_shares() {
    let (few, none) = (rows("gas|gold|oil", 10), rows("", 100));
    let content = format!("text,label\n{}{}{}{few}{none}", rows("oil", 100), rows("gas | oil", 60), rows("gold", 30));
    let data = load(TaskKind::MultiLabel, &content).unwrap();
    assert_eq!(data.labels.names(), ["gas", "gold", "oil"]);
    let count = |side: &[Example], label| side.iter().filter(|row| row.target.labels().contains(&label)).count();
    let sizes = sides(&data).map(<[Example]>::len);
    assert_eq!(sizes.iter().sum::<usize>(), 300);
    for (label, rows) in [(0, 70), (1, 40), (2, 170)] {
        let [_, validation, test] = sides(&data).map(|side| count(side, label));
        let wanted = (rows as f64 * 0.15).round() as usize;
        assert!(
            validation.abs_diff(wanted) <= 1 && test.abs_diff(wanted) <= 1,
            "{label}: {validation}, {test} of {rows}"
        );
    }
    assert!(sizes[1].abs_diff(45) <= 1 && sizes[2].abs_diff(45) <= 1, "{sizes:?}");
    let without = |side: &[Example]| side.iter().filter(|row| row.target == Target::Labels([].into())).count();
    assert!(sides(&data).map(without).iter().all(|rows| *rows >= 13), "rows without labels are everywhere");
    assert_eq!(load(TaskKind::MultiLabel, &content).unwrap().digest, data.digest);
}

#[test]
fn one_label_a_row_is_split_like_a_single_label() {
    let content = format!("text,label\n{}{}", rows("up", 200), rows("down", 40));
    let data = load(TaskKind::MultiLabel, &content).unwrap();
    let count = |side: &[Example], label| side.iter().filter(|row| row.target.labels() == [label]).count();
    assert_eq!(sides(&data).map(|side| (count(side, 0), count(side, 1))), [(28, 140), (6, 30), (6, 30)]);
}

#[test]
fn rare_labels_are_on_every_side() {
    let content = format!("text,label\n{}{}", rows("rare|common", 7), rows("common", 93)) + &rows("", 5);
    let data = load(TaskKind::MultiLabel, &content).unwrap();
    assert_eq!(sides(&data).map(|side| side.iter().filter(|row| row.target.labels().len() == 2).count()), [5, 1, 1]);
}

#[test]
fn the_order_of_labels_says_nothing_and_looks_must_differ() {
    let content = format!("text,label\n{}{}", rows("oil|gas", 20), rows("gold", 20));
    let twice = load(TaskKind::MultiLabel, &format!("{content}oil|gas TEXT 3,gas|oil\noil|gas text 4,oil\n")).unwrap();
    assert_eq!((twice.cleaning.duplicates, twice.cleaning.conflicting_labels), (1, 2));
    let message = load(TaskKind::MultiLabel, &format!("{content}a,gold|Oil\n")).unwrap_err().to_string();
    assert!(message.contains("label \"Oil\" looks like \"oil\""), "{message}");
}

#[test]
fn numbers_of_every_size_fall_on_every_side() {
    let content: String = (0..200).map(|number| format!("text {number},{}\n", number * number)).collect();
    let data = load(TaskKind::Regression, &format!("text,label\n{content}")).unwrap();
    assert_eq!(data.labels.names(), ["tone"]);
    let sizes = sides(&data).map(<[Example]>::len);
    assert_eq!(sizes, [140, 30, 30]);
    for tenth in 0..10 {
        let (from, to) = ((tenth * 20) as f64, ((tenth + 1) * 20) as f64);
        let within = |row: &&Example| (from * from..to * to).contains(&row.target.value().unwrap());
        assert_eq!(sides(&data).map(|side| side.iter().filter(within).count()), [14, 3, 3]);
    }
}

#[test]
fn what_a_kind_cannot_be_learned_from_is_refused() {
    let check = |kind, content: String, expected: &str| {
        let message = load(kind, &format!("text,label\n{content}")).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    check(TaskKind::MultiLabel, rows("", 20), "no row of");
    check(TaskKind::MultiLabel, rows("oil", 20), "every row has label \"oil\"");
    check(TaskKind::MultiLabel, rows("oil|gas", 6) + &rows("oil", 20) + &rows("", 9), "\"gas\" has 6 distinct rows");
    check(TaskKind::Regression, rows("1.5", 20) + "a,1.50\n", "the number of every row is 1.5");
    check(TaskKind::Regression, rows("1", 3) + &rows("2", 3), "6 distinct rows, at least 7");
    check(TaskKind::Regression, rows("1", 9) + "a,\"1,5\"\n", "data.csv:11: label: \"1,5\" is no number");
    check(TaskKind::SingleLabel, rows("", 9), "data.csv:2: label: is empty");
}

#[test]
fn labels_of_many_are_named_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let content = format!("text,label\n{}{}", rows("2;1", 20), rows("1", 20)) + &rows("", 20);
    let mut task = Task { kind: TaskKind::MultiLabel, ..task(write(&directory, "data.csv", &content)) };
    task.data[0].label_separator = Some(';');
    task.label_names = Some(write(&directory, "labels.csv", "label,name\n1,zinc\n2,acid\n").path);
    assert_eq!(load_task(&task, 1).unwrap().labels.names(), ["zinc", "acid"]);
    task.test = vec![write(&directory, "test.csv", "text,label\nnew,1|3\n")];
    assert!(load_task(&task, 1).unwrap_err().to_string().contains("test.csv:2: unknown label \"3\""));
}
