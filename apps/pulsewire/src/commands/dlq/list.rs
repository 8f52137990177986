//! `pulsewire dlq list`.

use std::ops::ControlFlow;

use clap::Args;
use foundation::EventTime;
use serde_json::json;
use streaming::dead_letter::{self, DeadLetter};
use streaming::{StreamingError, TopicPartition};

use super::LetterArguments;
use crate::cli::Global;
use crate::settings::KafkaArguments;
use crate::terminal::print_line;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire dlq list --topic news
  pulsewire dlq list --topic news --stage decode.time --limit 20
  pulsewire dlq list --topic news --json | jq -r .error | sort | uniq -c

The same letters are in ClickHouse: pulsewire store sql \"SELECT stage, error, count() FROM dead_letters GROUP BY ALL\"";

/// How much of a payload a line shows.
const SHOWN_CHARACTERS: usize = 120;

/// Arguments of `dlq list`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListCommand {
    #[command(flatten)]
    letters: LetterArguments,
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// One JSON object a letter, with its payload as text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArguments,
}

impl ListCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let config = self.kafka.resolve(global)?;
        let (topic, filter) = self.letters.resolve(&config)?;
        let (mut listed, mut printed) = (0, Ok(()));
        let each = |at: &TopicPartition, offset: i64, letter: DeadLetter| {
            listed += 1;
            printed = print_line(if self.json { as_json(at, offset, &letter) } else { as_text(&letter) });
            if printed.is_err() || listed >= self.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match dead_letter::list(&config.kafka.connection, &topic, &filter, each).await {
            // The first dead letter makes the topic.
            Err(StreamingError::NoTopic { .. }) => tracing::info!("there is no topic {topic}, so no dead letter yet"),
            listed => listed?,
        }
        if listed == self.limit {
            tracing::info!("{listed} letters listed, there may be more: --limit");
        }
        printed
    }
}

fn as_text(letter: &DeadLetter) -> String {
    let DeadLetter { record, stage, error } = letter;
    let payload = String::from_utf8_lossy(&record.payload);
    let shown: String = payload.chars().take(SHOWN_CHARACTERS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = if payload.chars().nth(SHOWN_CHARACTERS).is_some() { "…" } else { "" };
    let replays = match letter.replays() {
        0 => String::new(),
        times => format!(" (sent back {times} times before)"),
    };
    let place = format!("{} {}:{}", record.topic, record.partition, record.offset);
    format!("{place}  {stage}: {error}{replays}\n    {} bytes: {shown}{more}", record.payload.len())
}

fn as_json(at: &TopicPartition, offset: i64, letter: &DeadLetter) -> String {
    let record = &letter.record;
    let time = record.timestamp.and_then(|millis| EventTime::from_millis(millis).ok());
    json!({
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "time": time,
        "stage": letter.stage,
        "error": letter.error,
        "replays": letter.replays(),
        "cut": letter.is_cut(),
        "key": record.key.as_ref().map(|key| String::from_utf8_lossy(key)),
        "bytes": record.payload.len(),
        "payload": String::from_utf8_lossy(&record.payload),
        "letter": { "topic": at.topic, "partition": at.partition, "offset": offset },
    })
    .to_string()
}
