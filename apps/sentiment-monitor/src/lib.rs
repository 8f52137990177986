//! The financial sentiment monitor: which companies a feed speaks ill of, and when that is more than usual.
//!
//! ```text
//! consume / file ─► scoring (decode, entities, novelty, engine) ─► sink (ClickHouse / memory)
//!                      stored rows ─► evaluation (watermark, rules) ─► history, notifiers
//! ```
//!
//! [`monitor`] runs it on Kafka, [`backtest`] on a past feed in a file; both through the same [`scoring::Scorer`] and the
//! same [`alerting::Evaluator`].

pub mod backtest;
pub mod config;
pub mod entities;
pub mod error;
pub mod evaluation;
mod lag;
pub mod metrics;
pub mod model;
pub mod monitor;
mod notifiers;
pub mod row;
pub mod samples;
pub mod scoring;
pub mod sentiment;
pub mod sink;
pub mod watermark;

pub use config::MonitorConfig;
pub use error::MonitorError;
