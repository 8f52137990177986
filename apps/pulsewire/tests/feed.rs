//! `pulsewire feed` and `pulsewire dlq` against a broker in this process.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use streaming::{DeadLetter, DeadLetters, MockBroker, Record};

const ROWS: usize = 300;

fn broker() -> MockBroker {
    let broker = MockBroker::start().unwrap();
    for topic in ["news", "news.dlq"] {
        broker.create_topic(topic, 2).unwrap();
    }
    broker
}

/// Runs the command against the broker, in a folder of its own.
fn pulsewire(broker: &MockBroker, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulsewire"));
    command.args(arguments).args(["--brokers", broker.brokers()]).current_dir(folder).env("PULSEWIRE_HOME", folder);
    command.env_remove("RUST_LOG").output().unwrap()
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write_feed(folder: &Path) {
    let rows: String =
        (0..ROWS).map(|row| format!("n{row},2026-03-01T00:00:00Z,\"Headline, number {row}\"\n")).collect();
    fs::write(folder.join("feed.csv"), format!("id,published_utc,headline\n{rows}")).unwrap();
}

#[test]
fn what_is_sent_is_what_tail_prints() {
    let (broker, folder) = (broker(), tempfile::tempdir().unwrap());
    write_feed(folder.path());
    let sent = pulsewire(&broker, folder.path(), &["feed", "send", "feed.csv", "--topic", "news", "--json"]);
    let report: Value = serde_json::from_str(&succeeded(sent)).unwrap();
    assert_eq!((report["acknowledged"].as_u64(), report["next_row"].as_u64()), (Some(300), Some(300)));

    let all = ["feed", "tail", "--topic", "news", "--beginning", "--end", "--json"];
    let messages = objects(&succeeded(pulsewire(&broker, folder.path(), &all)));
    let ids: BTreeSet<&str> = messages.iter().map(|message| message["payload"]["id"].as_str().unwrap()).collect();
    assert_eq!((messages.len(), ids.len()), (ROWS, ROWS));
    assert!(messages.iter().any(|message| message["payload"]["headline"] == "Headline, number 7"));

    let two = ["feed", "tail", "--topic", "news", "--beginning", "--limit", "2"];
    assert_eq!(succeeded(pulsewire(&broker, folder.path(), &two)).lines().count(), 2);
}

#[test]
fn wrong_files_and_columns_are_refused_before_anything_is_sent() {
    let (broker, folder) = (broker(), tempfile::tempdir().unwrap());
    write_feed(folder.path());
    fs::write(folder.path().join("feed.dat"), "x").unwrap();
    for (arguments, word) in [
        (&["feed", "send", "feed.csv", "--topic", "news", "--time", "at"][..], "no column"),
        (&["feed", "send", "feed.csv", "--topic", "news", "--key", "ticker"], "no column"),
        (&["feed", "send", "none.csv", "--topic", "news"], "none.csv"),
        (&["feed", "send", "feed.dat", "--topic", "news"], "--format"),
        (&["feed", "send", "feed.csv", "--topic", "news", "--time", "published_utc", "--speed", "0"], "speed"),
    ] {
        let output = pulsewire(&broker, folder.path(), arguments);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {words}");
        assert!(words.contains(word), "{arguments:?}: {words}");
    }
    let all = ["feed", "tail", "--topic", "news", "--beginning", "--end"];
    assert_eq!(succeeded(pulsewire(&broker, folder.path(), &all)), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_and_sent_back_once() {
    let (broker, folder) = (broker(), tempfile::tempdir().unwrap());
    let record = |offset| Record {
        topic: "news".into(),
        partition: 0,
        offset,
        timestamp: Some(1_772_323_200_000),
        key: None,
        payload: format!("broken {offset}").into(),
        headers: Vec::new(),
    };
    let letter = |offset, stage: &str| DeadLetter {
        record: record(offset),
        stage: stage.to_owned(),
        error: "expected value at line 1".to_owned(),
    };
    let letters = [letter(3, "decode.json"), letter(9, "decode.json"), letter(12, "score")];
    DeadLetters::connect(&broker.connection(), None).unwrap().send(&letters).await.unwrap();

    let list = ["dlq", "list", "--topic", "news", "--stage", "decode", "--json"];
    let listed = objects(&succeeded(pulsewire(&broker, folder.path(), &list)));
    let mut offsets: Vec<i64> = listed.iter().map(|letter| letter["offset"].as_i64().unwrap()).collect();
    offsets.sort_unstable();
    assert_eq!(offsets, [3, 9]);
    assert!(listed.iter().all(|letter| letter["error"] == "expected value at line 1"));

    let replay = ["dlq", "replay", "--topic", "news", "--json"];
    let first: Value = serde_json::from_str(&succeeded(pulsewire(&broker, folder.path(), &replay))).unwrap();
    assert_eq!((first["read"].as_u64(), first["replayed"].as_u64()), (Some(3), Some(3)));
    let second: Value = serde_json::from_str(&succeeded(pulsewire(&broker, folder.path(), &replay))).unwrap();
    assert_eq!(second["replayed"].as_u64(), Some(0));

    let all = ["feed", "tail", "--topic", "news", "--beginning", "--end"];
    let mut back: Vec<String> = succeeded(pulsewire(&broker, folder.path(), &all)).lines().map(str::to_owned).collect();
    back.sort();
    assert_eq!(back, ["broken 12", "broken 3", "broken 9"]);
}
