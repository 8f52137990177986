//! As much of an HTTP client as a test needs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, ensure};

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// GET from `http://host:port/path`.
pub fn get(url: &str) -> anyhow::Result<Answer> {
    exchange("GET", url, &[], "")
}

/// POST with extra headers.
pub fn post(url: &str, headers: &[(&str, &str)], body: &str) -> anyhow::Result<Answer> {
    exchange("POST", url, headers, body)
}

fn exchange(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> anyhow::Result<Answer> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is no http address"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).with_context(|| format!("cannot reach {host}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(120))).context("cannot set a time limit")?;
    // HTTP/1.0: the answer ends with the connection and is never chunked.
    let mut request = format!("{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).with_context(|| format!("cannot send to {host}"))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("{host} broke off"))?;
    read(&answer).with_context(|| format!("{url} did not answer in HTTP"))
}

fn read(answer: &[u8]) -> anyhow::Result<Answer> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").context("no end of the header")?;
    let status = head.split(' ').nth(1).context("no status")?.parse().context("no number for a status")?;
    ensure!(!head.to_ascii_lowercase().contains("transfer-encoding"), "a chunked answer to HTTP/1.0");
    Ok(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_status_and_body() {
        let answer = read(b"HTTP/1.0 503 Service Unavailable\r\ncontent-type: x\r\n\r\n{\"a\":1}\r\n").unwrap();
        assert_eq!(answer, Answer { status: 503, body: "{\"a\":1}\r\n".into() });
        assert!(read(b"not http").is_err());
    }
}
