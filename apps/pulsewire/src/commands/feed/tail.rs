//! `pulsewire feed tail`.

use std::time::Duration;

use clap::Args;
use foundation::EventTime;
use serde_json::{Map, Value, json};
use service::Lifecycle;
use streaming::topic_reader::{ReadFrom, ReadUntil};
use streaming::{Record, TopicReader};

use super::topic_or_configured;
use crate::cli::Global;
use crate::settings::KafkaArguments;
use crate::terminal::print_line;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire feed tail --topic news                          what arrives from now on
  pulsewire feed tail --topic news --beginning --limit 10   the oldest ten
  pulsewire feed tail --topic alerts --beginning --end --json > alerts.ndjson

Reads without a consumer group: nothing is committed, and no monitor is disturbed.";

/// Arguments of `feed tail`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TailCommand {
    /// Topic [default: the configuration's]
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Start with the oldest message
    #[arg(long)]
    beginning: bool,
    /// Stop at what is the end now
    #[arg(long)]
    end: bool,
    /// Stop after so many messages
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// One JSON object a message, with partition, offset, time, key and headers
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArguments,
}

impl TailCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let config = self.kafka.resolve(global)?;
        let topic = topic_or_configured(self.topic, &config.kafka.topics)?;
        let from = if self.beginning { ReadFrom::Beginning } else { ReadFrom::Now };
        let until = if self.end { ReadUntil::End } else { ReadUntil::Stopped };
        let lifecycle = Lifecycle::with_signals(Duration::ZERO)?;
        let opening = TopicReader::open(&config.kafka.connection, &topic, from, until);
        let mut reader = lifecycle.starting(opening).await??;
        let (shutdown, mut printed) = (lifecycle.shutdown(), 0);
        while self.limit.is_none_or(|limit| printed < limit) {
            let Some(Some(record)) = shutdown.run_until_cancelled(reader.next()).await else { break };
            let record = record?;
            print_line(if self.json { as_json(&record) } else { as_text(&record) })?;
            printed += 1;
        }
        Ok(())
    }
}

fn as_text(record: &Record) -> String {
    // One message a line, whatever it holds.
    String::from_utf8_lossy(&record.payload).replace(['\n', '\r'], " ")
}

fn as_json(record: &Record) -> String {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
    let headers: Map<String, Value> = record.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    // A payload that is JSON stays what it is.
    let payload = serde_json::from_slice(&record.payload).unwrap_or_else(|_| text(&record.payload));
    json!({
        "partition": record.partition,
        "offset": record.offset,
        "time": record.timestamp.and_then(|millis| EventTime::from_millis(millis).ok()),
        "key": record.key.as_deref().map(text),
        "headers": headers,
        "payload": payload,
    })
    .to_string()
}
