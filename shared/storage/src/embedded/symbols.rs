//! The C interface of `libchdb`, found symbol by symbol at run time.
//!
//! The declarations follow chDB's public header `chdb.h` (engine 26.7). Handles are opaque; a connection handle is the
//! value behind the pointer that `chdb_connect` gives.

use std::ffi::{c_char, c_int, c_void};
use std::path::Path;

use libloading::Library;

use crate::StorageError;

/// What `chdb_connect` points at.
pub(super) type ConnectionHandle = *mut c_void;
/// A result, a result stream or one of its pieces.
pub(super) type ResultHandle = *mut c_void;
/// An open insert.
pub(super) type InsertHandle = *mut c_void;

/// `CHDBSuccess`.
pub(super) const SUCCESS: c_int = 0;

type QueryWithParameters = unsafe extern "C" fn(
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
) -> *mut c_void;

/// The functions that are used, each under its C name without `chdb_`.
pub(super) struct Symbols {
    pub(super) connect: unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut ConnectionHandle,
    pub(super) close_conn: unsafe extern "C" fn(*mut ConnectionHandle),
    pub(super) query_with_params_n: QueryWithParameters,
    pub(super) stream_query_with_params_n: QueryWithParameters,
    pub(super) stream_fetch_result: unsafe extern "C" fn(ConnectionHandle, ResultHandle) -> ResultHandle,
    pub(super) stream_cancel_query: unsafe extern "C" fn(ConnectionHandle, ResultHandle),
    pub(super) destroy_query_result: unsafe extern "C" fn(ResultHandle),
    pub(super) result_buffer: unsafe extern "C" fn(ResultHandle) -> *const c_char,
    pub(super) result_length: unsafe extern "C" fn(ResultHandle) -> usize,
    pub(super) result_error: unsafe extern "C" fn(ResultHandle) -> *const c_char,
    pub(super) result_rows_written: unsafe extern "C" fn(ResultHandle) -> u64,
    pub(super) result_bytes_written: unsafe extern "C" fn(ResultHandle) -> u64,
    pub(super) stream_insert_with_params_n: QueryWithParameters,
    pub(super) stream_append: unsafe extern "C" fn(InsertHandle, *const c_void, usize) -> c_int,
    pub(super) stream_done: unsafe extern "C" fn(InsertHandle) -> ResultHandle,
    pub(super) stream_cancel_insert: unsafe extern "C" fn(InsertHandle),
    pub(super) stream_insert_error: unsafe extern "C" fn(InsertHandle) -> *const c_char,
    pub(super) destroy_insert_stream: unsafe extern "C" fn(InsertHandle),
    /// Not in every build: without it the engine takes over the process's signal handlers.
    pub(super) set_signal_handlers_enabled: Option<unsafe extern "C" fn(c_int)>,
    /// Not in every build: stops the engine's threads.
    pub(super) shutdown: Option<unsafe extern "C" fn() -> c_int>,
}

impl Symbols {
    /// Loads the library, for the rest of the process's life: the engine's threads run code in it until the very end.
    pub(super) fn load(path: &Path) -> Result<&'static Self, StorageError> {
        let failed = |source| StorageError::Library { path: path.to_owned(), source };
        // SAFETY: loading runs the library's initialisers. The operator names the library, which is the pinned engine.
        let library: &'static Library = Box::leak(Box::new(unsafe { Library::new(path) }.map_err(failed)?));
        // SAFETY: every type above is the C declaration of the symbol of that name.
        let symbols = unsafe {
            macro_rules! symbol {
                ($name:literal) => {
                    *library.get(concat!("chdb_", $name)).map_err(failed)?
                };
            }
            Self {
                connect: symbol!("connect"),
                close_conn: symbol!("close_conn"),
                query_with_params_n: symbol!("query_with_params_n"),
                stream_query_with_params_n: symbol!("stream_query_with_params_n"),
                stream_fetch_result: symbol!("stream_fetch_result"),
                stream_cancel_query: symbol!("stream_cancel_query"),
                destroy_query_result: symbol!("destroy_query_result"),
                result_buffer: symbol!("result_buffer"),
                result_length: symbol!("result_length"),
                result_error: symbol!("result_error"),
                result_rows_written: symbol!("result_rows_written"),
                result_bytes_written: symbol!("result_bytes_written"),
                stream_insert_with_params_n: symbol!("stream_insert_with_params_n"),
                stream_append: symbol!("stream_append"),
                stream_done: symbol!("stream_done"),
                stream_cancel_insert: symbol!("stream_cancel_insert"),
                stream_insert_error: symbol!("stream_insert_error"),
                destroy_insert_stream: symbol!("destroy_insert_stream"),
                set_signal_handlers_enabled: library.get("chdb_set_signal_handlers_enabled").ok().map(|found| *found),
                shutdown: library.get("chdb_shutdown").ok().map(|found| *found),
            }
        };
        Ok(Box::leak(Box::new(symbols)))
    }
}
