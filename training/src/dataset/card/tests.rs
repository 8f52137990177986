use std::path::Path;

use super::*;
use crate::error::Location;

fn row(text: &str, label: &str, line: u64) -> Row {
    Row {
        text: text.into(),
        agreement: 1.0,
        label: label.into(),
        at: Location { path: Path::new("rows.csv").into(), line },
        extra: Vec::new(),
    }
}

fn write(directory: &tempfile::TempDir, name: &str, rows: &str) -> DataSource {
    let path = directory.path().join(name);
    std::fs::write(&path, format!("text,label\n{rows}")).unwrap();
    DataSource::new(path)
}

fn card(data: &[DataSource], test: &[DataSource]) -> DataCard {
    DataCard::of(&CardRequest { data, test, names: None, tokenizer: None, max_tokens: 128 }).unwrap()
}

const LONG: &str = "shares of the bank fall after a loss in the third quarter";

#[test]
fn a_card_counts_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let rows = format!("{LONG},down\n{LONG} today,up\na b,up\nA  b, up \na b,down\n\" \",up\nx,up\nx,Up\nüü\0,up\n");
    let card = card(&[write(&directory, "data.csv", &rows)], &[]);
    assert_eq!((card.rows, card.empty_texts, card.control_characters, card.trimmed_labels), (9, 1, 1, 1));
    let labels: Vec<_> = card.labels.iter().map(|label| (label.label.as_str(), label.rows, label.share)).collect();
    assert_eq!(labels, [("up", 5, 0.625), ("down", 2, 0.25), ("Up", 1, 0.125)]);
    let [pair] = &card.look_alike_labels[..] else { panic!("{:?}", card.look_alike_labels) };
    assert_eq!(
        (pair.first.as_str(), pair.first_at.line, pair.second.as_str(), pair.second_at.line),
        ("up", 3, "Up", 9)
    );
    // Characters, not bytes.
    assert_eq!(card.characters, Some(Lengths { min: 1, median: 3, p95: 63, max: 63 }));
    assert_eq!(card.tokens, None);

    let duplicates = &card.duplicates;
    assert_eq!((duplicates.distinct_texts, duplicates.repeated_rows), (5, 1));
    assert_eq!((duplicates.conflicting_texts, duplicates.conflicting_rows), (2, 5));
    let places: Vec<_> = duplicates.shown[0].labels.iter().map(|place| (place.label.as_str(), place.at.line)).collect();
    assert_eq!((duplicates.shown[0].text.as_str(), places), ("a b", vec![("up", 4), ("down", 6)]));

    let near = &card.near_duplicates;
    assert_eq!((near.pairs, near.other_label_pairs), (1, 1));
    assert_eq!((near.clusters, near.clustered_texts, near.largest_cluster, near.complete), (1, 2, 2, true));
    let [pair] = &near.shown[..] else { panic!("{:?}", near.shown) };
    assert_eq!((pair.first.at.line, pair.second.at.line, pair.second.label.as_str()), (2, 3, "up"));
    // 11 different words and 11 pairs; one more of each.
    assert!((pair.similarity - 22.0 / 24.0).abs() < 1e-12, "{}", pair.similarity);
    assert!(card.personal_data.iter().all(|kind| kind.count == 0) && card.leakage.is_none());
}

#[test]
fn tokens_are_counted_whole_with_the_special_ones() {
    let directory = tempfile::tempdir().unwrap();
    let tokenizer = serde_json::json!({
        "version": "1.0", "added_tokens": [], "decoder": null, "normalizer": null, "padding": null,
        "truncation": { "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0 },
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1] },
        "model": { "type": "WordLevel", "vocab": { "[UNK]": 0, "[CLS]": 1, "[SEP]": 2 }, "unk_token": "[UNK]" },
    });
    let path = directory.path().join("tokenizer.json");
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    let tokenizer = TextTokenizer::open_for_counting(&path).unwrap();
    let data = [write(&directory, "data.csv", &format!("a,x\na b,x\n{LONG},x\n"))];
    let request = CardRequest { data: &data, test: &[], names: None, tokenizer: Some(&tokenizer), max_tokens: 4 };
    let lengths = Lengths { min: 3, median: 4, p95: 14, max: 14 };
    assert_eq!(DataCard::of(&request).unwrap().tokens, Some(TokenLengths { lengths, max_tokens: 4, cut_rows: 1 }));
}

#[test]
fn languages_are_counted_with_what_is_not_sure_last() {
    let directory = tempfile::tempdir().unwrap();
    let english = "Operating profit rose to thirteen million euros in the third quarter of the year.";
    let data = write(&directory, "data.csv", &format!("ok,up\nno,up\n{english},up\n"));
    let languages = card(&[data], &[]).languages;
    let found: Vec<_> = languages.iter().map(|count| (count.language.as_deref(), count.rows)).collect();
    assert_eq!(found, [(Some("en"), 1), (None, 2)]);
    assert!((languages[1].share - 2.0 / 3.0).abs() < 1e-12);
}

#[test]
fn leakage_is_exact_or_near_but_not_both() {
    let directory = tempfile::tempdir().unwrap();
    let data = write(&directory, "data.csv", &format!("other,up\n{LONG},down\nsame,up\n"));
    let rows = format!("new text,up\nSAME,up\nsame,down\n{LONG} today,down\n{LONG} today,up\n");
    let test = write(&directory, "test.csv", &rows);
    let leakage = card(&[data], &[test]).leakage.unwrap();
    assert_eq!((leakage.test_rows, leakage.complete), (5, true));
    assert_eq!((leakage.exact.rows, leakage.exact.share, leakage.exact.other_label_rows), (2, 0.4, 1));
    assert_eq!((leakage.near.rows, leakage.near.share, leakage.near.other_label_rows), (2, 0.4, 1));
    let lines =
        |leaks: &Leaks| leaks.shown.iter().map(|leak| (leak.test.at.line, leak.data.at.line)).collect::<Vec<_>>();
    assert_eq!((lines(&leakage.exact), lines(&leakage.near)), (vec![(3, 4)], vec![(5, 3)]));
    assert!(leakage.near.shown[0].data.at.file.ends_with("data.csv"));
}

#[test]
fn shown_texts_are_masked_and_cut() {
    let long = "word ".repeat(40);
    let shown = TextAt::of(&row(&format!("ask jane@example.org {long}"), "a", 7)).text;
    assert!(shown.starts_with("ask j***@***.org word") && shown.ends_with('…'), "{shown}");
    assert!(shown.chars().count() <= 81, "{shown}");
    assert_eq!(place::excerpt("short"), "short");
}

#[test]
fn the_digest_is_of_labels_and_texts_in_order() {
    let rows = [row("a", "x", 1), row("b", "y", 2)];
    // printf 'x\ta\ny\tb\n' | sha256sum
    assert_eq!(digest(&rows), "3a1702693b7c66e03fd5577a627d9d4529567d385a2ed87c2d4d6f4b0d1c7283");
    let [first, second] = rows;
    assert_ne!(digest(&[second.clone(), first.clone()]), digest(&[first, second]));
}

#[test]
fn an_empty_file_has_a_card() {
    let directory = tempfile::tempdir().unwrap();
    let source = write(&directory, "data.csv", "");
    let card = card(std::slice::from_ref(&source), std::slice::from_ref(&source));
    assert_eq!((card.rows, card.labels.len(), card.characters, card.duplicates.distinct_texts), (0, 0, None, 0));
    assert_eq!(card.leakage.as_ref().map(|leakage| (leakage.test_rows, leakage.exact.share)), Some((0, 0.0)));
    let json = serde_json::to_string(&card).unwrap();
    assert_eq!(serde_json::from_str::<DataCard>(&json).unwrap(), card);
}
