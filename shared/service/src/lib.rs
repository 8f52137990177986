//! What every long-running command shares: one shutdown, tasks with names, health and metrics over HTTP.
//!
//! A command makes a [`Lifecycle`], starts its [`http::HttpServer`], spawns its tasks under names and ends with
//! [`Lifecycle::join`]. The order of the end is fixed: a signal (or a task's end) cancels the one token; the tasks stop
//! their intake, drain and return; then the HTTP server, which answered "draining" so far, closes.

pub mod error;
pub mod health;
pub mod http;
pub mod lifecycle;
pub mod metrics;

pub use error::ServiceError;
pub use health::{Component, Health};
pub use http::{HttpConfig, HttpServer};
pub use lifecycle::Lifecycle;
pub use metrics::Metrics;
pub use tokio_util::sync::CancellationToken;
