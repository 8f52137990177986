//! What is acknowledged stays, whatever becomes of the server.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use storage::{ConnectionFile, Store};
use tokio_util::sync::CancellationToken;

use crate::support::{ANY_PORT, StoreProcess, runtime};

const BLOCK: u64 = 500;
const WRITERS: u64 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
struct Numbered {
    writer: u64,
    id: u64,
    text: String,
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS numbered (writer UInt64, id UInt64, text String)
    ENGINE = MergeTree ORDER BY (writer, id) SETTINGS non_replicated_deduplication_window = 10000";

fn block(writer: u64, number: u64) -> Vec<Numbered> {
    let text = "t".repeat(100);
    (0..BLOCK).map(|row| Numbered { writer, id: number * BLOCK + row, text: text.clone() }).collect()
}

/// Inserts block after block until told to stop, and counts those that were acknowledged.
async fn write(store: Store, writer: u64, acknowledged: &AtomicU64, stop: CancellationToken) {
    for number in 0.. {
        if stop.is_cancelled() {
            return;
        }
        store.insert_block("numbered", &block(writer, number), &format!("{writer} {number}")).await.unwrap();
        acknowledged.store(number + 1, Ordering::SeqCst);
    }
}

#[test]
fn killed_in_mid_insert_no_acknowledged_block_is_lost_and_none_is_doubled() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = StoreProcess::start(directory.path(), ANY_PORT);
    let connection = ConnectionFile::read(directory.path()).unwrap();
    let address = connection.url.strip_prefix("http://").unwrap().to_owned();
    runtime().block_on(async {
        let stop = CancellationToken::new();
        let store = Store::connect_when_up(&connection.config(), CancellationToken::new()).await.unwrap();
        store.execute(TABLE).await.unwrap();
        let acknowledged: &'static [AtomicU64; WRITERS as usize] = Box::leak(Box::default());
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write(store.clone(), writer, &acknowledged[writer as usize], stop.clone())))
            .collect();
        for round in 1..=4u64 {
            // Each round gets further before it is killed, at another moment of an insert each time.
            let goal = acknowledged[0].load(Ordering::SeqCst) + 3 * round;
            while acknowledged[0].load(Ordering::SeqCst) < goal {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::task::spawn_blocking(move || process.kill()).await.unwrap();
            process = StoreProcess::start(directory.path(), &address);
        }
        stop.cancel();
        for writer in writers {
            writer.await.unwrap();
        }
        for (writer, blocks) in acknowledged.iter().enumerate() {
            let rows = blocks.load(Ordering::SeqCst) * BLOCK;
            let sql = "SELECT count(), uniqExact(id), min(id), max(id) FROM numbered WHERE writer = ?";
            let found: (u64, u64, u64, u64) = store.fetch_one(store.query(sql).bind(writer as u64)).await.unwrap();
            assert_eq!(found, (rows, rows, 0, rows - 1), "writer {writer}");
        }
        process.stop();
    });
}

#[test]
fn a_second_process_is_refused_and_told_which_one_is_first() {
    let directory = tempfile::tempdir().unwrap();
    let first = StoreProcess::start(directory.path(), ANY_PORT);
    let (_second, word) = StoreProcess::launch(directory.path(), ANY_PORT);
    let path = directory.path().canonicalize().unwrap();
    assert!(word.starts_with("failed ") && word.contains(&format!("(id {})", first.id())), "{word}");
    assert!(word.contains(path.to_str().unwrap()), "{word}");
    let connection = ConnectionFile::read(directory.path()).unwrap();
    runtime().block_on(async {
        let store = Store::connect_when_up(&connection.config(), CancellationToken::new()).await.unwrap();
        store.check().await.unwrap();
    });
    first.stop();
}

/// A small file system in memory; taken away when dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(at).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_is_waited_out() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(directory.path()) else {
        println!("skipped: a tmpfs can be mounted by root only");
        return;
    };
    let process = StoreProcess::start(directory.path(), ANY_PORT);
    let connection = ConnectionFile::read(directory.path()).unwrap();
    runtime().block_on(async {
        let store = Store::connect_when_up(&connection.config(), CancellationToken::new()).await.unwrap();
        store.execute(TABLE).await.unwrap();
        store.insert_block("numbered", &block(0, 0), "0 0").await.unwrap();
        let ballast = directory.path().join("ballast");
        fill(&ballast);
        let insert = tokio::spawn({
            let store = store.clone();
            async move { store.insert_block("numbered", &block(0, 1), "0 1").await }
        });
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(!insert.is_finished(), "{:?}", insert.await);
        std::fs::remove_file(ballast).unwrap();
        insert.await.unwrap().unwrap();
        let rows: u64 = store.fetch_one(store.query("SELECT count() FROM numbered")).await.unwrap();
        assert_eq!(rows, 2 * BLOCK);
    });
    process.stop();
}

/// Writes until the disk takes no more.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    for size in [1 << 20, 4096, 1] {
        while file.write(&vec![b'x'; size]).is_ok_and(|written| written > 0) {}
    }
}
