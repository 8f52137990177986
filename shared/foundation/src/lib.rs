//! What every other crate stands on: time, secrets, configuration, logging, progress, retry and text similarity.
//!
//! Nothing here knows Kafka, ClickHouse or a model.

pub mod backoff;
pub mod configuration;
pub mod digest;
pub mod failure;
pub mod line_endings;
pub mod logging;
pub mod parts;
pub mod paths;
pub mod progress;
pub mod secret;
pub mod similarity;
pub mod time;

pub use failure::{Failure, FailureKind};
pub use secret::Secret;
pub use time::EventTime;
