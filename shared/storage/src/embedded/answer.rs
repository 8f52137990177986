//! Answers in ClickHouse's HTTP interface: headers, compression, and exceptions before and within a body.

use std::io::Write as _;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Response};
use bytes::Bytes;
use futures::stream;
use lz4_flex::frame::FrameEncoder;
use tokio::sync::mpsc;

use super::engine::Written;
use super::exception::Exception;
use super::native_frames;
use super::request::Coding;
use super::run::Event;

const EXCEPTION_CODE: HeaderName = HeaderName::from_static("x-clickhouse-exception-code");
const EXCEPTION_TAG: HeaderName = HeaderName::from_static("x-clickhouse-exception-tag");
const FORMAT: HeaderName = HeaderName::from_static("x-clickhouse-format");
const QUERY_ID: HeaderName = HeaderName::from_static("x-clickhouse-query-id");
const SUMMARY: HeaderName = HeaderName::from_static("x-clickhouse-summary");

/// What every answer to a statement says about itself.
pub(super) struct Head {
    pub(super) query_id: String,
    pub(super) format: String,
    pub(super) coding: Coding,
}

/// Waits for the first event, which decides between an answer and an exception, and streams the rest.
pub(super) async fn answer(head: &Head, mut events: mpsc::Receiver<Event>) -> Response<Body> {
    match events.recv().await {
        Some(Event::Failed(exception)) => failure(&exception),
        None => failure(&Exception::unknown("the statement was given up")),
        Some(Event::End(written)) => success(head, Some(written), Body::empty()),
        Some(Event::Piece(first)) => {
            // Tags the exception that may come after rows, so that no row can look like one.
            let tag = random_text(16);
            let mut response = success(head, None, body(first, events, Encoder::new(head.coding), tag.clone()));
            insert(&mut response, EXCEPTION_TAG, &tag);
            response
        }
    }
}

/// An exception before any row.
pub(super) fn failure(exception: &Exception) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{}\n", exception.text())));
    *response.status_mut() = exception.status();
    insert(&mut response, CONTENT_TYPE, "text/plain; charset=UTF-8");
    insert(&mut response, EXCEPTION_CODE, &exception.code.to_string());
    response
}

fn success(head: &Head, written: Option<Written>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    insert(&mut response, CONTENT_TYPE, content_type(&head.format));
    insert(&mut response, FORMAT, &head.format);
    insert(&mut response, QUERY_ID, &head.query_id);
    if let Some(Written { rows, bytes }) = written {
        let summary = format!(
            r#"{{"read_rows":"0","read_bytes":"0","written_rows":"{rows}","written_bytes":"{bytes}","total_rows_to_read":"0","result_rows":"{rows}","result_bytes":"{bytes}"}}"#
        );
        insert(&mut response, SUMMARY, &summary);
    } else if head.coding == Coding::Lz4 {
        insert(&mut response, CONTENT_ENCODING, "lz4");
    }
    response
}

fn body(first: Bytes, events: mpsc::Receiver<Event>, encoder: Encoder, tag: String) -> Body {
    let state = Some((Some(Event::Piece(first)), events, encoder));
    Body::from_stream(stream::unfold(state, move |state| {
        let tag = tag.clone();
        async move {
            let (ready, mut events, mut encoder) = state?;
            let event = match ready {
                Some(event) => Some(event),
                None => events.recv().await,
            };
            let piece = match event {
                Some(Event::Piece(piece)) => {
                    return Some((encoder.piece(piece), Some((None, events, encoder))));
                }
                Some(Event::End(_)) => encoder.end(None),
                Some(Event::Failed(exception)) => encoder.end(Some(&late_exception(&exception, &tag))),
                None => encoder.end(Some(&late_exception(&Exception::unknown("the statement was given up"), &tag))),
            };
            Some((piece, None))
        }
    }))
}

/// As the real server ends a body that has begun: the message, its length and the tag, between markers.
fn late_exception(exception: &Exception, tag: &str) -> Vec<u8> {
    let message = format!("{}\n", exception.text());
    format!("\r\n__exception__\r\n{tag}\r\n{message}{} {tag}\r\n__exception__\r\n", message.len()).into_bytes()
}

enum Encoder {
    Plain,
    NativeFrames,
    Lz4(Box<FrameEncoder<Vec<u8>>>),
}

impl Encoder {
    fn new(coding: Coding) -> Self {
        match coding {
            Coding::Plain => Self::Plain,
            Coding::NativeFrames => Self::NativeFrames,
            Coding::Lz4 => Self::Lz4(Box::new(FrameEncoder::new(Vec::new()))),
        }
    }

    fn piece(&mut self, piece: Bytes) -> std::io::Result<Bytes> {
        match self {
            Self::Plain => Ok(piece),
            Self::NativeFrames => Ok(native_frames::frame(&piece)),
            Self::Lz4(encoder) => {
                encoder.write_all(&piece)?;
                encoder.flush()?;
                Ok(Bytes::from(std::mem::take(encoder.get_mut())))
            }
        }
    }

    fn end(self, last: Option<&[u8]>) -> std::io::Result<Bytes> {
        let last = last.unwrap_or_default();
        match self {
            Self::Plain => Ok(Bytes::copy_from_slice(last)),
            Self::NativeFrames if last.is_empty() => Ok(Bytes::new()),
            Self::NativeFrames => Ok(native_frames::frame(last)),
            Self::Lz4(mut encoder) => {
                encoder.write_all(last)?;
                Ok(Bytes::from(encoder.finish().map_err(std::io::Error::other)?))
            }
        }
    }
}

fn content_type(format: &str) -> &'static str {
    match format {
        "JSON" | "JSONCompact" | "JSONStrings" | "JSONColumns" => "application/json; charset=UTF-8",
        "JSONEachRow" | "JSONCompactEachRow" | "JSONLines" | "NDJSON" => "application/x-ndjson; charset=UTF-8",
        "CSV" | "CSVWithNames" | "CSVWithNamesAndTypes" => "text/csv; charset=UTF-8; header=absent",
        "TabSeparated" | "TSV" | "TabSeparatedWithNames" | "TSVWithNames" => "text/tab-separated-values; charset=UTF-8",
        "RowBinary" | "RowBinaryWithNamesAndTypes" | "Native" | "Parquet" | "Arrow" => "application/octet-stream",
        _ => "text/plain; charset=UTF-8",
    }
}

fn insert(response: &mut Response<Body>, name: HeaderName, value: &str) {
    // A value that no header can hold (a line break in a query id) is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Up to 64 hexadecimal digits that do not come twice and that no row contains by chance.
pub(super) fn random_text(length: usize) -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let seed = RandomState::new().hash_one(std::time::Instant::now());
    foundation::digest::sha256(&seed.to_le_bytes()).chars().take(length).collect()
}
