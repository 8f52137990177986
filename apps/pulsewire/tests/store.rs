//! `pulsewire store` on the real engine: passwords, crashes, a second process, queries from the shell.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use testkit::StoreServer;

fn store(home: &TempDir) -> StoreServer {
    StoreServer::start(&home.path().join("store")).unwrap()
}

/// Runs the command with a home of its own; the parts come from the user's cache.
fn pulsewire(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulsewire"));
    command.args(arguments).env("PULSEWIRE_HOME", home).env_remove("RUST_LOG").output().unwrap()
}

fn check(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

#[test]
fn migrates_and_answers_queries_of_the_shell() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    check(&pulsewire(home.path(), &["store", "sql", "SHOW TABLES"]), 64, &["pulsewire store migrate"]);
    check(&pulsewire(home.path(), &["store", "migrate"]), 0, &["sentiment-monitor", "dead letters"]);
    check(&pulsewire(home.path(), &["store", "migrate"]), 0, &["is up to date"]);
    let answer = pulsewire(home.path(), &["store", "sql", "SELECT number, 'x' FROM numbers(2)"]);
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "0\tx\n1\tx\n");
    let answer = pulsewire(home.path(), &["store", "sql", "SELECT 1 AS a", "--format", "JSONEachRow"]);
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "{\"a\":1}\n");
    check(&pulsewire(home.path(), &["store", "sql", "SELECT nonsense"]), 1, &["nonsense"]);
    // Another home finds the same store by its folder.
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = home.path().join("store");
    let by_folder = pulsewire(elsewhere.path(), &["store", "sql", "SELECT 7", "--store-dir", folder.to_str().unwrap()]);
    check(&by_folder, 0, &["7\n"]);
    drop(store);
}

#[test]
fn keeps_rows_and_password_over_a_kill() {
    let home = tempfile::tempdir().unwrap();
    let mut store = store(&home);
    let before = store.connection().clone();
    store.query("CREATE DATABASE kept").unwrap();
    store.query("CREATE TABLE kept.rows (id UInt64) ENGINE = MergeTree ORDER BY id").unwrap();
    store.query("INSERT INTO kept.rows SELECT number FROM numbers(1000)").unwrap();
    store.kill().unwrap();
    store.restart().unwrap();
    assert_eq!(store.connection(), &before);
    assert_eq!(store.number("SELECT count() FROM kept.rows").unwrap(), 1000);
    assert!(store.stop().unwrap().success());
}

#[test]
fn refuses_a_second_process_and_a_wrong_password() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    check(&pulsewire(home.path(), &["store", "serve", "--port", "0"]), 64, &["open in another process"]);
    let file = home.path().join("store/pulsewire-store.json");
    let text = fs::read_to_string(&file).unwrap().replace(&store.connection().password, "wrong");
    fs::write(&file, text).unwrap();
    let refused = pulsewire(home.path(), &["store", "sql", "SELECT 1"]);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(!String::from_utf8(refused.stdout).unwrap().contains('1'));
}
