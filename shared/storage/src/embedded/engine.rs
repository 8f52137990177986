//! Safe hands on the engine: connections, statements, result streams and inserts.

use std::ffi::{CStr, CString, c_char};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use bytes::Bytes;

use super::exception::Exception;
use super::symbols::{ConnectionHandle, InsertHandle, ResultHandle, SUCCESS, Symbols};
use crate::StorageError;

/// The engine on one directory. One a process.
pub(super) struct Engine {
    symbols: &'static Symbols,
    path_argument: CString,
    /// Closing the last connection stops the engine, so this one stays open.
    anchor: Option<Connection>,
}

impl Engine {
    /// Loads the library and opens the directory, which must exist and should be the working directory.
    pub(super) fn open(library: &Path, directory: &Path) -> Result<Self, StorageError> {
        let symbols = Symbols::load(library)?;
        if let Some(set_signal_handlers_enabled) = symbols.set_signal_handlers_enabled {
            // SAFETY: called before the first connection, as it must be; the process keeps its own handlers.
            unsafe { set_signal_handlers_enabled(0) };
        }
        let failed = || StorageError::Engine { directory: directory.to_owned() };
        let argument = [b"--path=", directory.as_os_str().as_bytes()].concat();
        let path_argument = CString::new(argument).map_err(|_| failed())?;
        let mut engine = Self { symbols, path_argument, anchor: None };
        engine.anchor = Some(engine.connect().ok_or_else(failed)?);
        Ok(engine)
    }

    /// A connection of its own: its settings, current database and temporary tables are seen by nobody else.
    pub(super) fn connect(&self) -> Option<Connection> {
        let mut arguments = [c"clickhouse".as_ptr().cast_mut(), self.path_argument.as_ptr().cast_mut()];
        // SAFETY: two valid C strings, which the engine copies.
        let pointer = unsafe { (self.symbols.connect)(2, arguments.as_mut_ptr()) };
        (!pointer.is_null()).then_some(Connection { symbols: self.symbols, pointer })
    }

    /// Stops the engine's threads. Does nothing while connections are still open: the process's end stops them then.
    pub(super) fn stop(mut self) {
        self.anchor = None;
        if let Some(shutdown) = self.symbols.shutdown {
            // SAFETY: takes nothing, and refuses by itself while a connection is open.
            unsafe { shutdown() };
        }
    }
}

/// Values of `{name:Type}` placeholders.
pub(super) type Parameters = Vec<(String, String)>;

/// A connection. The engine serialises what runs on it; `&mut self` says the same at compile time.
pub(super) struct Connection {
    symbols: &'static Symbols,
    pointer: *mut ConnectionHandle,
}

// SAFETY: the engine's calls may come from any thread, one at a time for one connection.
unsafe impl Send for Connection {}
// SAFETY: everything that reaches the engine takes `&mut self`; a shared reference can do nothing.
unsafe impl Sync for Connection {}

impl Connection {
    fn handle(&self) -> ConnectionHandle {
        // SAFETY: `chdb_connect` gave a valid pointer, which only `drop` closes.
        unsafe { *self.pointer }
    }

    /// Runs statements to their end and gives the whole answer.
    pub(super) fn run(&mut self, sql: &[u8], format: &str, parameters: &Parameters) -> Result<Answer, Exception> {
        let pieces = Pieces::new(parameters);
        // SAFETY: all pointers and lengths describe live memory, and the connection is open.
        let handle = unsafe { pieces.call(self.symbols.query_with_params_n, self.handle(), sql, format) };
        Answer { symbols: self.symbols, handle }.checked()
    }

    /// Begins a query whose rows are fetched piece by piece.
    pub(super) fn stream(
        &mut self,
        sql: &[u8],
        format: &str,
        parameters: &Parameters,
    ) -> Result<AnswerStream<'_>, Exception> {
        let pieces = Pieces::new(parameters);
        // SAFETY: as above.
        let handle = unsafe { pieces.call(self.symbols.stream_query_with_params_n, self.handle(), sql, format) };
        let head = Answer { symbols: self.symbols, handle }.checked()?;
        Ok(AnswerStream { connection: self, head, ended: false })
    }

    /// Inserts data in a format: all of it, or nothing when it is malformed.
    pub(super) fn insert(
        &mut self,
        sql: &[u8],
        format: &str,
        parameters: &Parameters,
        data: &[Bytes],
    ) -> Result<Written, Exception> {
        let pieces = Pieces::new(parameters);
        let symbols = self.symbols;
        // SAFETY: as above.
        let handle = unsafe { pieces.call(symbols.stream_insert_with_params_n, self.handle(), sql, format) };
        let insert = OpenInsert { symbols, handle };
        insert.failure().map_or(Ok(()), Err)?;
        for piece in data.iter().filter(|piece| !piece.is_empty()) {
            // SAFETY: the piece is live and its length is its own; the engine copies it.
            let state = unsafe { (symbols.stream_append)(handle, piece.as_ptr().cast(), piece.len()) };
            if state != SUCCESS {
                // SAFETY: the insert is open.
                let failure = insert.failure().unwrap_or_else(|| Exception::unknown("the insert was refused"));
                unsafe { (symbols.stream_cancel_insert)(handle) };
                return Err(failure);
            }
        }
        // SAFETY: the insert is open, and this ends it.
        let done = Answer { symbols, handle: unsafe { (symbols.stream_done)(handle) } }.checked()?;
        Ok(done.written())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: closed once, and nothing borrows the connection any more.
        unsafe { (self.symbols.close_conn)(self.pointer) };
    }
}

/// The arrays of pointers and lengths that the C interface takes.
struct Pieces {
    names: Vec<*const c_char>,
    name_lengths: Vec<usize>,
    values: Vec<*const c_char>,
    value_lengths: Vec<usize>,
}

impl Pieces {
    fn new(parameters: &Parameters) -> Self {
        Self {
            names: parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect(),
            name_lengths: parameters.iter().map(|(name, _)| name.len()).collect(),
            values: parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect(),
            value_lengths: parameters.iter().map(|(_, value)| value.len()).collect(),
        }
    }

    /// # Safety
    ///
    /// `connection` must be open and the parameters that `self` was made of alive.
    unsafe fn call(
        &self,
        function: unsafe extern "C" fn(
            ConnectionHandle,
            *const c_char,
            usize,
            *const c_char,
            usize,
            *const *const c_char,
            *const usize,
            *const *const c_char,
            *const usize,
            usize,
        ) -> *mut std::ffi::c_void,
        connection: ConnectionHandle,
        sql: &[u8],
        format: &str,
    ) -> *mut std::ffi::c_void {
        // SAFETY: the caller keeps the contract; text and format carry their lengths.
        unsafe {
            function(
                connection,
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                self.names.as_ptr(),
                self.name_lengths.as_ptr(),
                self.values.as_ptr(),
                self.value_lengths.as_ptr(),
                self.names.len(),
            )
        }
    }
}

/// What an INSERT wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// A whole answer, or one piece of a stream.
pub(super) struct Answer {
    symbols: &'static Symbols,
    handle: ResultHandle,
}

// SAFETY: a result is plain memory once it is given out.
unsafe impl Send for Answer {}
// SAFETY: nothing changes a result after that.
unsafe impl Sync for Answer {}

impl Answer {
    fn checked(self) -> Result<Self, Exception> {
        if self.handle.is_null() {
            return Err(Exception::unknown("the engine gave no answer"));
        }
        // SAFETY: the handle is valid until `drop`; the text is a C string or null.
        match unsafe { text((self.symbols.result_error)(self.handle)) } {
            Some(error) => Err(Exception::from_engine(error)),
            None => Ok(self),
        }
    }

    pub(super) fn written(&self) -> Written {
        // SAFETY: the handle is valid until `drop`.
        unsafe {
            Written {
                rows: (self.symbols.result_rows_written)(self.handle),
                bytes: (self.symbols.result_bytes_written)(self.handle),
            }
        }
    }

    /// The bytes, without copying them.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: buffer and length belong together and live until `drop`.
        unsafe {
            let buffer = (self.symbols.result_buffer)(self.handle);
            let length = (self.symbols.result_length)(self.handle);
            if buffer.is_null() || length == 0 { &[] } else { std::slice::from_raw_parts(buffer.cast(), length) }
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: destroyed once.
            unsafe { (self.symbols.destroy_query_result)(self.handle) };
        }
    }
}

/// A query that is running, whose rows come in pieces. Dropping it before its end cancels it.
pub(super) struct AnswerStream<'a> {
    connection: &'a mut Connection,
    head: Answer,
    ended: bool,
}

impl AnswerStream<'_> {
    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Exception> {
        if self.ended {
            return Ok(None);
        }
        let symbols = self.connection.symbols;
        // SAFETY: the connection is open, and `head` is its running stream.
        let handle = unsafe { (symbols.stream_fetch_result)(self.connection.handle(), self.head.handle) };
        let piece = Answer { symbols, handle }.checked().inspect_err(|_| self.ended = true)?;
        self.ended = piece.as_ref().is_empty();
        Ok((!self.ended).then(|| piece.into_bytes()))
    }
}

impl Drop for AnswerStream<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: as in `next`; the head is destroyed after this.
            unsafe { (self.connection.symbols.stream_cancel_query)(self.connection.handle(), self.head.handle) };
        }
    }
}

struct OpenInsert {
    symbols: &'static Symbols,
    handle: InsertHandle,
}

impl OpenInsert {
    fn failure(&self) -> Option<Exception> {
        if self.handle.is_null() {
            return Some(Exception::unknown("the engine refused the insert"));
        }
        // SAFETY: the handle is valid until `drop`; the text is a C string or null.
        unsafe { text((self.symbols.stream_insert_error)(self.handle)) }.map(Exception::from_engine)
    }
}

impl Drop for OpenInsert {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: destroyed once; an insert that was not ended is cancelled by it.
            unsafe { (self.symbols.destroy_insert_stream)(self.handle) };
        }
    }
}

/// # Safety
///
/// `pointer` must be null or a C string that lives through the call.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if ptr::eq(pointer, ptr::null()) {
        return None;
    }
    // SAFETY: as the caller promises.
    let text = unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned();
    (!text.is_empty()).then_some(text)
}
