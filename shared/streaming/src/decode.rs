//! From a record's bytes to a message: which JSON field is the text, which the time, and what is refused.

mod extract;
mod mapping;

use foundation::EventTime;
use foundation::configuration::ConfigurationError;

pub use mapping::{FieldMapping, Pointers, RecordFormat};

use extract::{Extractor, Found};

use crate::record::Record;

/// A message of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The feed's own id; `topic/partition/offset` where the feed has none.
    pub id: String,
    /// When it happened.
    pub time: EventTime,
    /// The headline, where the feed has one beside the text.
    pub title: Option<String>,
    /// The text, never blank.
    pub text: String,
    /// Who says so.
    pub source: Option<String>,
    /// Whether the text was longer than the mapping's limit and was cut.
    pub truncated: bool,
}

/// Why a record is no message. It becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stage}: {reason}")]
pub struct DecodeError {
    /// What refused it.
    pub stage: DecodeStage,
    /// What is wrong, with the field and the value.
    pub reason: String,
}

/// What refuses a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecodeStage {
    /// The payload is empty or too large.
    Size,
    /// The payload is not UTF-8.
    Encoding,
    /// The payload is not JSON.
    Json,
    /// A field is missing or of another type.
    Shape,
    /// There is no time, or none that an event could have.
    Time,
    /// There is no text.
    Text,
}

impl DecodeStage {
    /// The name in a dead letter's headers, in metrics and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "decode.size",
            Self::Encoding => "decode.encoding",
            Self::Json => "decode.json",
            Self::Shape => "decode.shape",
            Self::Time => "decode.time",
            Self::Text => "decode.text",
        }
    }
}

impl std::fmt::Display for DecodeStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Decodes records by a [`FieldMapping`]. Built once, used by reference from any thread.
#[derive(Debug, Clone)]
pub struct Decoder {
    mapping: FieldMapping,
    extractor: Extractor,
}

impl Decoder {
    /// Prepares a mapping; refuses one that cannot work.
    pub fn new(mapping: FieldMapping) -> Result<Self, ConfigurationError> {
        mapping.validate()?;
        let extractor = Extractor::new(&mapping);
        Ok(Self { mapping, extractor })
    }

    /// Reads one record.
    pub fn decode(&self, record: &Record) -> Result<Message, DecodeError> {
        let limit = self.mapping.max_payload_bytes.get();
        match record.payload.len() {
            0 => return Err(refuse(DecodeStage::Size, "the payload is empty")),
            size if size > limit => {
                return Err(refuse(
                    DecodeStage::Size,
                    format!("{size} bytes are more than max_payload_bytes ({limit})"),
                ));
            }
            _ => {}
        }
        let text = std::str::from_utf8(&record.payload).map_err(|error| {
            refuse(DecodeStage::Encoding, format!("not UTF-8 from byte {} on", error.valid_up_to()))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self.mapping.format {
            RecordFormat::Json => self.decode_json(record, text),
            RecordFormat::Text => self.decode_text(record, text),
        }
    }

    fn decode_json(&self, record: &Record, json: &str) -> Result<Message, DecodeError> {
        let found = self.extractor.extract(json)?;
        let id = match found.text_of(extract::ID)? {
            Some(id) => clean(&id),
            None => offset_id(record),
        };
        let time = found.time()?.map_or_else(|| record_time(record), Ok)?;
        let source = found.text_of(extract::SOURCE)?.map(|source| clean(&source));
        let (text, truncated) = self.text(&found)?;
        let title = self.title(&found)?;
        Ok(Message { id, time, title, text, source, truncated })
    }

    fn text(&self, found: &Found<'_>) -> Result<(String, bool), DecodeError> {
        match found.string_of(extract::TEXT)? {
            Some(text) => self.cut(&text),
            None if found.has(extract::TEXT) => Err(refuse(DecodeStage::Text, "the text is empty")),
            None => Err(refuse(DecodeStage::Shape, format!("no text at {}", self.mapping.text))),
        }
    }

    fn title(&self, found: &Found<'_>) -> Result<Option<String>, DecodeError> {
        // A feed with nothing but headlines has them as its text.
        if found.is_same_field(extract::TITLE, extract::TEXT) {
            return Ok(None);
        }
        Ok(found.string_of(extract::TITLE)?.map(|title| clean(&title)).filter(|title| !title.is_empty()))
    }

    fn decode_text(&self, record: &Record, text: &str) -> Result<Message, DecodeError> {
        let time = record_time(record)?;
        let (text, truncated) = self.cut(text)?;
        Ok(Message { id: offset_id(record), time, title: None, text, source: None, truncated })
    }

    fn cut(&self, text: &str) -> Result<(String, bool), DecodeError> {
        let mut text = clean(text);
        if text.is_empty() {
            return Err(refuse(DecodeStage::Text, "the text is empty"));
        }
        let limit = self.mapping.max_text_chars.get();
        // As many bytes as characters at least: most texts need no count.
        let end = (text.len() > limit).then(|| text.char_indices().nth(limit).map(|(end, _)| end)).flatten();
        if let Some(end) = end {
            text.truncate(end);
        }
        Ok((text, end.is_some()))
    }
}

/// Without NUL characters and without blanks around.
fn clean(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.contains('\0') { text.replace('\0', "") } else { text.to_owned() }
}

fn offset_id(record: &Record) -> String {
    format!("{}/{}/{}", record.topic, record.partition, record.offset)
}

fn record_time(record: &Record) -> Result<EventTime, DecodeError> {
    let Some(millis) = record.timestamp else {
        return Err(refuse(DecodeStage::Time, "no time field, and the record has no timestamp"));
    };
    EventTime::from_millis(millis)
        .map_err(|error| refuse(DecodeStage::Time, format!("no time field, and the record's {error}")))
}

fn refuse(stage: DecodeStage, reason: impl Into<String>) -> DecodeError {
    DecodeError { stage, reason: reason.into() }
}

#[cfg(test)]
mod tests;
