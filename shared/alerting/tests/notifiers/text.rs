//! The terminal's blocks and the file's lines.

use alerting::notify::{AlertFile, Colors, Notifier as _, TerminalNotifier};
use serde_json::Value;

use crate::support::transitions;

fn printed(colors: Colors) -> String {
    let mut output = Vec::new();
    TerminalNotifier::new(&mut output, colors).notify(&transitions()).unwrap();
    String::from_utf8(output).unwrap()
}

#[test]
fn the_terminal_shows_each_alert_as_a_block() {
    assert_eq!(printed(Colors::Off), include_str!("golden/terminal.txt"));
}

#[test]
fn colours_are_the_only_escape_sequences_and_headlines_bring_none() {
    assert!(!printed(Colors::Off).contains('\u{1b}'));
    let colored = printed(Colors::On);
    assert!(colored.contains("\u{1b}[1;31mCRITICAL\u{1b}[0m"), "{colored}");
    assert!(!colored.contains("ask HBOS \u{1b}"), "{colored}");
}

#[test]
fn the_file_holds_firing_alerts_only_unless_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alerts.ndjson");
    let transitions = transitions();
    AlertFile::append(&path, false).unwrap().notify(&transitions).unwrap();
    AlertFile::append(&path, true).unwrap().notify(&transitions).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<&str> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "resolved").count(), 2);
    assert_eq!(states[..3], ["firing"; 3]);
    assert_eq!(lines.len(), transitions.len());
}

#[test]
fn an_alert_fired_again_after_a_crash_stands_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alerts.ndjson");
    AlertFile::append(&path, false).unwrap().notify(&transitions()[..1]).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let cut = [whole.as_slice(), b"{\"at\": \"2008-"].concat();
    std::fs::write(&path, cut).unwrap();
    let mut file = AlertFile::append(&path, false).unwrap();
    file.notify(&transitions()).unwrap();
    file.notify(&transitions()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.as_bytes().starts_with(&whole) && text.lines().all(|line| line.ends_with('}')), "{text}");
}

#[test]
fn a_line_has_what_scoring_reads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alerts.ndjson");
    AlertFile::append(&path, false).unwrap().notify(&transitions()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let line: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    assert_eq!(line["at"], "2008-09-15T14:22:00Z");
    assert_eq!((&line["entity"], &line["rule"]), (&"AIG".into(), &"negative headlines".into()));
    assert_eq!(line["severity"], "critical");
    assert_eq!(line["evidence"][0]["text"], "AIG shares plummet, debt protection costs surge");
    assert_eq!((&line["evidence"][0]["offset"], &line["evidence"][1]["offset"]), (&0.into(), &1.into()));
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let error = AlertFile::append(std::path::Path::new("/nonexistent/alerts.ndjson"), false).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/alerts.ndjson"), "{error}");
}
