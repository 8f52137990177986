//! Consumers, dead letters, feeds and elections against the built-in broker and against a real Kafka.

mod kafka;
mod mock;
mod server;
mod support;
