//! Tables of text, whose columns are known only when a command runs.

use bytes::Bytes;

use super::Store;
use crate::StorageError;
use crate::sql::identifier;

/// Rows of one insert. A table that is someone else's may cut it into parts for reasons of its own.
const BLOCK_ROWS: usize = 100_000;

impl Store {
    /// Makes a table with these columns, all of text, unless there is one of this name. Waits for the server.
    pub async fn make_text_table(&self, table: &str, columns: &[String]) -> Result<(), StorageError> {
        let columns: Vec<String> = columns.iter().map(|name| format!("{} String", identifier(name))).collect();
        self.execute(&format!(
            "CREATE TABLE IF NOT EXISTS {} ({}) ENGINE = MergeTree ORDER BY tuple() \
             SETTINGS non_replicated_deduplication_window = 1000",
            identifier(table),
            columns.join(", ")
        ))
        .await
    }

    /// Adds rows to a table, `lines` being a JSON object with the columns' names in each line. Waits for the server; what is sent
    /// again because an answer was lost is stored once in a table of [`Store::make_text_table`]. `token` tells this call from others.
    pub async fn insert_json_lines(&self, table: &str, lines: Bytes, token: &str) -> Result<(), StorageError> {
        let statement = format!("INSERT INTO {} FORMAT JSONEachRow", identifier(table));
        for (number, block) in blocks(lines, BLOCK_ROWS).into_iter().enumerate() {
            let token = format!("{token} {number}");
            let send = || {
                let mut insert = self.client().insert_formatted_with(&statement);
                for (name, value) in [
                    ("async_insert", "0"),
                    ("input_format_skip_unknown_fields", "0"),
                    ("insert_deduplication_token", token.as_str()),
                ] {
                    insert = insert.with_setting(name, value);
                }
                let block = block.clone();
                async move {
                    insert.send(block).await?;
                    insert.end().await
                }
            };
            self.persist(&format!("insert into {table}"), send).await?;
        }
        Ok(())
    }
}

/// The lines in pieces of at most so many.
fn blocks(mut lines: Bytes, most: usize) -> Vec<Bytes> {
    let mut blocks = Vec::new();
    while !lines.is_empty() {
        let last = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(most - 1);
        let end = last.map_or(lines.len(), |(at, _)| at + 1);
        blocks.push(lines.split_to(end));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_whole_lines() {
        let found = blocks(Bytes::from_static(b"1\n2\n3\n4\n5"), 2);
        assert_eq!(found, ["1\n2\n", "3\n4\n", "5"]);
        assert_eq!(blocks(Bytes::from_static(b"1\n2\n"), 2), ["1\n2\n"]);
        assert!(blocks(Bytes::new(), 2).is_empty());
    }
}
