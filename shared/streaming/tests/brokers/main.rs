//! Consumers, dead letters, feeds and elections against the built-in broker, a real Kafka and files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod files;
mod kafka;
mod mock;
mod server;
mod support;
