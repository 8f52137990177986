//! Rows of a query or a topic, one JSON object a line.

use std::io::{BufWriter, Write};

use anyhow::Context as _;
use foundation::progress::{Progress, Unit};
use serde_json::{Map, Value};
use service::CancellationToken;
use storage::{Store, StoreConfig};
use streaming::topic_reader::{ReadFrom, ReadUntil};
use streaming::{ConnectionConfig, TopicReader};

/// Writes a query's rows in the order in which the server gives them, and tells how many.
///
/// The query stands inside another one: whatever is no SELECT, the server refuses.
pub(super) async fn query(store: &StoreConfig, query: &str, name: &str, out: impl Write) -> anyhow::Result<u64> {
    let statement = format!("SELECT * FROM (\n{}\n)", query.trim().trim_end_matches(';'));
    let store = Store::new(store, CancellationToken::new())?;
    let mut answer = store.sql(&statement, "JSONEachRow")?;
    let progress = Progress::start(format!("reading {name}"), None, Unit::Items("rows"));
    let (mut out, mut rows) = (BufWriter::new(out), 0);
    while let Some(piece) = answer.next().await? {
        out.write_all(&piece)?;
        let count = piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        progress.advance(count);
        rows += count;
    }
    out.flush()?;
    progress.finish();
    Ok(rows)
}

/// Writes a topic's messages, from the oldest to those that were the newest at the start, partition after partition, and tells how
/// many. Messages without a value are left out.
pub(super) async fn topic(kafka: &ConnectionConfig, topic: &str, name: &str, out: impl Write) -> anyhow::Result<u64> {
    let mut reader = TopicReader::open(kafka, topic, ReadFrom::Beginning, ReadUntil::End).await?;
    let progress = Progress::start(format!("reading {name}"), None, Unit::Items("messages"));
    let mut lines = Vec::new();
    while let Some(record) = reader.next().await {
        let record = record?;
        progress.advance(1);
        if !record.payload.is_empty() {
            // A message may have line breaks between its fields.
            let object: Map<String, Value> = serde_json::from_slice(&record.payload).with_context(|| {
                format!(
                    "the message at offset {} of partition {} is not a JSON object",
                    record.offset, record.partition
                )
            })?;
            lines.push((record.partition, record.offset, serde_json::to_string(&object)?));
        }
    }
    progress.finish();
    // Partitions arrive as they like; the same messages are to give the same rows.
    lines.sort_unstable_by_key(|(partition, offset, _)| (*partition, *offset));
    let mut out = BufWriter::new(out);
    lines.iter().try_for_each(|(_, _, line)| writeln!(out, "{line}"))?;
    out.flush()?;
    Ok(lines.len() as u64)
}
