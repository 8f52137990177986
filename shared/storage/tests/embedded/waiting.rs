//! A server that is not there: waited for, resumed with, given up on at a shutdown.

use std::net::TcpListener;
use std::time::Duration;

use foundation::{Failure as _, FailureKind};
use storage::{ConnectionFile, StorageError, Store, StoreConfig};
use tokio_util::sync::CancellationToken;

use crate::support::{ANY_PORT, StoreProcess, own_store, post, runtime};

/// A port that was free a moment ago.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_store_that_starts_later_is_waited_for_and_resumed_with() {
    let directory = tempfile::tempdir().unwrap();
    let address = free_address();
    // The first run leaves the password that the next ones keep.
    StoreProcess::start(directory.path(), &address).stop();
    let config = ConnectionFile::read(directory.path()).unwrap().config();
    runtime().block_on(async {
        let early = tokio::spawn({
            let config = config.clone();
            async move { Store::connect_when_up(&config, CancellationToken::new()).await }
        });
        // Refused at least once before the store is there.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!early.is_finished());
        let process = StoreProcess::start(directory.path(), &address);
        let store = early.await.unwrap().unwrap();
        store.execute("CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id").await.unwrap();
        process.stop();
        assert_eq!(store.check().await.unwrap_err().kind(), FailureKind::Unavailable);
        let insert = tokio::spawn({
            let store = store.clone();
            async move { store.insert_block("t", &[Single { id: 1 }], "a").await }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!insert.is_finished());
        let again = StoreProcess::start(directory.path(), &address);
        insert.await.unwrap().unwrap();
        assert_eq!(store.fetch_one::<u64>(store.query("SELECT count() FROM t")).await.unwrap(), 1);
        again.stop();
    });
}

#[test]
fn a_query_that_is_always_too_slow_is_an_error() {
    runtime().block_on(async {
        let store = own_store().await;
        let query = store.query("SELECT sum(number) FROM numbers_mt(100000000000000)");
        let error = store.fetch_one::<u64>(query.with_setting("max_execution_time", "1")).await.unwrap_err();
        assert_eq!(error.code(), Some(159), "{error:?}");
    });
}

#[test]
fn a_stop_ends_the_queries_that_still_run_after_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let process = StoreProcess::start(directory.path(), ANY_PORT);
    let connection = ConnectionFile::read(directory.path()).unwrap();
    let running = std::thread::spawn(move || {
        let sql = b"SELECT sum(number) FROM numbers_mt(100000000000000)";
        post(&connection, "/", &[], sql, sql.len())
    });
    runtime().block_on(async {
        let config = ConnectionFile::read(directory.path()).unwrap().config();
        let store = Store::connect_when_up(&config, CancellationToken::new()).await.unwrap();
        let sql = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(number)%'";
        while store.fetch_one::<u64>(store.query(sql)).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    process.stop();
    assert!(running.join().unwrap().is_none_or(|answer| answer.status != 200));
}

#[derive(clickhouse::Row, serde::Serialize, serde::Deserialize)]
struct Single {
    id: u64,
}

#[test]
fn a_shutdown_ends_the_wait() {
    runtime().block_on(async {
        let shutdown = CancellationToken::new();
        let config = StoreConfig { url: format!("http://{}", free_address()), ..StoreConfig::default() };
        let waiting = tokio::spawn({
            let (config, shutdown) = (config.clone(), shutdown.clone());
            async move { Store::connect_when_up(&config, shutdown).await }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!waiting.is_finished());
        shutdown.cancel();
        let error = waiting.await.unwrap().unwrap_err();
        assert!(matches!(error, StorageError::Stopped { .. }), "{error:?}");
    });
}
