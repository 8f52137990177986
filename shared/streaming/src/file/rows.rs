//! The rows of a CSV, TSV or NDJSON file as records.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use foundation::line_endings::UnixLines;
use serde::{Deserialize, Serialize};

use crate::error::StreamingError;
use crate::record::Record;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How the rows of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Comma-separated, quoted with `"` where needed, with a header.
    Csv,
    /// Tab-separated, never quoted, with a header.
    Tsv,
    /// Tab-separated, quoted with `"` where needed, with a header.
    #[serde(rename = "tsv-quoted")]
    TsvQuoted,
    /// One JSON object a line.
    Ndjson,
}

impl FileFormat {
    /// What the file's extension says: csv; tsv or tab; ndjson, jsonl or json.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// Opens a file. Its records have the file's name as topic, partition 0 and the row number from 0 as offset; the payload is
/// a JSON object of the row, with text for every column.
pub fn read(path: &Path, format: FileFormat) -> Result<Rows, StreamingError> {
    let file = File::open(path).map_err(|source| StreamingError::io(path, source))?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let mut input = BufReader::with_capacity(1 << 18, file);
    skip_byte_order_mark(&mut input).map_err(|source| StreamingError::io(path, source))?;
    let (content, columns) = match format {
        FileFormat::Ndjson => (Content::Lines { input, line: 0 }, Vec::new()),
        FileFormat::Csv | FileFormat::Tsv | FileFormat::TsvQuoted => {
            let mut table = csv::ReaderBuilder::new()
                .delimiter(if format == FileFormat::Csv { b',' } else { b'\t' })
                .quoting(format != FileFormat::Tsv)
                .from_reader(UnixLines::new(input));
            let columns = header(path, &mut table)?;
            let keys = columns.iter().map(|name| json_text(name)).collect();
            (Content::Table { table, keys, row: csv::ByteRecord::new() }, columns)
        }
    };
    Ok(Rows { path: path.to_owned(), topic: name.as_ref().into(), columns, content, next: 0, failed: false })
}

/// The rows of a file, in order; ends after the first row that cannot be read.
pub struct Rows {
    path: PathBuf,
    topic: Arc<str>,
    columns: Vec<String>,
    content: Content,
    next: i64,
    failed: bool,
}

enum Content {
    Lines { input: BufReader<File>, line: u64 },
    Table { table: csv::Reader<UnixLines<BufReader<File>>>, keys: Vec<Vec<u8>>, row: csv::ByteRecord },
}

impl Rows {
    /// The name that stands for the topic.
    pub fn topic(&self) -> Arc<str> {
        Arc::clone(&self.topic)
    }

    /// The header's names; empty for NDJSON.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The line of the last row, from 1.
    pub fn line(&self) -> u64 {
        match &self.content {
            Content::Lines { line, .. } => *line,
            Content::Table { row, .. } => row.position().map_or(0, csv::Position::line),
        }
    }

    /// Refuses a table without this column.
    pub fn require_column(&self, name: &str) -> Result<(), StreamingError> {
        if self.columns.is_empty() || self.columns.iter().any(|column| column == name) {
            return Ok(());
        }
        Err(StreamingError::Column {
            path: self.path.clone(),
            wanted: format!("{name:?}"),
            columns: self.columns.clone(),
        })
    }

    fn payload(&mut self) -> Result<Option<Bytes>, StreamingError> {
        match &mut self.content {
            Content::Lines { input, line } => loop {
                let mut text = Vec::new();
                *line += 1;
                let read =
                    input.read_until(b'\n', &mut text).map_err(|source| StreamingError::io(&self.path, source))?;
                if read == 0 {
                    return Ok(None);
                }
                let trimmed = text.trim_ascii();
                if !trimmed.is_empty() {
                    return Ok(Some(Bytes::copy_from_slice(trimmed)));
                }
            },
            Content::Table { table, keys, row } => {
                let more = table.read_byte_record(row).map_err(|error| row_error(&self.path, error))?;
                if !more {
                    return Ok(None);
                }
                let line = row.position().map_or(0, csv::Position::line);
                let mut json = Vec::with_capacity(row.as_slice().len() + 24 * keys.len());
                for (index, (key, field)) in keys.iter().zip(row.iter()).enumerate() {
                    let text = std::str::from_utf8(field).map_err(|error| StreamingError::Row {
                        path: self.path.clone(),
                        line,
                        message: format!(
                            "column {:?} is not UTF-8 from its byte {} on; convert the file to UTF-8",
                            self.columns[index],
                            error.valid_up_to()
                        ),
                    })?;
                    json.push(if index == 0 { b'{' } else { b',' });
                    json.extend_from_slice(key);
                    json.push(b':');
                    json.extend_from_slice(&json_text(text));
                }
                json.push(b'}');
                Ok(Some(Bytes::from(json)))
            }
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Record, StreamingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let payload = match self.payload().transpose()? {
            Ok(payload) => payload,
            Err(error) => {
                self.failed = true;
                return Some(Err(error));
            }
        };
        let offset = self.next;
        self.next += 1;
        Some(Ok(Record {
            topic: self.topic(),
            partition: 0,
            offset,
            timestamp: None,
            key: None,
            payload,
            headers: Vec::new(),
        }))
    }
}

fn header(path: &Path, table: &mut csv::Reader<impl Read>) -> Result<Vec<String>, StreamingError> {
    let wrong = |message: String| StreamingError::Row { path: path.to_owned(), line: 1, message };
    let header = table.byte_headers().map_err(|error| row_error(path, error))?;
    let mut columns = Vec::with_capacity(header.len());
    let mut seen = BTreeSet::new();
    for (index, name) in header.iter().enumerate() {
        let name = std::str::from_utf8(name)
            .map_err(|_| wrong(format!("the name of column {} is not UTF-8; convert the file to UTF-8", index + 1)))?
            .trim();
        if name.is_empty() {
            return Err(wrong(format!("column {} has no name", index + 1)));
        }
        if !seen.insert(name) {
            return Err(wrong(format!("two columns are named {name:?}")));
        }
        columns.push(name.to_owned());
    }
    if columns.is_empty() {
        return Err(wrong("the file is empty; its first line must name the columns".to_owned()));
    }
    Ok(columns)
}

fn row_error(path: &Path, error: csv::Error) -> StreamingError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => StreamingError::io(path, source),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => StreamingError::Row {
            path: path.to_owned(),
            line,
            message: format!("{len} fields, where the header names {expected_len} columns"),
        },
        other => StreamingError::Row { path: path.to_owned(), line, message: format!("{other:?}") },
    }
}

fn skip_byte_order_mark(input: &mut impl BufRead) -> std::io::Result<()> {
    if input.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        input.consume(BYTE_ORDER_MARK.len());
    }
    Ok(())
}

/// A text as JSON writes it.
fn json_text(text: &str) -> Vec<u8> {
    // Text to memory has nothing that could fail.
    serde_json::to_vec(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(content: &[u8], format: FileFormat) -> Result<Vec<Record>, StreamingError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        read(file.path(), format)?.collect()
    }

    fn check(content: &[u8], format: FileFormat, expected: &[&str]) {
        let found = rows(content, format).unwrap();
        let payloads: Vec<_> = found.iter().map(|record| std::str::from_utf8(&record.payload).unwrap()).collect();
        assert_eq!(payloads, expected);
        let offsets: Vec<_> = found.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, (0..expected.len() as i64).collect::<Vec<_>>());
    }

    #[test]
    fn rows_become_json_objects() {
        check(
            b"a,b\n1,\"x, \"\"y\"\"\"\n2,\n",
            FileFormat::Csv,
            &[r#"{"a":"1","b":"x, \"y\""}"#, r#"{"a":"2","b":""}"#],
        );
        check("\u{feff}a\tb\r\n\"1\tü\r\n".as_bytes(), FileFormat::Tsv, &[r#"{"a":"\"1","b":"ü"}"#]);
        check(b"a\tb\n\"1\t2\"\t3\n", FileFormat::TsvQuoted, &[r#"{"a":"1\t2","b":"3"}"#]);
        check(b"{\"a\":1}\n\n  {\"b\":2}", FileFormat::Ndjson, &[r#"{"a":1}"#, r#"{"b":2}"#]);
        check(b"a,b\n", FileFormat::Csv, &[]);
    }

    fn check_refused(content: &[u8], format: FileFormat, expected: &str) {
        let error = rows(content, format).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not contain {expected:?}");
    }

    #[test]
    fn a_broken_row_is_named_by_line_and_column() {
        check_refused(
            b"id,headline\n1,ok\n2,caf\xe9\n",
            FileFormat::Csv,
            r#":3: column "headline" is not UTF-8 from its byte 3"#,
        );
        check_refused(b"id,headline\n1,ok\n2\n", FileFormat::Csv, ":3: 1 fields, where the header names 2 columns");
        check_refused(b"id,id\n", FileFormat::Csv, r#":1: two columns are named "id""#);
        check_refused(b"id,,x\n", FileFormat::Csv, ":1: column 2 has no name");
        check_refused(b"", FileFormat::Csv, ":1: the file is empty");
    }

    #[test]
    fn rows_before_a_broken_one_are_not_lost() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"a\n1\n\xff\n3\n").unwrap();
        let found: Vec<_> = read(file.path(), FileFormat::Csv).unwrap().map(|row| row.is_ok()).collect();
        assert_eq!(found, [true, false]);
    }

    #[test]
    fn a_missing_column_lists_those_that_are_there() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"published_utc,headline\n").unwrap();
        let rows = read(file.path(), FileFormat::Csv).unwrap();
        let error = rows.require_column("title").unwrap_err().to_string();
        assert!(error.ends_with("no column \"title\"; the columns are published_utc, headline"), "{error}");
        rows.require_column("headline").unwrap();
    }
}
