//! Versions of the schema, on the real engine.

use foundation::{Failure as _, FailureKind};
use storage::{Migration, StorageError, Store};
use tokio_util::sync::CancellationToken;

use crate::support::{own_database, own_store, runtime};

const FIRST: Migration = Migration {
    version: 1,
    name: "first",
    sql: "-- two statements; in one step
          CREATE TABLE IF NOT EXISTS a (id UInt64) ENGINE = MergeTree ORDER BY id;
          CREATE TABLE IF NOT EXISTS b (id UInt64, s String DEFAULT ';') ENGINE = MergeTree ORDER BY id;",
};
const SECOND: Migration =
    Migration { version: 2, name: "second", sql: "ALTER TABLE a ADD COLUMN IF NOT EXISTS more String" };

#[test]
fn each_step_is_applied_once_and_in_order() {
    runtime().block_on(async {
        let store = own_store().await;
        assert_eq!(store.migrate("app", &[FIRST]).await.unwrap(), [FIRST]);
        assert_eq!(store.migrate("app", &[FIRST, SECOND]).await.unwrap(), [SECOND]);
        assert_eq!(store.migrate("app", &[FIRST, SECOND]).await.unwrap(), []);
        store.execute("INSERT INTO a (id, more) VALUES (1, 'x')").await.unwrap();
        store.execute("INSERT INTO b (id) VALUES (1)").await.unwrap();
        let applied = store.applied_migrations("app").await.unwrap();
        let found: Vec<_> = applied.iter().map(|done| (done.version, done.name.as_str())).collect();
        assert_eq!(found, [(1, "first"), (2, "second")]);
    });
}

#[test]
fn a_changed_step_and_a_newer_schema_are_refused() {
    runtime().block_on(async {
        let store = own_store().await;
        store.migrate("app", &[FIRST, SECOND]).await.unwrap();
        let changed = Migration { sql: "SELECT 1", ..FIRST };
        let error = store.migrate("app", &[changed, SECOND]).await.unwrap_err();
        assert!(matches!(error, StorageError::MigrationChanged { version: 1, .. }), "{error}");
        let error = store.migrate("app", &[FIRST]).await.unwrap_err();
        assert!(matches!(error, StorageError::SchemaNewer { found: 2, known: 1, .. }), "{error}");
        assert_eq!(error.kind(), FailureKind::Configuration);
        assert!(store.migrate("other", &[SECOND]).await.is_err());
    });
}

#[test]
fn two_processes_may_migrate_at_once() {
    runtime().block_on(async {
        let config = own_database();
        let connect = || Store::connect_when_up(&config, CancellationToken::new());
        let (one, other) = tokio::join!(connect(), connect());
        let (one, other) = (one.unwrap(), other.unwrap());
        let (first, second) =
            tokio::join!(one.migrate("app", &[FIRST, SECOND]), other.migrate("app", &[FIRST, SECOND]));
        first.unwrap();
        second.unwrap();
        assert_eq!(one.applied_migrations("app").await.unwrap().len(), 2);
    });
}
