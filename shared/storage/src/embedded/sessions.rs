//! Connections that live longer than one request, under a `session_id`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::engine::Connection;
use super::exception::{Exception, codes};
use super::request::SessionRequest;

const MOST_SESSIONS: usize = 256;

/// Sessions at rest, and the names of those at work.
#[derive(Default)]
pub(super) struct Sessions {
    known: Mutex<HashMap<String, Option<Resting>>>,
}

struct Resting {
    connection: Connection,
    until: Instant,
}

impl Sessions {
    /// Takes a session to work with; `None` if it is new. [`Sessions::give_back`] must follow, or [`Sessions::forget`].
    pub(super) fn take(&self, request: &SessionRequest) -> Result<Option<Connection>, Exception> {
        let mut known = self.known();
        let now = Instant::now();
        known.retain(|_, session| session.as_ref().is_none_or(|resting| resting.until > now));
        let full = known.len() >= MOST_SESSIONS;
        match known.entry(request.id.clone()) {
            Entry::Occupied(mut entry) => match entry.get_mut().take() {
                Some(resting) => Ok(Some(resting.connection)),
                None => Err(Exception::new(codes::SESSION_IS_LOCKED, "Session is locked by a concurrent client")),
            },
            Entry::Vacant(_) if request.must_exist => {
                Err(Exception::new(codes::SESSION_NOT_FOUND, "Session not found"))
            }
            Entry::Vacant(_) if full => {
                let message = format!("Too many sessions: {MOST_SESSIONS} are open");
                Err(Exception::new(codes::TOO_MANY_SIMULTANEOUS_QUERIES, message))
            }
            Entry::Vacant(entry) => {
                entry.insert(None);
                Ok(None)
            }
        }
    }

    /// Puts a session to rest until its timeout.
    pub(super) fn give_back(&self, request: &SessionRequest, connection: Connection) {
        let resting = Resting { connection, until: Instant::now() + request.timeout };
        self.known().insert(request.id.clone(), Some(resting));
    }

    /// Ends a session.
    pub(super) fn forget(&self, request: &SessionRequest) {
        self.known().remove(&request.id);
    }

    /// Ends all sessions.
    pub(super) fn clear(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Option<Resting>>> {
        // The map is whole at any moment.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
