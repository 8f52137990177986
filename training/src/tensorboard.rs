//! TensorBoard's event files: what a training run measures while it runs.
//!
//! A file is a sequence of TFRecords (length, checksum of the length, content, checksum of the content), each an `Event` of
//! TensorFlow's `event.proto`, of which this holds the fields that scalars need.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

/// What the first event of every file says.
const FILE_VERSION: &str = "brain.Event:2";

/// TFRecord's masked checksum: rotated, so that a checksum of data with checksums in it stays a good one.
const MASK: u32 = 0xA282_EAD8;

/// An event file that is open for writing; every event is there for readers at once.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    path: PathBuf,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

impl EventFile {
    /// A new file in `directory`, which is made if it is not there. TensorBoard shows each directory as a run.
    pub fn create(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let path =
            directory.join(format!("events.out.tfevents.{:010}.{}.pulsewire", now.as_secs(), std::process::id()));
        let mut events = Self { file: File::create(&path)?, path };
        events.write(&Event { file_version: Some(FILE_VERSION.to_owned()), ..Event::new(0) })?;
        Ok(events)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds values measured at a step. A tag is a curve; what stands before its first `/` groups curves.
    pub fn scalars<'a>(&mut self, step: u64, values: impl IntoIterator<Item = (&'a str, f64)>) -> io::Result<()> {
        let scalar = |(tag, value): (&str, f64)| Scalar { tag: tag.to_owned(), simple_value: value as f32 };
        let summary = Summary { value: values.into_iter().map(scalar).collect() };
        self.write(&Event { summary: Some(summary), ..Event::new(step) })
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        let content = event.encode_to_vec();
        let length = (content.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(content.len() + 16);
        record.extend(length);
        record.extend(checksum(&length).to_le_bytes());
        record.extend(&content);
        record.extend(checksum(&content).to_le_bytes());
        self.file.write_all(&record)
    }
}

impl Event {
    fn new(step: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall_time: now.as_secs_f64(), step: step as i64, file_version: None, summary: None }
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis_masked() {
        // RFC 3720, B.4: 32 bytes of zeros.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(checksum(&[0; 32]), 0x0FD7_FFFA);
    }

    #[test]
    fn a_file_reads_back_record_by_record() {
        let directory = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(&directory.path().join("run")).unwrap();
        events.scalars(0, [("train/loss", 1.5)]).unwrap();
        events.scalars(7, [("train/loss", 0.25), ("train/learning_rate", 1e-4)]).unwrap();
        let bytes = std::fs::read(events.path()).unwrap();
        let (mut rest, mut read) = (bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(number(&rest[8..12]), checksum(&rest[..8]));
            let content = &rest[12..12 + length];
            assert_eq!(number(&rest[12 + length..16 + length]), checksum(content));
            read.push(Event::decode(content).unwrap());
            rest = &rest[16 + length..];
        }
        assert_eq!(read[0].file_version.as_deref(), Some(FILE_VERSION));
        assert_eq!(read.iter().map(|event| event.step).collect::<Vec<_>>(), [0, 0, 7]);
        let last = read[2].summary.clone().unwrap().value;
        assert_eq!((last[0].tag.as_str(), last[0].simple_value), ("train/loss", 0.25));
        assert_eq!((last[1].tag.as_str(), last[1].simple_value), ("train/learning_rate", 1e-4));
    }
}
