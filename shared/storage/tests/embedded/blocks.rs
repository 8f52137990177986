//! Blocks of rows: types, atomicity, deduplication.

use clickhouse::Row;
use foundation::{EventTime, Failure as _, FailureKind};
use serde::{Deserialize, Serialize};
use storage::{Store, StoreCompression, StoreConfig};
use tokio_util::sync::CancellationToken;

use crate::support::{own_database, own_store, runtime};

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Everything {
    id: u64,
    #[serde(with = "storage::columns::event_time")]
    at: EventTime,
    #[serde(with = "storage::columns::event_time_option")]
    maybe_at: Option<EventTime>,
    label: String,
    entities: Vec<(String, f32)>,
    note: Option<String>,
    counts: Vec<(String, u32)>,
    probabilities: Vec<f32>,
    raw: bytes::Bytes,
    novel: bool,
    small: i32,
}

const EVERYTHING: &str = "CREATE TABLE everything (
    id UInt64, at DateTime64(3, 'UTC'), maybe_at Nullable(DateTime64(3, 'UTC')), label LowCardinality(String),
    entities Array(Tuple(String, Float32)), note Nullable(String), counts Map(String, UInt32),
    probabilities Array(Float32), raw String, novel Bool, small Int32
) ENGINE = ReplacingMergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100";

fn everything(id: u64) -> Everything {
    Everything {
        id,
        at: EventTime::from_millis(1_161_375_900_123).unwrap(),
        maybe_at: id.is_multiple_of(2).then_some(EventTime::MAX),
        label: format!("label {}", id % 7),
        entities: vec![("Lehman Brothers".into(), 0.75), ("é\u{0}\n\n'".into(), -1.0)],
        note: id.is_multiple_of(3).then(|| "a note\n\nwith a blank line".into()),
        counts: vec![("a".into(), 1), ("b".into(), 2)],
        probabilities: vec![0.1, 0.2, 0.7],
        raw: bytes::Bytes::from_static(b"\xff\xfe\n\n\0"),
        novel: id.is_multiple_of(5),
        small: -7,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
struct Plain {
    id: u64,
    text: String,
}

const PLAIN: &str = "CREATE TABLE plain (id UInt64, text String)
    ENGINE = ReplacingMergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100";

fn plain(ids: std::ops::Range<u64>) -> Vec<Plain> {
    ids.map(|id| Plain { id, text: format!("row {id}") }).collect()
}

async fn count(store: &Store, table: &str) -> u64 {
    store.fetch_one(store.query(&format!("SELECT count() FROM {table}"))).await.unwrap()
}

async fn rows_come_back_as_they_went(config: StoreConfig) {
    let store = Store::connect_when_up(&config, CancellationToken::new()).await.unwrap();
    store.execute(EVERYTHING).await.unwrap();
    let rows: Vec<Everything> = (0..3000).map(everything).collect();
    // Twice: the first block is checked against the table, the second is trusted.
    store.insert_block("everything", &rows[..10], "first").await.unwrap();
    store.insert_block("everything", &rows[10..], "second").await.unwrap();
    let back: Vec<Everything> =
        store.fetch_all(store.query("SELECT ?fields FROM everything ORDER BY id")).await.unwrap();
    assert!(back == rows);
}

#[test]
fn every_type_in_use_survives_the_way_there_and_back() {
    runtime().block_on(rows_come_back_as_they_went(own_database()));
}

#[test]
fn compressed_both_ways_too() {
    let config = StoreConfig { compression: StoreCompression::Lz4, ..own_database() };
    runtime().block_on(rows_come_back_as_they_went(config));
}

#[test]
fn a_block_of_a_hundred_thousand_rows_is_one_part() {
    runtime().block_on(async {
        let store = own_store().await;
        store.execute(PLAIN).await.unwrap();
        store.execute("SYSTEM STOP MERGES plain").await.unwrap();
        let wide: Vec<Plain> = (0..100_000).map(|id| Plain { id, text: "x".repeat(3000) }).collect();
        // 300 MB: beyond the size at which a server would cut an insert by bytes, and beyond this server's body limit.
        let error = store.insert_block("plain", &wide, "too wide").await.unwrap_err();
        assert_eq!(error.code(), Some(307), "{error:?}");
        assert_eq!(count(&store, "plain").await, 0);
        let narrow: Vec<Plain> = (0..100_000).map(|id| Plain { id, text: "x".repeat(300) }).collect();
        store.insert_block("plain", &narrow, "narrow").await.unwrap();
        let parts = "SELECT count() FROM system.parts WHERE database = ? AND table = 'plain' AND active";
        assert_eq!(store.fetch_one::<u64>(store.query(parts).bind(store.database())).await.unwrap(), 1);
        assert_eq!(count(&store, "plain").await, 100_000);
    });
}

#[test]
fn a_token_lets_a_block_in_once() {
    runtime().block_on(async {
        let store = own_store().await;
        store.execute(PLAIN).await.unwrap();
        store.execute("SYSTEM STOP MERGES plain").await.unwrap();
        for _ in 0..3 {
            store.insert_block("plain", &plain(0..100), "topic/0 0-99").await.unwrap();
        }
        assert_eq!(count(&store, "plain").await, 100);
        store.insert_block("plain", &plain(0..100), "topic/1 0-99").await.unwrap();
        assert_eq!(count(&store, "plain").await, 200);
        store.insert_block::<Plain>("plain", &[], "nothing").await.unwrap();
    });
}

#[test]
fn a_view_gets_a_block_that_its_table_had_before_a_crash() {
    runtime().block_on(async {
        let store = own_store().await;
        store.execute(PLAIN).await.unwrap();
        let rows = plain(0..100);
        store.insert_block("plain", &rows, "a").await.unwrap();
        // As after a crash between the table's part and the view's.
        store
            .execute(
                "CREATE TABLE counted (n UInt64) ENGINE = MergeTree ORDER BY tuple()
                 SETTINGS non_replicated_deduplication_window = 100",
            )
            .await
            .unwrap();
        store.execute("CREATE MATERIALIZED VIEW counting TO counted AS SELECT count() AS n FROM plain").await.unwrap();
        for _ in 0..2 {
            store.insert_block("plain", &rows, "a").await.unwrap();
            assert_eq!(count(&store, "plain").await, 100);
            let counted: u64 = store.fetch_one(store.query("SELECT sum(n) FROM counted")).await.unwrap();
            assert_eq!(counted, 100);
        }
    });
}

#[test]
fn a_row_type_that_does_not_fit_the_table_is_refused() {
    #[derive(Row, Serialize, Deserialize)]
    struct OtherType {
        id: String,
        text: String,
    }
    #[derive(Row, Serialize, Deserialize)]
    struct OtherName {
        id: u64,
        words: String,
    }
    runtime().block_on(async {
        let store = own_store().await;
        store.execute(PLAIN).await.unwrap();
        let typed = [OtherType { id: "1".into(), text: "a".into() }];
        let named = [OtherName { id: 1, words: "a".into() }];
        for error in [
            store.insert_block("plain", &typed, "a").await.unwrap_err(),
            store.insert_block("plain", &named, "b").await.unwrap_err(),
            store.insert_block("nowhere", &plain(0..1), "c").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), FailureKind::Corrupt, "{error:?}");
        }
        assert_eq!(count(&store, "plain").await, 0);
        // A column that comes later does not stop the rows that lack it.
        store.insert_block("plain", &plain(0..1), "d").await.unwrap();
        store.execute("ALTER TABLE plain ADD COLUMN later UInt8 DEFAULT 7").await.unwrap();
        store.insert_block("plain", &plain(1..2), "e").await.unwrap();
        assert_eq!(count(&store, "plain").await, 2);
    });
}

#[test]
fn the_highest_offset_is_found_or_absent() {
    #[derive(Row, Serialize, Deserialize)]
    struct Placed {
        topic: String,
        partition: i32,
        offset: i64,
    }
    runtime().block_on(async {
        let store = own_store().await;
        store
            .execute(
                "CREATE TABLE placed (topic LowCardinality(String), `partition` Int32, `offset` Int64)
                 ENGINE = ReplacingMergeTree ORDER BY (topic, `partition`, `offset`)",
            )
            .await
            .unwrap();
        assert_eq!(store.highest_offset("placed", "feed", 1).await.unwrap(), None);
        let rows: Vec<Placed> = (0..50).map(|offset| Placed { topic: "feed".into(), partition: 1, offset }).collect();
        store.insert_block("placed", &rows, "a").await.unwrap();
        assert_eq!(store.highest_offset("placed", "feed", 1).await.unwrap(), Some(49));
        assert_eq!(store.highest_offset("placed", "feed", 0).await.unwrap(), None);
        assert_eq!(store.highest_offset("placed", "it's", 0).await.unwrap(), None);
    });
}
