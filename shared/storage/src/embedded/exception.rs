//! ClickHouse's exceptions, as they stand in answers.

use axum::http::StatusCode;

use crate::error::exception_code;

/// An error that the caller gets with ClickHouse's own code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) code: u32,
    text: String,
}

/// Codes that this server gives itself, as the real server numbers and names them.
pub(super) mod codes {
    pub(crate) const CANNOT_READ_ALL_DATA: (u32, &str) = (33, "CANNOT_READ_ALL_DATA");
    pub(crate) const BAD_ARGUMENTS: (u32, &str) = (36, "BAD_ARGUMENTS");
    pub(crate) const CHECKSUM_DOESNT_MATCH: (u32, &str) = (40, "CHECKSUM_DOESNT_MATCH");
    pub(crate) const NOT_IMPLEMENTED: (u32, &str) = (48, "NOT_IMPLEMENTED");
    pub(crate) const SYNTAX_ERROR: (u32, &str) = (62, "SYNTAX_ERROR");
    pub(crate) const READONLY: (u32, &str) = (164, "READONLY");
    pub(crate) const SOCKET_TIMEOUT: (u32, &str) = (209, "SOCKET_TIMEOUT");
    pub(crate) const TOO_MANY_SIMULTANEOUS_QUERIES: (u32, &str) = (202, "TOO_MANY_SIMULTANEOUS_QUERIES");
    pub(crate) const TOO_MANY_BYTES: (u32, &str) = (307, "TOO_MANY_BYTES");
    pub(crate) const CANNOT_DECOMPRESS: (u32, &str) = (271, "CANNOT_DECOMPRESS");
    pub(crate) const SESSION_NOT_FOUND: (u32, &str) = (372, "SESSION_NOT_FOUND");
    pub(crate) const SESSION_IS_LOCKED: (u32, &str) = (373, "SESSION_IS_LOCKED");
    pub(crate) const UNKNOWN_CODEC: (u32, &str) = (432, "UNKNOWN_CODEC");
    pub(crate) const AUTHENTICATION_FAILED: (u32, &str) = (516, "AUTHENTICATION_FAILED");
}

impl Exception {
    /// One of this server's own.
    pub(super) fn new((code, name): (u32, &str), message: impl AsRef<str>) -> Self {
        Self { code, text: format!("Code: {code}. DB::Exception: {}. ({name})", message.as_ref()) }
    }

    /// The engine's text, which says its code itself.
    pub(super) fn from_engine(text: String) -> Self {
        Self { code: exception_code(&text).unwrap_or(1002), text: text.trim_end().to_owned() }
    }

    /// A fault that the engine did not explain: `UNKNOWN_EXCEPTION`.
    pub(super) fn unknown(message: &str) -> Self {
        Self::new((1002, "UNKNOWN_EXCEPTION"), message)
    }

    /// The text, in one line as the real server writes it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The status that the real server gives an exception of this code before the answer has begun.
    pub(super) fn status(&self) -> StatusCode {
        match self.code {
            194 => StatusCode::UNAUTHORIZED,
            192 | 193 | 497 | 516 => StatusCode::FORBIDDEN,
            // Parsing of the query, its data and its parameters.
            6 | 26 | 27 | 33 | 36 | 38 | 40 | 41 | 42 | 43 | 53 | 62 | 69 | 72 | 117 | 130 | 261 | 271 | 377 | 386
            | 432 | 456 | 457 | 691 => StatusCode::BAD_REQUEST,
            // Names that nothing has.
            16 | 46 | 47 | 60 | 81 | 83 | 115 | 372 => StatusCode::NOT_FOUND,
            202 | 439 => StatusCode::SERVICE_UNAVAILABLE,
            159 | 209 => StatusCode::REQUEST_TIMEOUT,
            307 => StatusCode::PAYLOAD_TOO_LARGE,
            48 => StatusCode::NOT_IMPLEMENTED,
            243 => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
