//! Reading a request's body: whole, within limits, and taken out of its frames.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt as _;

use super::exception::{Exception, codes};
use super::native_frames::FrameReader;

/// How long a client may be silent in the middle of a body.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// The most that is read only to be thrown away.
const DISCARD_LIMIT: usize = 4 << 30;

/// Reads the body to its end. Nothing of it is used before that, so that a body that breaks off does nothing.
///
/// A body that is refused is still read on: a client that is writing sees the connection break, not the answer, if it
/// comes before the end of what it has to say.
pub(super) async fn read(body: Body, framed: bool, limit: usize) -> Result<Vec<Bytes>, Exception> {
    let mut stream = body.into_data_stream();
    let pieces = collect(&mut stream, framed, limit).await;
    if pieces.is_err() {
        discard_stream(&mut stream).await;
    }
    pieces
}

/// Reads a body that nobody wants, so that its sender sees the answer.
pub(super) async fn discard(body: Body) {
    discard_stream(&mut body.into_data_stream()).await;
}

async fn discard_stream(stream: &mut BodyDataStream) {
    let mut left = DISCARD_LIMIT;
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(SILENCE_LIMIT, stream.next()).await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            return;
        }
    }
}

async fn collect(stream: &mut BodyDataStream, framed: bool, limit: usize) -> Result<Vec<Bytes>, Exception> {
    let mut frames = framed.then(|| FrameReader::new(limit));
    let mut pieces = Vec::new();
    let mut received = 0usize;
    while let Some(arrived) = tokio::time::timeout(SILENCE_LIMIT, stream.next())
        .await
        .map_err(|_| Exception::new(codes::SOCKET_TIMEOUT, "Timeout exceeded while reading the request's body"))?
    {
        let arrived = arrived.map_err(|error| {
            Exception::new(codes::CANNOT_READ_ALL_DATA, format!("Cannot read all data: the body broke off: {error}"))
        })?;
        received = received.saturating_add(arrived.len());
        if received > limit {
            let message = format!("Limit for the request's body exceeded: {limit} bytes; send smaller blocks");
            return Err(Exception::new(codes::TOO_MANY_BYTES, message));
        }
        match &mut frames {
            Some(frames) => pieces.extend(frames.push(&arrived)?),
            None => pieces.push(arrived),
        }
    }
    frames.map_or(Ok(()), FrameReader::finish)?;
    Ok(pieces)
}

/// The fields of a `multipart/form-data` body.
pub(super) fn form_fields(content_type: &str, body: &[u8]) -> Result<Vec<(String, String)>, Exception> {
    let malformed = |why: &str| Exception::new(codes::BAD_ARGUMENTS, format!("Malformed multipart form: {why}"));
    let boundary = content_type
        .split(';')
        .find_map(|part| part.trim().strip_prefix("boundary="))
        .map(|boundary| boundary.trim_matches('"'))
        .filter(|boundary| !boundary.is_empty())
        .ok_or_else(|| malformed("no boundary"))?;
    // The first boundary may stand at the very start; with a line break before it, all look alike.
    let text = [b"\r\n", body].concat();
    let text = String::from_utf8(text).map_err(|_| malformed("its fields are not UTF-8"))?;
    let delimiter = format!("\r\n--{boundary}");
    let mut fields = Vec::new();
    for part in text.split(delimiter.as_str()).skip(1) {
        if part.starts_with("--") {
            return Ok(fields);
        }
        let (head, value) = part
            .strip_prefix("\r\n")
            .and_then(|part| part.split_once("\r\n\r\n"))
            .ok_or_else(|| malformed("a field has no header"))?;
        let name = head
            .split(['\r', '\n', ';'])
            .find_map(|piece| piece.trim().strip_prefix("name="))
            .ok_or_else(|| malformed("a field has no name"))?;
        fields.push((name.trim_matches('"').to_owned(), value.to_owned()));
    }
    Err(malformed("it breaks off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=cut-here";

    #[test]
    fn forms_read_as_the_client_writes_them() {
        let body = "--cut-here\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT\r\n\r\n1\r\n\
                    --cut-here\r\nContent-Disposition: form-data; name=\"param_a\"\r\n\r\n\r\n--cut-here--\r\n";
        let expected = [("query".to_owned(), "SELECT\r\n\r\n1".to_owned()), ("param_a".to_owned(), String::new())];
        assert_eq!(form_fields(TYPE, body.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn malformed_forms_are_refused() {
        let whole = "--cut-here\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT 1\r\n--cut-here--\r\n";
        assert!(form_fields(TYPE, whole.as_bytes()).is_ok());
        assert!(form_fields("multipart/form-data", whole.as_bytes()).is_err());
        assert!(form_fields(TYPE, &whole.as_bytes()[..whole.len() - 16]).is_err());
        assert!(form_fields(TYPE, b"--cut-here\r\nnonsense").is_err());
    }
}
