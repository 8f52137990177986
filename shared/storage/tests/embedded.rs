//! The store against the real engine: every test talks HTTP to a server in a process of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "embedded/support.rs"]
mod support;

#[path = "embedded/blocks.rs"]
mod blocks;
#[path = "embedded/crashes.rs"]
mod crashes;
#[path = "embedded/interface.rs"]
mod interface;
#[path = "embedded/migrations.rs"]
mod migrations;
#[path = "embedded/shared_tables.rs"]
mod shared_tables;
#[path = "embedded/waiting.rs"]
mod waiting;

/// What a child process runs (see [`support::StoreProcess`]). In the test run itself, where there is nothing to serve, it
/// holds the server's first rule.
#[test]
fn store_process() {
    match support::child_configuration() {
        Some(config) => support::serve_until_stdin_closes(config),
        None => support::check_that_other_machines_are_refused(),
    }
}
