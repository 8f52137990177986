//! Real servers and real processes for whole-system tests.
//!
//! A [`Kafka`], a [`StoreServer`] and any number of [`ChildProcess`]es run in temporary folders on free ports, can be
//! killed in the middle of their work, and are gone when their handle is dropped. Nothing here knows an app.

pub mod binary;
pub mod http;
pub mod kafka;
pub mod parts;
pub mod ports;
pub mod process;
pub mod store;
pub mod wait;

pub use kafka::Kafka;
pub use process::ChildProcess;
pub use store::StoreServer;
pub use wait::wait_until;
