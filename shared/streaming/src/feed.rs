//! Putting a file on a topic, at its own pace or as fast as possible.

mod pace;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use foundation::EventTime;
use foundation::configuration::ConfigurationError;
use rdkafka::error::KafkaError;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use pace::{Pace, Speed};

use crate::connection::ConnectionConfig;
use crate::error::StreamingError;
use crate::file::{FileFormat, read};
use crate::producer::{Outgoing, Producer, Unacknowledged};
use crate::record::Record;
use pace::Pacer;

const UNACKNOWLEDGED_AT_MOST: usize = 20_000;
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// What to send and how fast.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// The file.
    pub path: PathBuf,
    /// How it is written.
    pub format: FileFormat,
    /// The topic.
    pub topic: String,
    /// The column that becomes the message's key: equal keys keep their order. None spreads rows over the partitions.
    pub key_column: Option<String>,
    /// How fast.
    pub pace: Pace,
    /// Begins at this row, from 0: where an earlier run has stopped.
    pub first_row: u64,
    /// At most this many rows.
    pub limit: Option<u64>,
}

/// How far a sending has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendReport {
    /// Rows handed to the producer.
    pub sent: u64,
    /// Rows that all replicas have acknowledged.
    pub acknowledged: u64,
    /// Rows that the broker refused for their size.
    pub refused: u64,
    /// Bytes of the acknowledged rows.
    pub bytes: u64,
    /// Where a later run must begin so that no row is missing: all rows before it are acknowledged or refused.
    pub next_row: u64,
}

/// Sends a file's rows as JSON objects. Returns when all are acknowledged, or soon after `shutdown` with what is.
pub async fn send(
    connection: &ConnectionConfig,
    options: &SendOptions,
    shutdown: &CancellationToken,
    mut progress: impl FnMut(&SendReport),
) -> Result<SendReport, StreamingError> {
    let mut rows = read(&options.path, options.format)?;
    for column in [options.key_column.as_deref(), options.pace.column()].into_iter().flatten() {
        rows.require_column(column)?;
    }
    options.pace.validate()?;
    let producer = Producer::connect(connection)?;
    let mut sending = Sending {
        options,
        producer,
        waiting: Unacknowledged::new(UNACKNOWLEDGED_AT_MOST),
        ledger: Ledger::new(options.first_row),
        failure: None,
    };
    let mut pacer = Pacer::new(&options.pace);
    let mut told = Instant::now();
    let first = i64::try_from(options.first_row).unwrap_or(i64::MAX);
    while options.limit.is_none_or(|limit| sending.ledger.report.sent < limit) {
        let record = match rows.next() {
            None => break,
            Some(Ok(record)) if record.offset < first => continue,
            Some(Ok(record)) => record,
            Some(Err(error)) => {
                sending.failure = Some(error);
                break;
            }
        };
        let sent = shutdown.run_until_cancelled(sending.send(&mut pacer, &record, rows.line())).await;
        if sent.is_none() || sending.failure.is_some() {
            break;
        }
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            progress(&sending.ledger.report);
        }
    }
    // With a broker that is down this would wait for ever: a shutdown then takes what is acknowledged.
    shutdown.run_until_cancelled(sending.settle(true)).await;
    progress(&sending.ledger.report);
    sending.failure.map_or(Ok(sending.ledger.report), Err)
}

struct Sending<'a> {
    options: &'a SendOptions,
    producer: Producer,
    waiting: Unacknowledged<(u64, u64)>,
    ledger: Ledger,
    failure: Option<StreamingError>,
}

impl Sending<'_> {
    async fn send(&mut self, pacer: &mut Pacer, record: &Record, line: u64) {
        if let Err(error) = self.try_send(pacer, record, line).await {
            self.failure = Some(error);
        }
        self.settle(false).await;
    }

    async fn try_send(&mut self, pacer: &mut Pacer, record: &Record, line: u64) -> Result<(), StreamingError> {
        if let Some(column) = self.options.pace.column() {
            let time =
                field(record, column).and_then(|text| EventTime::parse(&text).map_err(|error| error.to_string()));
            let time = time.map_err(|reason| self.row_error(line, column, &reason))?;
            if let Some(until) = pacer.wait_until(time) {
                // Acknowledgements are counted while nothing is sent.
                self.settle(true).await;
                tokio::time::sleep_until(until.into()).await;
            }
        }
        let key = match self.options.key_column.as_deref() {
            Some(column) => Some(field(record, column).map_err(|reason| self.row_error(line, column, &reason))?),
            None => None,
        };
        let row = u64::try_from(record.offset).unwrap_or(0);
        let message = Outgoing {
            topic: &self.options.topic,
            key: key.as_deref().map(str::as_bytes),
            payload: &record.payload,
            headers: &[],
        };
        self.ledger.report.sent += 1;
        match self.producer.queue(message).await {
            Ok(delivery) => self.waiting.push((row, record.payload.len() as u64), delivery),
            Err(error) => self.ledger.settle(row, 0, Err(error), &self.producer, &self.options.topic)?,
        }
        Ok(())
    }

    async fn settle(&mut self, all: bool) {
        let Self { options, producer, waiting, ledger, failure } = self;
        waiting
            .settle(producer, all, |(row, bytes), outcome| {
                if let Err(error) = ledger.settle(row, bytes, outcome, producer, &options.topic) {
                    failure.get_or_insert(error);
                }
            })
            .await;
    }

    fn row_error(&self, line: u64, column: &str, reason: &str) -> StreamingError {
        let message = format!("column {column:?}: {reason}");
        StreamingError::Row { path: self.options.path.clone(), line, message }
    }
}

/// Counts what is settled, and knows the first row that is not.
struct Ledger {
    report: SendReport,
    beyond: BTreeSet<u64>,
}

impl Ledger {
    fn new(first_row: u64) -> Self {
        Self { report: SendReport { next_row: first_row, ..SendReport::default() }, beyond: BTreeSet::new() }
    }

    fn settle(
        &mut self,
        row: u64,
        bytes: u64,
        outcome: Result<(), KafkaError>,
        producer: &Producer,
        topic: &str,
    ) -> Result<(), StreamingError> {
        match outcome {
            Ok(()) => {
                self.report.acknowledged += 1;
                self.report.bytes += bytes;
            }
            Err(error) if crate::producer::is_too_large(&error) => {
                tracing::warn!("row {row}: {topic} does not take a message of its size");
                self.report.refused += 1;
            }
            Err(error) => return Err(producer.failed(topic, error)),
        }
        self.done(row);
        Ok(())
    }

    fn done(&mut self, row: u64) {
        self.beyond.insert(row);
        while self.beyond.remove(&self.report.next_row) {
            self.report.next_row += 1;
        }
    }
}

/// The text of a field of a row.
fn field(record: &Record, name: &str) -> Result<String, String> {
    let row: Value = serde_json::from_slice(&record.payload).map_err(|error| error.to_string())?;
    match row.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err("neither a text nor a number".to_owned()),
        None => Err("missing".to_owned()),
    }
}

/// Refuses a speed that is no speed.
fn check_speed(factor: f64) -> Result<(), ConfigurationError> {
    if factor.is_finite() && factor > 0.0 {
        return Ok(());
    }
    Err(ConfigurationError::invalid("speed", format!("{factor} is not a factor above 0")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_row_has_no_gap_before_it() {
        let mut ledger = Ledger::new(5);
        let mut after = |row| {
            ledger.done(row);
            ledger.report.next_row
        };
        assert_eq!([after(6), after(8), after(5), after(7)], [5, 5, 7, 9]);
    }
}
