//! What ClickHouse's error codes and the client's errors mean for a caller.
//!
//! The codes are those of ClickHouse's `src/Common/ErrorCodes.cpp`, which never renumbers them.

use clickhouse::error::Error;
use foundation::FailureKind;

pub(crate) const UNKNOWN_DATABASE: u32 = 81;
pub(super) const TIMEOUT_EXCEEDED: u32 = 159;
const NOT_ENOUGH_SPACE: u32 = 243;
const CANNOT_WRITE_TO_FILE: u32 = 75;
const MEMORY_LIMIT_EXCEEDED: u32 = 241;
const TOO_MANY_PARTS: u32 = 252;

/// The failure kind of a client error, and the server's code where it gave one.
pub(super) fn classify(error: &Error) -> (FailureKind, Option<u32>) {
    match error {
        Error::Network(_) | Error::TimedOut => (FailureKind::Unavailable, None),
        Error::SchemaMismatch(_)
        | Error::InvalidColumnsHeader(_)
        | Error::NotEnoughData
        | Error::DataFormat(_)
        | Error::InvalidUtf8Encoding(_)
        | Error::Decompression(_) => (FailureKind::Corrupt, None),
        Error::InvalidParams(_) | Error::Unsupported(_) => (FailureKind::Configuration, None),
        Error::BadResponse(text) => {
            let code = exception_code(text);
            (kind_of_response(code, text), code)
        }
        _ => (FailureKind::Internal, None),
    }
}

/// The code in ClickHouse's error text: `Code: 60. DB::Exception: …`.
pub(crate) fn exception_code(text: &str) -> Option<u32> {
    let digits = text.split_once("Code: ")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// What would mend a server that answers with this code.
pub(super) fn remedy(code: u32) -> &'static str {
    match code {
        NOT_ENOUGH_SPACE | CANNOT_WRITE_TO_FILE => "free space on the store's disk",
        MEMORY_LIMIT_EXCEEDED => "give the server more memory, or wait for its other queries",
        TOO_MANY_PARTS => "let the server's merges catch up",
        _ => "see the server's own log",
    }
}

fn kind_of_response(code: Option<u32>, text: &str) -> FailureKind {
    match code {
        Some(code) if disk_is_full(code, text) => FailureKind::Unavailable,
        // Timeouts, limits that pass, lost replicas and Keeper sessions, cancelled queries, unknown insert status.
        Some(
            159 | 201 | 202 | 203 | 209 | 210 | 225 | 236 | 241 | 242 | 243 | 252 | 285 | 286 | 319 | 394 | 439 | 473
            | 999,
        ) => FailureKind::Unavailable,
        // Access, unknown database or setting, read-only user.
        Some(81 | 115 | 164 | 192 | 193 | 194 | 291 | 497 | 516) => FailureKind::Configuration,
        // Columns and tables that are not as the row type has them, parts that do not read.
        Some(10 | 16 | 33 | 40 | 47 | 53 | 60 | 70 | 117 | 246 | 271) => FailureKind::Corrupt,
        // Syntax, arguments, types in a query that someone typed.
        Some(36 | 42 | 43 | 46 | 62 | 456 | 457) => FailureKind::Input,
        Some(_) => FailureKind::Internal,
        // A proxy's or a starting server's answer carries no code: `503 Service Unavailable`.
        None if ["429", "502", "503", "504"].iter().any(|status| text.starts_with(status)) => FailureKind::Unavailable,
        None => FailureKind::Internal,
    }
}

fn disk_is_full(code: u32, text: &str) -> bool {
    code == NOT_ENOUGH_SPACE || text.contains("No space left on device") || text.contains("errno: 28")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kind: FailureKind, code: Option<u32>) {
        assert_eq!(classify(&Error::BadResponse(text.to_owned())), (kind, code), "{text}");
    }

    #[test]
    fn codes_tell_what_to_do() {
        use FailureKind::{Configuration, Corrupt, Input, Internal, Unavailable};
        check("Code: 243. DB::Exception: Cannot reserve 1.00 MiB. (NOT_ENOUGH_SPACE)", Unavailable, Some(243));
        check("Code: 75. DB::ErrnoException: errno: 28, strerror: No space left on device", Unavailable, Some(75));
        check("Code: 75. DB::ErrnoException: errno: 5, strerror: Input/output error", Internal, Some(75));
        check("Code: 516. DB::Exception: Authentication failed", Configuration, Some(516));
        check("Code: 60. DB::Exception: Table a.b does not exist", Corrupt, Some(60));
        check("Code: 62. DB::Exception: Syntax error", Input, Some(62));
        check("503 Service Unavailable", Unavailable, None);
        check("<html>", Internal, None);
    }
}
