//! Consumers, dead letters, feeds and elections against the built-in broker, a real Kafka and files.

mod files;
mod kafka;
mod mock;
mod server;
mod support;
