use std::collections::HashSet;

use inference::cleaning::Treatment;

use super::*;
use crate::run::{Split, SplitBy};
use crate::source::{Agreement, DataSource};

pub(super) fn write(directory: &tempfile::TempDir, name: &str, content: &str) -> DataSource {
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    DataSource::new(path)
}

pub(super) fn task(data: DataSource) -> Task {
    Task {
        name: "tone".to_owned(),
        kind: crate::TaskKind::default(),
        data: vec![data],
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

pub(super) fn load_task(task: &Task, seed: u64) -> Result<TaskData, TrainingError> {
    TaskData::load(std::slice::from_ref(task), seed).map(|mut data| data.remove(0))
}

fn load(content: &str) -> Result<TaskData, TrainingError> {
    let directory = tempfile::tempdir().unwrap();
    load_task(&task(write(&directory, "data.csv", content)), 1)
}

fn refusal(content: &str) -> String {
    load(content).unwrap_err().to_string()
}

#[test]
fn few_rows_a_label_are_learned_from_and_as_many_held_out() {
    let directory = tempfile::tempdir().unwrap();
    let mut task = task(write(&directory, "data.csv", &format!("text,label\n{}{}", rows("up", 200), rows("down", 40))));
    let all = load_task(&task, 1).unwrap();
    task.split.rows_per_label = Some(30);
    let few = load_task(&task, 1).unwrap();
    assert_eq!((few.train.len(), few.validation, few.test), (58, all.validation, all.test));
    assert!(few.train.iter().all(|row| all.train.contains(row)) && few.digest != all.digest);
}

#[test]
fn the_split_is_stratified_complete_and_decided_by_the_seed() {
    let directory = tempfile::tempdir().unwrap();
    let content = format!("text,label\n{}{}", rows("up", 200), rows("down", 40));
    let task = task(write(&directory, "data.csv", &content));
    let data = load_task(&task, 1).unwrap();
    let count = |side: &[Example], label| side.iter().filter(|example| example.target == Target::Label(label)).count();
    assert_eq!(data.labels.names(), ["down", "up"]);
    for (side, down, up) in [(&data.train, 28, 140), (&data.validation, 6, 30), (&data.test, 6, 30)] {
        assert_eq!((count(side, 0), count(side, 1)), (down, up));
    }
    let all = data.train.iter().chain(&data.validation).chain(&data.test);
    assert_eq!(all.map(|example| &example.text).collect::<HashSet<_>>().len(), 240);
    assert_eq!(load_task(&task, 1).unwrap().digest, data.digest);
    assert_ne!(load_task(&task, 2).unwrap().test, data.test);
}

#[test]
fn a_seed_splits_as_it_always_has() {
    let directory = tempfile::tempdir().unwrap();
    let content = format!("text,label\n{}{}{}", rows("up", 200), rows("down", 40), rows("flat", 33));
    let task = task(write(&directory, "data.csv", &content));
    for (seed, digest) in [
        (1, "bd0a168c713d7710057f46366558e77f5f0eccb5b9343d0ea337cbd728ea55c0"),
        (17, "82bc889265a550ec49a48132a6a06b48ed0a11c03cb7144060516885560bd0e9"),
    ] {
        assert_eq!(load_task(&task, seed).unwrap().digest, digest);
    }
}

#[test]
fn cleaning_is_counted() {
    let content = format!(
        "text,label\n{}{}\"  \",up\nup  TEXT 0,up\nx\0y, up \nsame,up\nsame,down\nmost,up\nmost,down\nmost,up\n",
        rows("up", 10),
        rows("down", 10)
    );
    let data = load(&content).unwrap();
    let expected = Cleaning {
        read: 28,
        empty_texts: 1,
        trimmed_labels: 1,
        control_characters: 1,
        duplicates: 2,
        conflicting_labels: 3,
        ..Cleaning::default()
    };
    assert_eq!(data.cleaning, expected);
    let texts: HashSet<_> =
        data.train.iter().chain(&data.validation).chain(&data.test).map(|example| example.text.as_str()).collect();
    assert!(texts.contains("x y") && texts.contains("most") && !texts.contains("same"));
}

#[test]
fn a_text_of_the_own_test_file_is_not_learned() {
    let directory = tempfile::tempdir().unwrap();
    let content = format!("text,label\n{}{}", rows("up", 20), rows("down", 20));
    let mut task = task(write(&directory, "data.csv", &content));
    task.test = vec![write(&directory, "test.csv", "text,label\nUP text 3,up\nnew,down\n")];
    let data = load_task(&task, 1).unwrap();
    assert_eq!((data.test.len(), data.cleaning.repeats_of_held_out), (2, 1));
    assert!(data.train.iter().chain(&data.validation).all(|example| example.text != "up text 3"));
}

#[test]
fn a_label_that_only_the_test_file_has_is_named_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let content = format!("text,label\n{}{}", rows("up", 20), rows("down", 20));
    let mut task = task(write(&directory, "data.csv", &content));
    task.test = vec![write(&directory, "test.csv", "text,label\na,up\nb,sideways\n")];
    let message = load_task(&task, 1).unwrap_err().to_string();
    assert!(
        message.contains("test.csv:3: unknown label \"sideways\"") && message.contains("\"down\", \"up\""),
        "{message}"
    );
}

#[test]
fn label_names_give_names_and_order_and_numbers_may_still_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let content = format!("text,label\n{}{}", rows("10", 20), rows("9", 20));
    let mut task = task(write(&directory, "data.csv", &content));
    assert_eq!(load_task(&task, 1).unwrap().labels.names(), ["9", "10"]);
    task.label_names = Some(write(&directory, "labels.csv", "label,name\n9,zinc\n10,acid\n").path);
    let data = load_task(&task, 1).unwrap();
    assert_eq!(data.labels.names(), ["zinc", "acid"]);
    let row = |label: &str| Row {
        text: "a".into(),
        agreement: 1.0,
        label: label.into(),
        extra: Vec::new(),
        at: crate::error::Location { path: std::path::Path::new("x.csv").into(), line: 1 },
    };
    assert_eq!(data.labels.index_of(&row("acid")).unwrap(), 1);
    assert_eq!(data.labels.index_of(&row("1")).unwrap(), 1);
    assert!(data.labels.index_of(&row("2")).is_err());
}

#[test]
fn one_label_no_rows_and_too_few_rows_are_refused() {
    assert!(refusal(&format!("text,label\n{}", rows("up", 20))).contains("the only label is \"up\""));
    assert!(refusal("text,label\n").contains("no usable row"));
    let message = refusal(&format!("text,label\n{}{}", rows("up", 20), rows("down", 6)));
    assert!(message.contains("label \"down\" has 6 distinct rows, at least 7"), "{message}");
}

#[test]
fn labels_that_look_alike_are_refused_with_both_places() {
    let message = refusal(&format!("text,label\n{}{}", rows("up", 20), rows("Up", 20)));
    assert!(message.contains("data.csv:2") && message.contains("data.csv:22"), "{message}");
}

#[test]
fn an_empty_label_names_its_line() {
    assert!(refusal(&format!("text,label\n{}a, \n", rows("up", 20))).contains("data.csv:22: label: is empty"));
}

#[test]
fn a_text_of_two_tasks_falls_on_one_side() {
    let directory = tempfile::tempdir().unwrap();
    let row = |number: usize| format!("text {number},{},{}\n", ["up", "down"][number % 2], ["a", "b", "c"][number % 3]);
    let content: String = std::iter::once("text,tone,topic\n".to_owned()).chain((0..300).map(row)).collect();
    let source = write(&directory, "data.csv", &content);
    let tasks = ["tone", "topic"].map(|name| {
        let source = DataSource { label: Some(name.to_owned()), ..source.clone() };
        Task { name: name.to_owned(), ..task(source) }
    });
    let data = TaskData::load(&tasks, 1).unwrap();
    let texts = |rows: &[Example]| rows.iter().map(|row| row.text.clone()).collect::<HashSet<_>>();
    let sides = |data: &TaskData| [texts(&data.train), texts(&data.validation), texts(&data.test)];
    assert_eq!(sides(&data[0]), sides(&data[1]));
    let digest = "f6632883b57c677504d0a8064449f0f4e535754c07a5a141230e4c02e625d84f";
    assert_eq!(data[1].digest, digest, "runs of two tasks split as they always have");
    // A third task that has a test file of its own takes nothing from the others' held-out rows, nor gives any.
    let own = "text,topic\ntext 5,c\ntext 7,b\n";
    let third = Task {
        test: vec![DataSource { label: Some("topic".into()), ..write(&directory, "own.csv", own) }],
        ..tasks[1].clone()
    };
    let data = TaskData::load(&[tasks[0].clone(), third], 1).unwrap();
    let seen = texts(&data[0].train);
    assert!(!seen.contains("text 5") && !seen.contains("text 7"));
    assert!(texts(&data[1].train).is_disjoint(&texts(&data[0].test)));
    assert_eq!(data[1].cleaning.repeats_of_held_out, 2 + data[0].test.len());
}

#[test]
fn a_split_reads_its_column_of_the_data_alone() {
    let directory = tempfile::tempdir().unwrap();
    let line = |number: usize| format!("text {number},{},2024-01-{:02}\n", ["up", "down"][number % 2], number + 1);
    let content: String = std::iter::once("text,label,day\n".to_owned()).chain((0..30).map(line)).collect();
    let mut task = task(write(&directory, "data.csv", &content));
    task.split =
        Split { by: SplitBy::Time { column: "day".to_owned() }, validation: 0.1, test: 0.1, ..Split::default() };
    let data = load_task(&task, 1).unwrap();
    assert_eq!(data.test.iter().map(|row| row.text.as_str()).collect::<Vec<_>>(), ["text 27", "text 28", "text 29"]);
    // A test file needs no such column, and leaves the newest rows to the validation side.
    task.test = vec![write(&directory, "test.csv", "text,label\nnew,down\n")];
    let data = load_task(&task, 1).unwrap();
    assert_eq!((data.test.len(), data.validation[2].text.as_str()), (1, "text 29"));
    task.split.by = SplitBy::Group { column: "author".to_owned() };
    let message = load_task(&task, 1).unwrap_err().to_string();
    assert!(message.contains("data.csv") && message.contains("no column \"author\""), "{message}");
}

#[test]
fn cleaning_rules_change_texts_before_they_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let likes = "shares of <b>the bank</b> fall after a loss in the third quarter,up\nshares of the bank fall after a loss in the \
                 third quarter today,up\nsee http://a.example,up\nSEE http://b.example,up\nhttp://c.example,up\n";
    let content = format!("text,label\n{}{}{likes}", rows("up", 20), rows("down", 20));
    let mut task = task(write(&directory, "data.csv", &content));
    task.cleaning =
        CleaningRules { html: true, urls: Treatment::Drop, drop_near_duplicates: true, ..CleaningRules::default() };
    let cleaning = load_task(&task, 1).unwrap().cleaning;
    assert_eq!((cleaning.html, cleaning.urls, cleaning.empty_texts, cleaning.duplicates), (1, 3, 1, 1));
    assert_eq!(cleaning.near_duplicates, 1);
    // The test file is cleaned alike, and what is almost in it is not learned.
    let held_out = "text,label\nshares of the bank fall after a loss in the third <i>quarter</i> now,up\n";
    task.test = vec![write(&directory, "test.csv", held_out)];
    let data = load_task(&task, 1).unwrap();
    assert_eq!((data.cleaning.near_duplicates, data.cleaning.html), (2, 2));
    assert!(data.test[0].text.ends_with("third quarter now"));
}

#[test]
fn pairs_are_cleaned_counted_and_split_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let pairs = |label: &str| -> String { (0..20).map(|row| format!("a  b,{label} {row},{label}\n")).collect() };
    let content = format!(
        "text,answer,label\n{}{}a b,,up\na{}b,up 3,up\nA b,UP 4,up\n",
        pairs("up"),
        pairs("down"),
        pair::BETWEEN
    );
    let source = DataSource { text_pair: Some("answer".to_owned()), ..write(&directory, "pairs.csv", &content) };
    let mut task = task(source.clone());
    task.test = vec![DataSource {
        text_pair: Some("answer".to_owned()),
        ..write(&directory, "test.csv", "text,answer,label\na b,up 5,up\nup 6,a b,up\n")
    }];
    let data = load_task(&task, 1).unwrap();
    let found = data.cleaning;
    assert_eq!((found.read, found.empty_texts, found.duplicates, found.repeats_of_held_out), (45, 1, 2, 1));
    assert_eq!(found.control_characters, 1);
    assert_eq!(data.train.len() + data.validation.len(), 39);
    assert!(data.train.iter().all(|row| pair::split(&row.text).is_some_and(|(first, _)| first == "a b")));
    assert_eq!(data.test[1].text, pair::join("up 6", "a b"));
    assert!(are_pairs(&[data]));

    // Two columns again, in a file that is written.
    let rows = read_rows(&source, &[], None, CleaningRules::default(), &mut Cleaning::default()).unwrap();
    let path = directory.path().join("clean.csv");
    crate::DataSink::new(&path, ["text", "answer", "label"].map(str::to_owned).to_vec()).unwrap().write(&rows).unwrap();
    let written = DataSource { path, ..source };
    let again = read_rows(&written, &[], None, CleaningRules::default(), &mut Cleaning::default()).unwrap();
    assert!(again.iter().zip(&rows).all(|(again, row)| (&again.text, &again.label) == (&row.text, &row.label)));

    let missing = DataSource { text_pair: Some("reply".to_owned()), ..written };
    let message = load_task(&self::task(missing), 1).unwrap_err().to_string();
    assert!(message.contains("\"reply\"") && message.contains("answer"), "{message}");
}

#[test]
fn rows_in_other_languages_are_left_out_and_unsure_ones_stay() {
    let directory = tempfile::tempdir().unwrap();
    let german = "Das Unternehmen meldete am Donnerstag einen höheren Gewinn als im Vorjahr erwartet.";
    let content = format!("text,label\n{}{}{german},up\nok,down\n", rows("up", 20), rows("down", 20));
    let mut task = task(write(&directory, "data.csv", &content));
    assert_eq!(load_task(&task, 1).unwrap().cleaning.other_languages, 0);
    task.cleaning.languages = vec!["en".to_owned()].try_into().unwrap();
    let texts = |data: TaskData| {
        let sides = [data.train, data.validation, data.test].concat();
        sides.into_iter().map(|example| example.text).collect::<Vec<_>>()
    };
    let data = load_task(&task, 1).unwrap();
    assert_eq!(data.cleaning.other_languages, 1);
    let left = texts(data);
    assert!(left.contains(&"ok".to_owned()) && !left.contains(&german.to_owned()), "{left:?}");
    // A test file is what its user says.
    task.test = vec![write(&directory, "test.csv", &format!("text,label\n{german},up\n"))];
    assert_eq!(load_task(&task, 1).unwrap().test.len(), 1);
}

#[test]
fn annotators_agreement_is_part_of_the_target_and_of_the_digest() {
    let directory = tempfile::tempdir().unwrap();
    let load = |votes: &str| {
        let row = |label: &str, number: usize| {
            format!("{label} text {number},{label},{}\n", if number == 0 { votes } else { "1" })
        };
        let content: String = (0..20).flat_map(|number| [row("up", number), row("down", number)]).collect();
        let source = write(&directory, "data.csv", &format!("text,label,votes\n{content}"));
        load_task(&task(DataSource { agreement: Some(Agreement::Column("votes".to_owned())), ..source }), 1)
    };
    let data = load(" 0.6 ").unwrap();
    let all: Vec<&Example> = [&data.train, &data.validation, &data.test].into_iter().flatten().collect();
    for example in &all {
        let label = data.labels.position(example.text.split(' ').next().unwrap()).unwrap();
        let expected = match example.text.ends_with(" 0") {
            true => Target::Contested { label, agreement: 0.6 },
            false => Target::Label(label),
        };
        assert_eq!(example.target, expected);
        assert_eq!((example.target.label(), example.target.labels()), (Some(label), &[label][..]));
    }
    assert_eq!(all.len(), 40);
    assert_ne!(load("0.7").unwrap().digest, data.digest);
    // A file may have one for all its rows.
    let rows = read_rows(
        &DataSource {
            agreement: Some(Agreement::OfAll(0.6)),
            ..write(&directory, "some.csv", "text,label,id\na,up,7\nb,down,8\n")
        },
        &["id", "agreement"].map(str::to_owned),
        None,
        CleaningRules::default(),
        &mut Cleaning::default(),
    );
    let rows: Vec<_> = rows.unwrap().into_iter().map(|row| (row.agreement, row.extra.join(" "))).collect();
    assert_eq!(rows, [(0.6, "7 0.6".to_owned()), (0.6, "8 0.6".to_owned())]);
    for wrong in ["0", "-1", "1.5", "60 %", "", "NaN"] {
        let message = load(wrong).unwrap_err().to_string();
        assert!(message.contains("data.csv:2: agreement: ") && message.contains("above 0 and up to 1"), "{message}");
    }
}
