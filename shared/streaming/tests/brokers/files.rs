//! Files through the processor that serves topics.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streaming::consumer::BlockConfig;
use streaming::file::{FileFormat, process};
use streaming::{Decoder, FieldMapping, StreamingError};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::Ledger;

fn file(rows: u64, tail: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("feed.csv");
    let mut text = "published_utc,headline\n".to_owned();
    for row in 0..rows {
        writeln!(text, "2006-10-20 20:25:{:02},row {row}", row % 60).unwrap();
    }
    std::fs::write(&path, [text.as_bytes(), tail].concat()).unwrap();
    (directory, path)
}

fn limits() -> BlockConfig {
    BlockConfig { max_rows: 10.try_into().unwrap(), ..BlockConfig::default() }
}

fn headlines(ledger: &Ledger) -> Vec<String> {
    let decoder = Decoder::new(FieldMapping::default()).unwrap();
    ledger.records().iter().map(|record| decoder.decode(record).unwrap().text).collect()
}

fn rows(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|row| format!("row {row}")).collect()
}

async fn run(path: &Path, ledger: &Arc<Ledger>) -> Result<u64, StreamingError> {
    let done = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&done);
    let progress = move |rows| told.store(rows, Ordering::SeqCst);
    process(path, FileFormat::Csv, &limits(), Arc::clone(ledger), CancellationToken::new(), progress).await?;
    Ok(done.load(Ordering::SeqCst))
}

#[tokio::test]
async fn every_row_is_stored_in_order() {
    let (_directory, path) = file(95, b"");
    let ledger = Arc::new(Ledger::default());
    assert_eq!(run(&path, &ledger).await.unwrap(), 95);
    assert_eq!(headlines(&ledger), rows(0..95));
    assert!(ledger.records().iter().all(|record| &*record.topic == "feed.csv" && record.partition == 0));
}

#[tokio::test]
async fn a_second_run_resumes_after_the_stored_rows() {
    let (_directory, path) = file(95, b"");
    let ledger = Arc::new(Ledger::resuming_at(40));
    assert_eq!(run(&path, &ledger).await.unwrap(), 95);
    assert_eq!(headlines(&ledger), rows(40..95));
}

#[tokio::test]
async fn rows_before_a_broken_one_are_stored() {
    let (_directory, path) = file(25, b"2006-10-20 20:25:00,caf\xe9\n");
    let ledger = Arc::new(Ledger::default());
    let error = run(&path, &ledger).await.unwrap_err().to_string();
    assert!(error.contains("feed.csv:27: column \"headline\" is not UTF-8"), "{error}");
    assert_eq!(headlines(&ledger), rows(0..25));
}

#[tokio::test]
async fn a_store_error_ends_the_run_and_says_where() {
    let (_directory, path) = file(95, b"");
    let ledger = Arc::new(Ledger::failing_at(30));
    let error = run(&path, &ledger).await.unwrap_err().to_string();
    assert_eq!(error, "feed.csv[0] at offset 30: store failed");
    assert_eq!(headlines(&ledger), rows(0..30));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let error = run(Path::new("/no/such/feed.csv"), &Arc::new(Ledger::default())).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot use /no/such/feed.csv");
}
