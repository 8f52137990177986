//! `pulsewire feed send`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use foundation::progress::{Progress, Unit};
use service::Lifecycle;
use streaming::Offsets;
use streaming::feed::{Pace, SendOptions, SendReport, Speed, send};
use streaming::file::FileFormat;

use super::topic_or_configured;
use crate::cli::Global;
use crate::exit::UsageError;
use crate::settings::{KafkaArguments, serde_name};
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire feed send headlines.csv --topic news                               as fast as the broker takes it
  pulsewire feed send headlines.csv --topic news --time published_utc          at its own pace
  pulsewire feed send headlines.tsv --topic news --time published_utc --speed 3600   an hour in a second
  pulsewire feed send tweets.ndjson --topic news --key ticker --limit 1000

Each row becomes a JSON object with the columns' names. Stopped by a signal, it says where to go on (--from-row).";

/// Arguments of `feed send`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SendCommand {
    /// CSV, TSV or NDJSON file
    file: PathBuf,
    /// Topic [default: the configuration's]
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// csv, tsv, tsv-quoted or ndjson [default: by the file's ending]
    #[arg(long, value_name = "FORMAT", value_parser = serde_name::<FileFormat>)]
    format: Option<FileFormat>,
    /// Column that becomes the messages' key: equal keys keep their order
    #[arg(long, value_name = "COLUMN")]
    key: Option<String>,
    /// Column of the rows' times: send each when it is due
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// How many times faster than the feed's own pace
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, requires = "time")]
    speed: f64,
    /// Begin with this row, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    from_row: u64,
    /// Send at most so many rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Make the topic with so many partitions if it does not exist
    #[arg(long, value_name = "N")]
    partitions: Option<i32>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArguments,
}

impl SendCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let config = self.kafka.resolve(global)?;
        let connection = &config.kafka.connection;
        let topic = topic_or_configured(self.topic, &config.kafka.topics)?;
        let format = format_of(&self.file, self.format)?;
        let lifecycle = Lifecycle::with_signals(Duration::ZERO)?;
        if let Some(partitions) = self.partitions {
            let offsets = Offsets::connect(connection, "pulsewire-feed")?;
            lifecycle.starting(offsets.ensure_topic(&topic, partitions)).await??;
        }
        let pace = match self.time {
            Some(time_column) => Pace::Timed(Speed { time_column, factor: self.speed }),
            None => Pace::Unlimited,
        };
        let options = SendOptions {
            path: self.file.clone(),
            format,
            topic: topic.clone(),
            key_column: self.key,
            pace,
            first_row: self.from_row,
            limit: self.limit,
        };
        let progress = Progress::start(format!("sending to {topic}"), self.limit, Unit::Items("messages"));
        let sent = send(connection, &options, &lifecycle.shutdown(), |report| progress.set(report.acknowledged)).await;
        progress.finish();
        let report = sent?;
        if self.json {
            print_json(&as_json(&report))
        } else {
            print_line(as_text(&report, &topic, lifecycle.is_stopping()))
        }
    }
}

fn format_of(file: &Path, given: Option<FileFormat>) -> Result<FileFormat, UsageError> {
    given.or_else(|| FileFormat::of(file)).ok_or_else(|| {
        UsageError(format!(
            "{}: the ending tells no format; set --format to csv, tsv, tsv-quoted or ndjson",
            file.display()
        ))
    })
}

fn as_text(report: &SendReport, topic: &str, cut: bool) -> String {
    let refused = match report.refused {
        0 => String::new(),
        count => format!("; {count} were too large for the topic"),
    };
    let onwards = if cut { format!("; stopped: go on with --from-row {}", report.next_row) } else { String::new() };
    format!("{} messages are on {topic}{refused}{onwards}", report.acknowledged)
}

fn as_json(report: &SendReport) -> serde_json::Value {
    serde_json::json!({
        "sent": report.sent,
        "acknowledged": report.acknowledged,
        "refused": report.refused,
        "bytes": report.bytes,
        "next_row": report.next_row,
    })
}
