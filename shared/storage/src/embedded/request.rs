//! What a request asks for, in ClickHouse's HTTP interface.

use axum::http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use bytes::{Bytes, BytesMut};
use std::time::Duration;

use super::body;
use super::engine::Parameters;
use super::exception::{Exception, codes};
use crate::sql;

/// URL parameters that are not settings of the engine.
const NOT_SETTINGS: [&str; 17] = [
    "add_http_cors_header",
    "buffer_size",
    "client_protocol_version",
    "compress",
    "database",
    "decompress",
    "default_format",
    "enable_http_compression",
    "password",
    "query",
    "query_id",
    "quota_key",
    "role",
    "session_check",
    "session_id",
    "session_timeout",
    "user",
];
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);
const LONGEST_SESSION_TIMEOUT: Duration = Duration::from_secs(3600);

/// How the answer's body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    /// `compress=1`: ClickHouse's own frames.
    NativeFrames,
    /// `Accept-Encoding: lz4`: the LZ4 frame format.
    Lz4,
}

/// A session that outlives the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionRequest {
    pub(super) id: String,
    pub(super) timeout: Duration,
    /// Whether it must exist already.
    pub(super) must_exist: bool,
}

/// Everything but the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) database: Option<String>,
    pub(super) settings: Vec<(String, String)>,
    pub(super) parameters: Parameters,
    pub(super) format: String,
    pub(super) session: Option<SessionRequest>,
    pub(super) query_id: Option<String>,
    pub(super) coding: Coding,
}

/// A statement to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// Rows that come as data in a format.
    Insert { sql: Bytes, format: String, data: Vec<Bytes> },
    /// A query whose rows may be sent while it runs.
    Stream { sql: Bytes, format: String },
    /// Anything else.
    Run { sql: Bytes, format: String },
}

impl Statement {
    /// The format of what goes in or comes out.
    pub(super) fn format(&self) -> &str {
        match self {
            Self::Insert { format, .. } | Self::Stream { format, .. } | Self::Run { format, .. } => format,
        }
    }
}

/// Formats whose pieces, one after the other, are the whole answer.
const STREAMABLE: [&str; 9] = [
    "RowBinary",
    "RowBinaryWithNamesAndTypes",
    "Native",
    "JSONEachRow",
    "JSONCompactEachRow",
    "TabSeparated",
    "TSV",
    "CSV",
    "TabSeparatedRaw",
];
const READING: [&str; 8] = ["SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "VALUES"];

impl Context {
    /// Reads the URL's parameters (and a form's fields) and the headers.
    pub(super) fn read(headers: &HeaderMap, fields: &[(String, String)]) -> Result<Self, Exception> {
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let flag = |name: &str| field(name).is_some_and(|value| matches!(value, "1" | "true"));
        let wants_lz4 = headers
            .get(ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|codings| codings.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("lz4")));
        let coding = match () {
            () if flag("compress") => Coding::NativeFrames,
            () if wants_lz4 && field("enable_http_compression") != Some("0") => Coding::Lz4,
            () => Coding::Plain,
        };
        Ok(Self {
            database: field("database").or_else(|| header("x-clickhouse-database")).map(str::to_owned),
            settings: settings(fields)?,
            parameters: fields
                .iter()
                .filter_map(|(name, value)| Some((name.strip_prefix("param_")?.to_owned(), value.clone())))
                .collect(),
            format: field("default_format")
                .or_else(|| header("x-clickhouse-format"))
                .unwrap_or("TabSeparated")
                .to_owned(),
            session: field("session_id").map(|id| session(id, field("session_timeout"), flag("session_check"))),
            query_id: field("query_id").filter(|id| !id.is_empty()).map(str::to_owned),
            coding,
        })
    }
}

fn session(id: &str, timeout: Option<&str>, must_exist: bool) -> SessionRequest {
    let timeout = timeout.and_then(|seconds| seconds.parse().ok()).map_or(SESSION_TIMEOUT, Duration::from_secs);
    SessionRequest { id: id.to_owned(), timeout: timeout.min(LONGEST_SESSION_TIMEOUT), must_exist }
}

fn settings(fields: &[(String, String)]) -> Result<Vec<(String, String)>, Exception> {
    let mut settings = Vec::new();
    for (name, value) in fields {
        if NOT_SETTINGS.contains(&name.as_str()) || name.starts_with("param_") {
            continue;
        }
        // Names stand in a SET statement as they are.
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || name.is_empty() {
            return Err(Exception::new(codes::BAD_ARGUMENTS, format!("{name:?} is no setting's name")));
        }
        settings.push((name.clone(), value.clone()));
    }
    Ok(settings)
}

/// Puts the URL's `query` and the body together into the statement to run.
pub(super) fn statement(
    method: &Method,
    query: &str,
    body: Vec<Bytes>,
    default_format: &str,
) -> Result<Statement, Exception> {
    // A query with its own FORMAT takes the body as data, untouched; else the body continues the query.
    if let Some(insert) = sql::data_insert(query) {
        refuse_writing(method, query)?;
        let mut data = vec![Bytes::copy_from_slice(&query.as_bytes()[insert.data..])];
        data.extend(body);
        let (sql, format) = (Bytes::copy_from_slice(insert.statement.as_bytes()), insert.format.to_owned());
        return Ok(Statement::Insert { sql, format, data });
    }
    let whole = join(query, body);
    let text = valid_prefix(&whole);
    refuse_writing(method, text)?;
    if let Some(insert) = sql::data_insert(text) {
        let sql = whole.slice_ref(insert.statement.as_bytes());
        return Ok(Statement::Insert { sql, format: insert.format.to_owned(), data: vec![whole.slice(insert.data..)] });
    }
    match sql::statements(text).len() {
        0 => return Err(Exception::new(codes::SYNTAX_ERROR, "Syntax error: Empty query")),
        1 => {}
        _ => return Err(Exception::new(codes::SYNTAX_ERROR, "Syntax error: Multi-statements are not allowed")),
    }
    if sql::writes_a_file(text) {
        let message = "INTO OUTFILE is not allowed: it would write on the server's disk";
        return Err(Exception::new(codes::NOT_IMPLEMENTED, message));
    }
    let format = sql::output_format(text).unwrap_or(default_format);
    let streams = matches!(sql::verb(text).as_str(), "SELECT" | "WITH") && STREAMABLE.contains(&format);
    let format = format.to_owned();
    Ok(if streams { Statement::Stream { sql: whole, format } } else { Statement::Run { sql: whole, format } })
}

/// GET may be repeated by anyone on the way, so it only reads.
fn refuse_writing(method: &Method, text: &str) -> Result<(), Exception> {
    let verb = sql::verb(text);
    if *method == Method::GET && !verb.is_empty() && !READING.contains(&verb.as_str()) {
        let message = format!("Cannot execute {verb} in readonly mode: use POST for statements that change anything");
        return Err(Exception::new(codes::READONLY, message));
    }
    Ok(())
}

fn join(query: &str, body: Vec<Bytes>) -> Bytes {
    let mut pieces: Vec<Bytes> = body.into_iter().filter(|piece| !piece.is_empty()).collect();
    if query.is_empty() && pieces.len() == 1 {
        return pieces.remove(0);
    }
    let mut whole = BytesMut::from(query.as_bytes());
    if !query.is_empty() && !pieces.is_empty() {
        whole.extend_from_slice(b"\n");
    }
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    whole.freeze()
}

/// Inline data may be binary; what comes before it is text.
fn valid_prefix(bytes: &Bytes) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// Whether the body is a form, and which.
pub(super) fn form(headers: &HeaderMap, body: &[Bytes]) -> Result<Option<Vec<(String, String)>>, Exception> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Ok(None);
    }
    body::form_fields(content_type, &body.concat()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(query: &str, body: &'static [u8]) -> Result<Statement, u32> {
        statement(&Method::POST, query, vec![Bytes::from_static(body)], "TabSeparated").map_err(|error| error.code)
    }

    #[test]
    fn the_query_and_the_body_make_one_statement() {
        let insert = |data: &[&'static [u8]]| Statement::Insert {
            sql: "INSERT INTO t".into(),
            format: "RowBinary".into(),
            data: data.iter().map(|piece| Bytes::from_static(piece)).collect(),
        };
        assert_eq!(post("INSERT INTO t FORMAT RowBinary", b"\xff\n\n\0"), Ok(insert(&[b"", b"\xff\n\n\0"])));
        assert_eq!(post("", b"INSERT INTO t FORMAT RowBinary\n\xff\n\n\0"), Ok(insert(&[b"\xff\n\n\0"])));
        assert_eq!(post("INSERT INTO t", b"FORMAT RowBinary\n\xff"), Ok(insert(&[b"\xff"])));
        let stream = |sql: &'static str, format: &str| Statement::Stream { sql: sql.into(), format: format.into() };
        let run = |sql: &'static str, format: &str| Statement::Run { sql: sql.into(), format: format.into() };
        assert_eq!(post("", b"SELECT 1"), Ok(stream("SELECT 1", "TabSeparated")));
        assert_eq!(post("SELECT", b"1"), Ok(stream("SELECT\n1", "TabSeparated")));
        assert_eq!(post("", b"SELECT 1 FORMAT Native"), Ok(stream("SELECT 1 FORMAT Native", "Native")));
        assert_eq!(post("", b"SELECT 1 FORMAT JSON"), Ok(run("SELECT 1 FORMAT JSON", "JSON")));
        assert_eq!(post("", b"SELECT 1; DROP TABLE t"), Err(62));
        assert_eq!(post("", b""), Err(62));
        assert_eq!(post("", b"SELECT 1 INTO OUTFILE '/tmp/x'"), Err(48));
    }

    #[test]
    fn a_get_changes_nothing() {
        let get = |query| statement(&Method::GET, query, Vec::new(), "TabSeparated").map_err(|error| error.code);
        assert!(get("SELECT 1").is_ok());
        assert_eq!(get("DROP TABLE t"), Err(164));
        assert_eq!(get("INSERT INTO t FORMAT CSV 1"), Err(164));
    }

    #[test]
    fn settings_parameters_and_sessions_are_told_apart() {
        let fields = [("query", "x"), ("param_a", "1"), ("max_threads", "2"), ("session_id", "s"), ("compress", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let context = Context::read(&HeaderMap::new(), &fields).unwrap();
        assert_eq!(context.settings, [("max_threads".to_owned(), "2".to_owned())]);
        assert_eq!(context.parameters, [("a".to_owned(), "1".to_owned())]);
        assert_eq!(context.session.map(|session| session.id).as_deref(), Some("s"));
        assert_eq!(context.coding, Coding::NativeFrames);
        let bad = [("a=1, b".to_owned(), "2".to_owned())];
        assert!(Context::read(&HeaderMap::new(), &bad).is_err());
    }
}
