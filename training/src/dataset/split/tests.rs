use std::collections::HashSet;
use std::path::Path;

use super::*;
use crate::error::Location;

/// Rows of two labels in turn, with these values of the split's column.
fn rows<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<Row> {
    let row = |(number, value): (usize, T)| Row {
        text: format!("text {number}"),
        agreement: 1.0,
        label: ["down", "up"][number % 2].to_owned(),
        extra: vec![value.to_string()],
        at: Location { path: Path::new("rows.csv").into(), line: number as u64 + 2 },
    };
    values.into_iter().enumerate().map(row).collect()
}

fn split_with(by: &SplitBy, rows: &[Row], seed: u64, taken: &mut Taken) -> Result<Sides, TrainingError> {
    let names = LabelSet::new(["down", "up"].map(str::to_owned).to_vec());
    let targets: Vec<Target> = rows.iter().map(|row| Target::Label(usize::from(row.label == "up"))).collect();
    let shares = Shares { validation: 0.1, test: 0.2 };
    Splitting { task: "tone", by, rows, targets: &targets, shares, seed }.split(&names, taken)
}

fn split(by: &SplitBy, rows: &[Row]) -> Sides {
    split_with(by, rows, 1, &mut Taken::default()).unwrap()
}

fn refusal(by: &SplitBy, rows: &[Row]) -> String {
    split_with(by, rows, 1, &mut Taken::default()).unwrap_err().to_string()
}

fn by_time() -> SplitBy {
    SplitBy::Time { column: "published".to_owned() }
}

fn by_group() -> SplitBy {
    SplitBy::Group { column: "author".to_owned() }
}

fn texts(rows: &[Row], side: &[usize]) -> HashSet<String> {
    side.iter().map(|row| rows[*row].text.clone()).collect()
}

#[test]
fn a_digest_keeps_every_row_on_its_side_when_rows_are_added() {
    let all = rows(0..4000);
    let (few, many) = (split(&SplitBy::Digest, &all[1500..2500]), split(&SplitBy::Digest, &all));
    let of = |sides: &Sides, rows: &[Row]| [&sides.train, &sides.validation, &sides.test].map(|side| texts(rows, side));
    for (few, many) in of(&few, &all[1500..2500]).iter().zip(of(&many, &all)) {
        assert!(!few.is_empty() && few.is_subset(&many));
    }
    // Shares hold in expectation: 4000 draws have a standard deviation of 25 rows for the test and of 19 for the validation.
    assert!(many.test.len().abs_diff(800) < 100, "{}", many.test.len());
    assert!(many.validation.len().abs_diff(400) < 76, "{}", many.validation.len());
    let seeds = [2, 3].map(|seed| split_with(&SplitBy::Digest, &all, seed, &mut Taken::default()).unwrap().test);
    assert_eq!(seeds, [many.test.clone(), many.test]);
}

#[test]
fn a_label_that_a_digest_holds_out_wholly_is_named() {
    let mut rows = rows(0..400);
    let test: HashSet<usize> = split(&SplitBy::Digest, &rows).test.into_iter().collect();
    for (index, row) in rows.iter_mut().enumerate() {
        row.label = if test.contains(&index) { "up" } else { "down" }.to_owned();
    }
    let message = refusal(&SplitBy::Digest, &rows);
    assert!(message.contains("task \"tone\"") && message.contains("label \"up\""), "{message}");
    rows.truncate(1);
    assert!(refusal(&SplitBy::Digest, &rows).contains("no row falls on the"), "{}", refusal(&SplitBy::Digest, &rows));
}

#[test]
fn time_tests_on_the_newest_and_keeps_one_time_together() {
    // Days 29, 28, … 0: the file's order does not count.
    let day = |number: usize| format!("2024-01-{:02}", 30 - number);
    let sides = split(&by_time(), &rows((0..30).map(day)));
    assert_eq!((sides.test, sides.validation), (vec![5, 4, 3, 2, 1, 0], vec![8, 7, 6]));
    assert_eq!(sides.train.len(), 21);
    // Days of five rows: the test's six rows would divide the last day but one, the validation's three the one before.
    let sides = split(&by_time(), &rows((0..30).map(|number| format!("2024-01-{:02}T12:00:00Z", number / 5 + 1))));
    assert_eq!((sides.test, sides.validation), ((20..30).collect(), (15..20).collect()));
}

#[test]
fn times_that_cannot_be_read_or_split_are_told() {
    let mut wrong = rows(["2024-01-01"; 20]);
    wrong[3].extra[0] = "soon".to_owned();
    let message = refusal(&by_time(), &wrong);
    assert!(message.contains("rows.csv:5: published: timestamp \"soon\""), "{message}");
    let message = refusal(&by_time(), &rows(["2024-01-01"; 20]));
    assert!(message.contains("oldest 20 of 20 rows all have the time 2024-01-01"), "{message}");
}

#[test]
fn a_group_never_spans_sides() {
    let rows = rows((0..300).map(|number| format!("author {}", number * 7919 % 40)));
    let sides = split(&by_group(), &rows);
    let groups = |side: &[usize]| side.iter().map(|row| rows[*row].extra[0].clone()).collect::<HashSet<_>>();
    let [train, validation, test] = [&sides.train, &sides.validation, &sides.test].map(|side| groups(side));
    assert!(train.is_disjoint(&validation) && train.is_disjoint(&test) && validation.is_disjoint(&test));
    // 7 or 8 rows a group: a side lacks less than one group of its share.
    assert!((53..=60).contains(&sides.test.len()) && (23..=30).contains(&sides.validation.len()));
    assert_eq!(sides.train.len() + sides.validation.len() + sides.test.len(), 300);
    let seeds = [1, 2].map(|seed| split_with(&by_group(), &rows, seed, &mut Taken::default()).unwrap().test);
    assert!(seeds[0] == sides.test && seeds[1] != sides.test);
}

#[test]
fn a_large_group_is_learned_from_and_too_large_ones_are_refused() {
    let mixed = rows((0..100).map(|number| if number < 60 { "the agency".to_owned() } else { format!("{number}") }));
    let sides = split(&by_group(), &mixed);
    assert!(sides.test.iter().chain(&sides.validation).all(|row| *row >= 60));
    assert_eq!((sides.test.len(), sides.validation.len()), (20, 10));
    let message = refusal(&by_group(), &rows((0..100).map(|number| number / 25)));
    assert!(message.contains("\"author\"") && message.contains("20 of 100 rows; of 4 groups"), "{message}");
    assert!(message.contains("the largest \"3\" with 25 rows"), "{message}");
    let message = refusal(&by_group(), &rows(["a", "", "b"]));
    assert!(message.contains("rows.csv:3: author: is empty"), "{message}");
}

#[test]
fn tasks_agree_about_texts_and_groups() {
    let first = rows((0..200).map(|number| number / 5));
    let mut taken = Taken::default();
    let sides = split_with(&by_group(), &first, 1, &mut taken).unwrap();
    let groups =
        |rows: &[Row], side: &[usize]| side.iter().map(|row| rows[*row].extra[0].clone()).collect::<HashSet<_>>();
    // Other texts of the same groups, of which there are more, by another seed.
    let mut second = rows((0..300).map(|number| number / 5));
    second.iter_mut().for_each(|row| row.text.push_str(" again"));
    let others = split_with(&by_group(), &second, 2, &mut taken).unwrap();
    assert!(groups(&first, &sides.test).is_subset(&groups(&second, &others.test)));
    assert!(groups(&first, &sides.train).is_disjoint(&groups(&second, &others.test)));
    // A text that is on another side already is left out, not moved.
    let third = split_with(&SplitBy::Digest, &first, 1, &mut taken).unwrap();
    assert_eq!(third.left_out, 200 - third.train.len() - third.validation.len() - third.test.len());
    assert!(third.left_out > 20 && third.test.iter().all(|row| sides.test.contains(row)));
}
