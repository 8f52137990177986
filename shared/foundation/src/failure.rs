//! What a caller may do about an error, without knowing its type.

/// What kind of failure an error is; one match per app turns this into an exit code, an HTTP status, a retry or a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The operator's configuration, flags or rule file are wrong: stop before anything starts (exit code 64).
    Configuration,
    /// A record, file or request is malformed: it becomes a dead letter or a refusal, never a stop.
    Input,
    /// A server or a file is out of reach for now: wait and try again.
    Unavailable,
    /// Something durable does not have the content that it must have (checksum, magic number, schema).
    Corrupt,
    /// A fault of the program or of its environment that no retry mends.
    Internal,
}

/// Implemented by every crate's error type.
pub trait Failure: std::error::Error {
    /// What kind of failure this is.
    fn kind(&self) -> FailureKind;

    /// Whether the same call may succeed later.
    fn is_retryable(&self) -> bool {
        self.kind() == FailureKind::Unavailable
    }
}
