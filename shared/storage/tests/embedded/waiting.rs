//! A server that is not there: waited for, resumed with, given up on at a shutdown.

use std::net::TcpListener;
use std::time::Duration;

use foundation::{Failure as _, FailureKind};
use storage::{ConnectionFile, StorageError, Store, StoreConfig};
use tokio_util::sync::CancellationToken;

use crate::support::{StoreProcess, runtime};

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
