//! Running a statement on a connection of the engine. All of this blocks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::engine::{Connection, Engine, Written};
use super::exception::{Exception, codes};
use super::request::{Context, SessionRequest, Statement};
use super::sessions::Sessions;
use crate::sql::{identifier, literal};

/// The engine and what lives beside it.
pub(super) struct Runner {
    pub(super) engine: Engine,
    pub(super) sessions: Sessions,
    pub(super) query_time_limit: Duration,
}

/// What an answer is made of: any number of `Piece`s and one `End`, or `Failed` at any point.
pub(super) enum Event {
    Piece(Bytes),
    End(Written),
    Failed(Exception),
}

/// Where the events go; an error means that nobody listens any more.
pub(super) type Events = mpsc::Sender<Event>;

impl Runner {
    /// Runs a statement and tells what comes of it.
    pub(super) fn run(self: &Arc<Self>, context: &Context, statement: Statement, events: &Events) {
        let outcome = self.with_connection(context, |connection| execute(connection, context, statement, events));
        let last = match outcome {
            Ok(written) => Event::End(written),
            Err(exception) => Event::Failed(exception),
        };
        if events.blocking_send(last).is_err() {
            tracing::debug!("a client left before its answer was whole");
        }
    }

    fn with_connection(
        &self,
        context: &Context,
        work: impl FnOnce(&mut Connection) -> Result<Written, Exception>,
    ) -> Result<Written, Exception> {
        let Some(request) = &context.session else {
            let mut connection = self.connect()?;
            self.prepare(&mut connection, context)?;
            return work(&mut connection);
        };
        let mut held = HeldSession { sessions: &self.sessions, request, connection: None };
        let taken = self.sessions.take(request)?;
        let connection = held.connection.insert(match taken {
            Some(connection) => connection,
            None => self.connect().inspect_err(|_| self.sessions.forget(request))?,
        });
        let outcome = self.prepare(connection, context).and_then(|()| work(connection));
        // What the URL sets is for this request only.
        let names = context.settings.iter().map(|(name, _)| format!("{name} = DEFAULT")).collect::<Vec<_>>();
        if !names.is_empty() {
            let reset = format!("SET {}", names.join(", "));
            if let Err(exception) = connection.run(reset.as_bytes(), "Null", &Vec::new()) {
                tracing::debug!(reason = exception.text(), "settings were not reset");
            }
        }
        outcome
    }

    fn connect(&self) -> Result<Connection, Exception> {
        self.engine.connect().ok_or_else(|| Exception::unknown("the engine gives no more connections"))
    }

    fn prepare(&self, connection: &mut Connection, context: &Context) -> Result<(), Exception> {
        let limit = ("max_execution_time".to_owned(), self.query_time_limit.as_secs().to_string());
        let settings = std::iter::once(&limit)
            .chain(&context.settings)
            .map(|(name, value)| format!("{name} = {}", literal(value)))
            .collect::<Vec<_>>();
        let set = format!("SET {}", settings.join(", "));
        connection.run(set.as_bytes(), "Null", &Vec::new())?;
        if let Some(database) = &context.database {
            connection.run(format!("USE {}", identifier(database)).as_bytes(), "Null", &Vec::new())?;
        }
        Ok(())
    }

    /// Stops every statement that still runs.
    pub(super) fn kill_all(&self) {
        let Some(mut connection) = self.engine.connect() else { return };
        let kill = b"KILL QUERY WHERE query NOT LIKE 'KILL QUERY%' ASYNC";
        if let Err(exception) = connection.run(kill, "Null", &Vec::new()) {
            tracing::warn!(reason = exception.text(), "running statements could not be stopped");
        }
    }
}

/// Gives the session back however the work ends.
struct HeldSession<'a> {
    sessions: &'a Sessions,
    request: &'a SessionRequest,
    connection: Option<Connection>,
}

impl Drop for HeldSession<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.sessions.give_back(self.request, connection);
        }
    }
}

fn execute(
    connection: &mut Connection,
    context: &Context,
    statement: Statement,
    events: &Events,
) -> Result<Written, Exception> {
    match statement {
        Statement::Insert { sql, format, data } => connection.insert(&sql, &format, &context.parameters, &data),
        Statement::Run { sql, .. } => {
            let answer = connection.run(&sql, &context.format, &context.parameters)?;
            let written = answer.written();
            let content = answer.into_bytes();
            // A client that left needs no answer; what the statement did is done.
            if !content.is_empty() && events.blocking_send(Event::Piece(content)).is_err() {
                tracing::debug!("a client left before its answer");
            }
            Ok(written)
        }
        Statement::Stream { sql, format } => {
            let mut rows = connection.stream(&sql, &context.format, &context.parameters)?;
            let mut header = RepeatedHeader::new(&format);
            while let Some(piece) = rows.next()? {
                let piece = header.strip(piece)?;
                if events.blocking_send(Event::Piece(piece)).is_err() {
                    // Dropping the rows cancels the query.
                    break;
                }
            }
            Ok(Written::default())
        }
    }
}

/// The engine begins every piece of `RowBinaryWithNamesAndTypes` with the columns' names and types; an answer has them once.
struct RepeatedHeader {
    present: bool,
    seen: Option<usize>,
}

impl RepeatedHeader {
    fn new(format: &str) -> Self {
        Self { present: format == "RowBinaryWithNamesAndTypes", seen: None }
    }

    fn strip(&mut self, piece: Bytes) -> Result<Bytes, Exception> {
        if !self.present {
            return Ok(piece);
        }
        match self.seen {
            Some(length) if length <= piece.len() => Ok(piece.slice(length..)),
            Some(_) => Err(header_is_malformed()),
            None => {
                self.seen = Some(header_length(&piece).ok_or_else(header_is_malformed)?);
                Ok(piece)
            }
        }
    }
}

fn header_is_malformed() -> Exception {
    Exception::new(codes::NOT_IMPLEMENTED, "The engine's row header has another form than this version knows")
}

/// The length of a count of columns and twice as many strings, all counts in LEB128.
fn header_length(piece: &[u8]) -> Option<usize> {
    let mut at = 0;
    let columns = read_leb128(piece, &mut at)?;
    for _ in 0..columns.checked_mul(2)? {
        let length = read_leb128(piece, &mut at)?;
        at = at.checked_add(length).filter(|end| *end <= piece.len())?;
    }
    Some(at)
}

fn read_leb128(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0usize;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= usize::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_kept_once() {
        let header = b"\x02\x01a\x05UInt8\x01b\x05UInt8";
        let piece = |rows: &[u8]| Bytes::from([header.as_slice(), rows].concat());
        let mut strip = RepeatedHeader::new("RowBinaryWithNamesAndTypes");
        assert_eq!(strip.strip(piece(b"\x01\x02")).unwrap(), piece(b"\x01\x02"));
        assert_eq!(strip.strip(piece(b"\x03\x04")).unwrap().as_ref(), b"\x03\x04");
        let mut plain = RepeatedHeader::new("RowBinary");
        assert_eq!(plain.strip(piece(b"")).unwrap(), piece(b""));
        assert!(RepeatedHeader::new("RowBinaryWithNamesAndTypes").strip(Bytes::from_static(b"\x02\x01a")).is_err());
    }
}
