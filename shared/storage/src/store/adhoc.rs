//! Queries that a person typed, answered in any of ClickHouse's formats.

use bytes::Bytes;
use clickhouse::query::BytesCursor;

use super::Store;
use crate::StorageError;

/// An answer's bytes, as they arrive.
pub struct BytesStream {
    cursor: BytesCursor,
    endpoint: String,
}

impl BytesStream {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        self.cursor.next().await.map_err(|source| StorageError::server("a query", &self.endpoint, source))
    }

    /// All that is left, in memory.
    pub async fn collect(mut self) -> Result<Vec<u8>, StorageError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

impl Store {
    /// Runs one statement as it stands and gives its answer in `format` (`PrettyCompact`, `JSONEachRow`, `CSVWithNames`, …)
    /// unless it names a format itself. Nothing is sent before the stream is read, and nothing is tried again.
    pub fn sql(&self, statement: &str, format: &str) -> Result<BytesStream, StorageError> {
        let cursor = self
            .client()
            .query_raw(statement)
            .fetch_bytes(format)
            .map_err(|source| StorageError::server("a query", self.endpoint(), source))?;
        Ok(BytesStream { cursor, endpoint: self.endpoint().to_owned() })
    }
}
