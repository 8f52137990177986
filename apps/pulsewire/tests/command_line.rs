//! The executable as a shell sees it: exit codes, messages, and `setup` with package clients made here (no network).

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A home of its own, and a PATH that holds nothing but what a test puts there.
struct Machine {
    root: TempDir,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("bin")).unwrap();
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Installs a program, as a shell script.
    fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_pulsewire"))
            .args(arguments)
            .current_dir(self.root.path())
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.root.path())
            .env("PULSEWIRE_CACHE", self.path("cache"))
            .env("PULSEWIRE_HOME", self.path("home"))
            .output()
            .unwrap()
    }

    fn parts(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("cache/parts")) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".lock").collect()
    }
}

fn check(output: &Output, code: i32, words: &[&str]) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

#[test]
fn help_tells_the_first_commands() {
    let machine = Machine::new();
    check(&machine.run(&["--help"]), 0, &["pulsewire demo", "pulsewire setup", "EXIT CODES"]);
    check(&machine.run(&["store", "sql", "--help"]), 0, &["EXAMPLES:", "--format"]);
    check(&machine.run(&["--version"]), 0, &["pulsewire 0."]);
}

#[test]
fn wrong_usage_and_configuration_end_with_64() {
    let machine = Machine::new();
    check(&machine.run(&["store", "sqll"]), 64, &["sqll"]);
    check(&machine.run(&["setup", "--part", "cuda"]), 64, &["onnxruntime"]);
    check(&machine.run(&["setup", "--from", "nowhere"]), 64, &["error: --from nowhere"]);
    fs::write(machine.path("wrong.toml"), "[store]\nurll = \"http://127.0.0.1:1\"\n").unwrap();
    let wrong = machine.run(&["store", "sql", "SELECT 1", "--config", "wrong.toml"]);
    check(&wrong, 64, &["wrong.toml:2:1", "urll"]);
    check(&machine.run(&["store", "sql", "SELECT 1", "--config", "none.toml"]), 64, &["none.toml"]);
    check(&machine.run(&["store", "sql", "SELECT 1", "--store-url", "127.0.0.1:1"]), 64, &["store.url"]);
    let mend = ["no embedded store in nowhere", "`pulsewire store serve --dir nowhere`"];
    check(&machine.run(&["store", "sql", "SELECT 1", "--store-dir", "nowhere"]), 64, &mend);
}

#[test]
fn an_evaluation_needs_data_and_models() {
    let machine = Machine::new();
    check(&machine.run(&["evaluate", "--help"]), 0, &["--slice", "--against", "--markdown"]);
    check(&machine.run(&["evaluate", "--model", "news"]), 64, &["nothing to measure on", "--data"]);
    check(&machine.run(&["evaluate", "--model", "news", "--data", "rows.csv"]), 64, &["error: ", "news"]);
}

#[test]
fn a_model_explains_its_answers() {
    let machine = Machine::new();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/inference/tests/fixtures/tiny");
    let text = "Bank profit rises";
    let told = machine.run(&["explain", "--model", model, text, "--html", "reasons.html"]);
    check(&told, 0, &["sentiment: neutral 0.", "Bank profit rises\n", "raise it: ", "completeness error"]);
    assert!(!told.stdout.contains(&0x1b), "no terminal, no colours");
    assert!(fs::read_to_string(machine.path("reasons.html")).unwrap().contains(">profit</mark>"));
    fs::write(machine.path("feed.csv"), "headline\nshares fall\n\"  \"\nshares rise\nthe loss\n").unwrap();
    let rows = ["explain", "--model", model, "--data", "feed.csv", "--text", "headline", "--limit", "2", "--json"];
    let told = machine.run(&[&rows[..], &["--head", "topic", "--answer", "other"]].concat());
    let answer: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let explanations = answer["explanations"].as_array().unwrap();
    assert_eq!((explanations.len(), &explanations[1]["text"]), (2, &"shares rise".into()));
    assert_eq!((&explanations[1]["label"], &explanations[1]["words"][1]["start"]), (&"other".into(), &7.into()));
    let far = ["explain", "--model", model, "--data", "clickhouse:SELECT text FROM feed", "--store-url"];
    check(&machine.run(&[&far[..], &["http://127.0.0.1:1"]].concat()), 75, &["SELECT text FROM feed"]);
    check(&machine.run(&["explain", "--model", model]), 64, &["TEXT"]);
    check(&machine.run(&["explain", "--model", model, " "]), 64, &["it is empty"]);
    check(
        &machine.run(&["explain", "--model", model, text, "--answer", "bullish"]),
        64,
        &["\"bullish\"", "\"neutral\""],
    );
    check(&machine.run(&["explain", "--model", model, text, "--html", "no/such.html"]), 1, &["profit", "no/such.html"]);
}

#[test]
fn texts_or_a_runs_file_are_needed_to_learn_from() {
    let machine = Machine::new();
    for command in [&["adapt"][..], &["rank"], &["language-model", "train"]] {
        let with = |flags: &[&'static str]| machine.run(&[command, &["--out", "new"], flags].concat());
        check(&with(&[]), 64, &["--run <FILE>|--data <FILE>"]);
        check(&with(&["--data", "a.csv", "--run", "b.toml"]), 64, &["cannot be used with"]);
        check(&with(&["--run", "b.toml", "--seed", "5"]), 64, &["b.toml"]);
    }
}

#[test]
fn a_store_out_of_reach_ends_with_75() {
    let machine = Machine::new();
    check(&machine.run(&["store", "sql", "SELECT 1", "--store-url", "http://127.0.0.1:1"]), 75, &["error: "]);
}

#[test]
fn serving_a_store_without_the_engine_names_the_mend() {
    let machine = Machine::new();
    check(&machine.run(&["store", "serve"]), 64, &["ClickHouse engine", "`pulsewire setup`", "PULSEWIRE_CHDB"]);
}

#[test]
fn the_doctor_finds_an_empty_machine_wanting() {
    let machine = Machine::new();
    check(&machine.run(&["doctor"]), 1, &["MISSING", "pulsewire setup", "pip", "npm"]);
    let output = machine.run(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["healthy"], false);
    let missing = answer["findings"].as_array().unwrap().iter().filter(|finding| finding["state"] == "missing");
    assert!(missing.count() >= 2, "{answer}");
}

#[test]
fn setup_without_a_package_client_says_how_to_get_on() {
    let machine = Machine::new();
    let output = machine.run(&["setup", "--part", "onnxruntime"]);
    check(&output, 1, &["pip is not installed", "pip download", "onnxruntime==", "pulsewire setup --from"]);
    assert!(machine.parts().is_empty());
}

#[test]
fn setup_passes_on_what_a_failing_client_said() {
    let machine = Machine::new();
    machine.program("pip", "echo 'Network is unreachable' >&2; exit 1");
    let output = machine.run(&["setup", "--part", "onnxruntime"]);
    check(&output, 75, &["Network is unreachable", "exit status: 1", "check the network"]);
    assert!(machine.parts().is_empty());
}

#[test]
fn setup_refuses_an_archive_with_another_checksum() {
    let machine = Machine::new();
    let archive = wheel_name();
    machine.program("pip", &format!("printf 'not a wheel' > {archive}"));
    let output = machine.run(&["setup", "--part", "onnxruntime"]);
    // The digest of what came, as sha256sum tells it.
    let found = "e7dc6be13be0055dd03d1fe10caf78db0daa6327eb1f5b08c3e2dc8c06431cd2";
    check(&output, 1, &["is refused: expected sha256", found, "(11 bytes)"]);
    assert!(machine.parts().is_empty(), "{:?}", machine.parts());
}

#[test]
fn a_setup_that_was_killed_leaves_nothing_that_counts() {
    let machine = Machine::new();
    let archive = wheel_name();
    machine.program("pip", &format!("printf half > {archive}; kill -9 $PPID"));
    assert_eq!(machine.run(&["setup", "--part", "onnxruntime"]).status.code(), None);
    assert!(machine.parts().iter().all(|name| name.starts_with(".incoming-")) && !machine.parts().is_empty());
    check(&machine.run(&["setup", "--part", "onnxruntime", "--offline"]), 1, &["--offline"]);
    assert!(machine.parts().is_empty(), "{:?}", machine.parts());
}

#[test]
fn a_data_card_tells_what_is_in_labelled_files() {
    let machine = Machine::new();
    check(&machine.run(&["data", "card"]), 64, &["--data"]);
    let headline = "shares of the bank fall after a loss in the third quarter";
    fs::write(machine.path("news.csv"), format!("text,label\n{headline},down\nask jane@example.org,Up\nx,up\n"))
        .unwrap();
    fs::write(machine.path("test.csv"), format!("text,label\n{headline} today,up\nX,up\n")).unwrap();
    let arguments = ["data", "card", "--data", "news.csv", "--test", "test.csv", "--markdown", "card.md"];
    let words = ["LABELS", "\"up\" (news.csv:4) looks like \"Up\"", "j***@***.org (news.csv:3)", "test.csv:2", "setup"];
    let output = machine.run(&arguments);
    check(&output, 0, &words);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("jane"));
    let markdown = fs::read_to_string(machine.path("card.md")).unwrap();
    assert!(markdown.contains("| down | 1 | 33.3 % |") && !markdown.contains("jane"), "{markdown}");

    let output = machine.run(&[&arguments[..], &["--json"]].concat());
    let card: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&card["rows"], &card["tokens"]), (&3.into(), &serde_json::Value::Null));
    assert_eq!((&card["leakage"]["exact"]["rows"], &card["leakage"]["near"]["rows"]), (&1.into(), &1.into()));
    fs::write(machine.path("broken.csv"), "text,label\na\n").unwrap();
    check(&machine.run(&["data", "card", "--data", "broken.csv"]), 1, &["broken.csv:2: label"]);
}

#[test]
fn label_errors_and_disagreement_are_told() {
    let machine = Machine::new();
    let row = |text: &str, label: &str, up: f64| {
        format!(
            "{{\"text\":\"{text}\",\"label\":\"{label}\",\"probabilities\":{{\"down\":{},\"up\":{up}}}}}\n",
            1.0 - up
        )
    };
    let rows = [row("rise", "up", 0.9), row("fall", "up", 0.1), row("ask jane@example.org", "down", 0.25)].concat();
    fs::write(machine.path("rows.ndjson"), rows).unwrap();
    let arguments = ["data", "audit", "--out-of-fold", "rows.ndjson", "--csv", "errors.csv"];
    check(
        &machine.run(&arguments),
        0,
        &["LIKELY ERRORS OF LABEL", "1 of 3 rows", "-0.800  rows.ndjson:2  up     down"],
    );
    let errors = fs::read_to_string(machine.path("errors.csv")).unwrap();
    assert!(errors.ends_with("\nlabel,rows.ndjson,2,up,down,-0.8000,0.1000,0.9000,fall\n"), "{errors}");
    check(&machine.run(&["data", "audit"]), 64, &["--out-of-fold"]);
    check(&machine.run(&["cross-validate", "--data", "rows.csv", "--folds", "1"]), 64, &["pulsewire setup"]);

    fs::write(machine.path("ratings.csv"), "id,annotator,label\n1,ann,up\n1,bob,up\n2,ann,up\n2,bob,down\n").unwrap();
    let words = ["Krippendorff's alpha", "Fleiss' kappa", "ann, bob", "50.0 %"];
    check(&machine.run(&["data", "agreement", "--data", "ratings.csv"]), 0, &words);
    check(&machine.run(&["data", "agreement", "--data", "ratings.csv", "--id", "text"]), 64, &["no column \"text\""]);
}

#[test]
fn cleaned_files_are_written_and_counted() {
    let machine = Machine::new();
    let rows = "text,label,who\n<b>R&amp;D</b> up: http://a.example,up,1\nmail jane@example.org,down,2\nR&D UP: www.b.example,up,3\n";
    fs::write(machine.path("raw.csv"), rows).unwrap();
    let rules = ["--html", "--urls", "replace", "--mask-personal-data", "--column", "who"];
    let arguments = [&["data", "clean", "--data", "raw.csv", "--out", "clean.tsv"][..], &rules].concat();
    check(&machine.run(&arguments), 0, &["texts with HTML", "duplicates, left out", "written"]);
    let cleaned = fs::read_to_string(machine.path("clean.tsv")).unwrap();
    assert_eq!(cleaned, "text\tlabel\twho\nR&D up: [URL]\tup\t1\nmail [EMAIL]\tdown\t2\n");
    let output = machine.run(&[&arguments[..], &["--json"]].concat());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["rows_written"], &answer["urls"], &answer["duplicates"]), (&2.into(), &2.into(), &1.into()));
    check(
        &machine.run(&["data", "clean", "--data", "raw.csv", "--out", "./raw.csv"]),
        64,
        &["would overwrite raw.csv"],
    );
    check(&machine.run(&["data", "clean", "--data", "raw.csv", "--out", "out.txt"]), 64, &["tells no format"]);
    check(&machine.run(&["data", "clean", "--data", "raw.csv", "--out", "a.csv", "--urls", "hide"]), 64, &["hide"]);
}

/// The archive that the pins name.
fn wheel_name() -> String {
    let pins = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/parts.toml")).unwrap();
    let line = pins.lines().find(|line| line.starts_with("file = \"onnxruntime-")).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}
