//! Records that cannot be processed: kept on a topic of their own with the reason, listed, and sent back.

mod replay;

use std::sync::Arc;

use bytes::Bytes;

pub use replay::{LetterFilter, ReplayOptions, ReplayReport, list, replay};

use crate::connection::ConnectionConfig;
use crate::error::StreamingError;
use crate::producer::{Outgoing, Producer, is_too_large};
use crate::record::Record;

/// Headers that this crate adds all begin so.
const PREFIX: &str = "pulsewire-";
const TOPIC: &str = "pulsewire-topic";
const PARTITION: &str = "pulsewire-partition";
const OFFSET: &str = "pulsewire-offset";
const TIMESTAMP: &str = "pulsewire-timestamp";
const STAGE: &str = "pulsewire-stage";
const ERROR: &str = "pulsewire-error";
/// How many bytes the payload had, where the broker took only its beginning.
const CUT_FROM: &str = "pulsewire-cut-from-bytes";
/// How often the record was sent back; it stays on the record on its way through the source topic.
const REPLAYS: &str = "pulsewire-replays";

/// What is kept of a payload that the dead-letter topic does not take whole.
const CUT_TO_BYTES: usize = 256 * 1024;
/// A longer error is cut: headers count towards a message's size.
const MAX_ERROR_BYTES: usize = 4096;

/// The dead-letter topic of a source topic, where the configuration names none.
pub fn topic_of(source: &str) -> String {
    format!("{source}.dlq")
}

/// A record that could not be processed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The record as it came: raw bytes, key and headers.
    pub record: Record,
    /// What refused it: `decode.json`, `score`, `store`.
    pub stage: String,
    /// What was wrong.
    pub error: String,
}

impl DeadLetter {
    /// How often the record was sent back before it came here.
    pub fn replays(&self) -> u32 {
        self.record.header(REPLAYS).and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// The record's headers, and the reason.
    fn headers(&self) -> Vec<(String, Bytes)> {
        let record = &self.record;
        let mut headers: Vec<_> = record.headers.iter().filter(|(name, _)| is_kept(name)).cloned().collect();
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), Bytes::from(value)));
        add(TOPIC, record.topic.to_string());
        add(PARTITION, record.partition.to_string());
        add(OFFSET, record.offset.to_string());
        if let Some(timestamp) = record.timestamp {
            add(TIMESTAMP, timestamp.to_string());
        }
        add(STAGE, self.stage.clone());
        add(ERROR, shorten(&self.error).to_owned());
        headers
    }

    /// Reads back what [`DeadLetters::send`] has written. A header that is missing or foreign leaves its default.
    fn from_record(letter: Record) -> Self {
        let number = |name| letter.header(name).and_then(|text| text.parse::<i64>().ok());
        let text = |name| letter.header(name).unwrap_or_default().to_owned();
        let (stage, error) = (text(STAGE), text(ERROR));
        let record = Record {
            topic: Arc::from(text(TOPIC)),
            partition: number(PARTITION).and_then(|number| i32::try_from(number).ok()).unwrap_or(-1),
            offset: number(OFFSET).unwrap_or(-1),
            timestamp: number(TIMESTAMP),
            headers: letter.headers.iter().filter(|(name, _)| is_kept(name) || name == CUT_FROM).cloned().collect(),
            key: letter.key,
            payload: letter.payload,
        };
        Self { record, stage, error }
    }

    /// Whether only the payload's beginning is left.
    pub fn is_cut(&self) -> bool {
        self.record.header(CUT_FROM).is_some()
    }
}

/// The feed's own headers, and the count of replays.
fn is_kept(name: &str) -> bool {
    !name.starts_with(PREFIX) || name == REPLAYS
}

fn shorten(text: &str) -> &str {
    if text.len() <= MAX_ERROR_BYTES {
        return text;
    }
    let end = (0..=MAX_ERROR_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// Writes dead letters; cheap to clone.
#[derive(Clone)]
pub struct DeadLetters {
    producer: Producer,
    topic: Option<Arc<str>>,
}

impl DeadLetters {
    /// A writer to `topic`, or to `<source topic>.dlq` of each letter where None. Opens no connection yet.
    pub fn connect(connection: &ConnectionConfig, topic: Option<&str>) -> Result<Self, StreamingError> {
        Ok(Self { producer: Producer::connect(connection)?, topic: topic.map(Arc::from) })
    }

    /// Writes letters and returns when all replicas have them. Brokers that are down are waited for.
    ///
    /// A payload that the topic does not take is cut to its first 256 KiB, and the header `pulsewire-cut-from-bytes` says so.
    pub async fn send(&self, letters: &[DeadLetter]) -> Result<(), StreamingError> {
        let mut deliveries = Vec::with_capacity(letters.len());
        for letter in letters {
            let topic = self.topic_for(letter);
            let headers = letter.headers();
            deliveries.push(self.producer.queue(outgoing(&topic, letter, &headers)).await);
        }
        for (letter, delivery) in letters.iter().zip(deliveries) {
            let outcome = match delivery {
                Ok(delivery) => self.producer.acknowledged(delivery).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => {}
                Err(error) if is_too_large(&error) => self.send_cut(letter).await?,
                Err(error) => return Err(self.producer.failed(&self.topic_for(letter), error)),
            }
        }
        Ok(())
    }

    async fn send_cut(&self, letter: &DeadLetter) -> Result<(), StreamingError> {
        let topic = self.topic_for(letter);
        let bytes = letter.record.payload.len();
        let mut headers = letter.headers();
        headers.push((CUT_FROM.to_owned(), Bytes::from(bytes.to_string())));
        let mut message = outgoing(&topic, letter, &headers);
        message.payload = &letter.record.payload[..bytes.min(CUT_TO_BYTES)];
        let delivery = self.producer.queue(message).await.map_err(|error| self.producer.failed(&topic, error))?;
        self.producer.acknowledged(delivery).await.map_err(|error| self.producer.failed(&topic, error))
    }

    fn topic_for(&self, letter: &DeadLetter) -> Arc<str> {
        self.topic.clone().unwrap_or_else(|| topic_of(&letter.record.topic).into())
    }
}

fn outgoing<'a>(topic: &'a str, letter: &'a DeadLetter, headers: &'a [(String, Bytes)]) -> Outgoing<'a> {
    Outgoing { topic, key: letter.record.key.as_deref(), payload: &letter.record.payload, headers }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> DeadLetter {
        let record = Record {
            topic: "news".into(),
            partition: 2,
            offset: 7,
            timestamp: Some(1_161_375_900_000),
            key: Some(Bytes::from_static(b"k")),
            payload: Bytes::from_static(b"\xff\x00{"),
            headers: vec![
                ("trace".to_owned(), Bytes::from_static(b"\xfe")),
                (REPLAYS.to_owned(), Bytes::from_static(b"3")),
            ],
        };
        DeadLetter { record, stage: "decode.encoding".into(), error: "not UTF-8 from byte 0 on".into() }
    }

    #[test]
    fn a_letter_reads_back_as_it_was_written() {
        let letter = letter();
        let written = Record {
            topic: "news.dlq".into(),
            partition: 0,
            offset: 99,
            timestamp: Some(5),
            headers: letter.headers(),
            ..letter.record.clone()
        };
        let read = DeadLetter::from_record(written);
        assert_eq!(read, letter);
        assert_eq!(read.replays(), 3);
    }

    #[test]
    fn a_second_failure_does_not_pile_up_headers() {
        let mut letter = letter();
        letter.record.headers = letter.headers();
        let names: Vec<_> = letter.headers().into_iter().map(|(name, _)| name).collect();
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(names.len(), unique.len(), "{names:?}");
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        assert_eq!(shorten(&"é".repeat(5000)).len(), MAX_ERROR_BYTES);
        assert_eq!(shorten(&format!("a{}", "é".repeat(5000))).len(), MAX_ERROR_BYTES - 1);
    }
}
