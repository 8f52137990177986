//! Atomic, idempotent inserts of whole blocks.

use clickhouse::{RowOwned, RowWrite};

use super::Store;
use crate::StorageError;

/// The most rows that one block may hold: beyond it the server would cut an insert into several parts.
pub const MAX_BLOCK_ROWS: usize = 1_000_000;

/// One block stays one part: its size in rows alone decides, and it is never handed to the server's own batching. Views
/// that hang on the table get a block even when the table itself already had it, for a crash may have come between the two.
const SETTINGS: [(&str, &str); 6] = [
    ("async_insert", "0"),
    ("insert_deduplicate", "1"),
    ("deduplicate_blocks_in_dependent_materialized_views", "1"),
    ("max_insert_block_size", "1048576"),
    ("min_insert_block_size_rows", "1048576"),
    ("min_insert_block_size_bytes", "0"),
];

impl Store {
    /// Inserts a block: all of its rows or none, and only once for one `deduplication_token`.
    ///
    /// Waits for a server that is down, overloaded or out of disk space, and sends the block again with the same token,
    /// so that an insert whose answer was lost is not stored twice. The token must belong to this content alone (topic,
    /// partition and offset range make a good one). The table, and the target of a materialized view on it, needs a
    /// `non_replicated_deduplication_window` or a replicated engine, and no partition key. An empty block is not sent.
    ///
    /// The first block for a table is checked column by column against the row type; a mismatch is
    /// [`foundation::FailureKind::Corrupt`]. Later ones are trusted until an insert fails.
    pub async fn insert_block<R>(&self, table: &str, rows: &[R], deduplication_token: &str) -> Result<(), StorageError>
    where
        R: RowOwned + RowWrite + Sync,
    {
        if rows.is_empty() {
            return Ok(());
        }
        if rows.len() > MAX_BLOCK_ROWS {
            let table = table.to_owned();
            return Err(StorageError::BlockTooLarge { table, rows: rows.len(), limit: MAX_BLOCK_ROWS });
        }
        let what = format!("insert of {} rows into {table}", rows.len());
        self.persist(&what, || self.send_block(table, rows, deduplication_token)).await
    }

    async fn send_block<R>(&self, table: &str, rows: &[R], token: &str) -> Result<(), clickhouse::error::Error>
    where
        R: RowOwned + RowWrite + Sync,
    {
        let agreed = (table.to_owned(), R::NAME);
        let trusted = self.agreements(|tables| tables.contains(&agreed));
        let client = if trusted { &self.inner.trusting } else { &self.inner.client };
        if !trusted {
            // Columns may have changed since the client read them last.
            client.clear_cached_metadata().await;
        }
        let sent = async {
            let mut insert = client.insert::<R>(table).await?;
            for (name, value) in SETTINGS {
                insert = insert.with_setting(name, value);
            }
            insert = insert.with_setting("insert_deduplication_token", token);
            for row in rows {
                insert.write(row).await?;
            }
            insert.end().await
        };
        let outcome = sent.await;
        self.agreements(|tables| match &outcome {
            Ok(()) => tables.insert(agreed),
            Err(_) => tables.remove(&agreed),
        });
        outcome
    }

    fn agreements<T>(&self, with: impl FnOnce(&mut std::collections::HashSet<(String, &'static str)>) -> T) -> T {
        // Only sets of names are held here, which are whole at any moment.
        with(&mut self.inner.agreed.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
