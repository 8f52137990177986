//! Rows in and out of ClickHouse, and ClickHouse itself where there is no server.
//!
//! The client half is [`Store`]: blocks are inserted atomically and idempotently, migrations are versioned, and a server
//! that is out of reach is waited for rather than failed on. The server half is [`embedded`]: the ClickHouse engine as a
//! library, behind ClickHouse's own HTTP interface, so that an embedded store and a real server are the same thing to
//! every caller.
//!
//! Tables that every app shares ([`dead_letters`], [`alert_transitions`], [`alert_progress`],
//! [`training_metrics`]) are here; an app's own
//! tables are migrations that the app brings.

pub mod alert_progress;
pub mod alert_transitions;
pub mod columns;
mod config;
mod connection_file;
pub mod dead_letters;
pub mod embedded;
mod error;
mod migrations;
mod sql;
mod store;
mod tables;
pub mod training_metrics;

pub use clickhouse::Row;
pub use config::{StoreCompression, StoreConfig};
pub use connection_file::{CONNECTION_FILE, ConnectionFile};
pub use error::StorageError;
pub use migrations::{AppliedMigration, Migration};
pub use store::{BytesStream, MAX_BLOCK_ROWS, Store};
