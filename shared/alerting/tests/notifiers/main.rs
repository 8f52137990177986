//! The notifiers' tests, with a real HTTP server on loopback and real files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dispatcher;
mod support;
mod text;
mod webhook;
