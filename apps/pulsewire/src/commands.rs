//! One file per command, each only composing library crates.

pub(crate) mod adapt;
pub(crate) mod backtest;
pub(crate) mod bench;
pub(crate) mod cross_validate;
pub(crate) mod data;
pub(crate) mod demo;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod feed;
pub(crate) mod import;
pub(crate) mod language_model;
pub(crate) mod model;
pub(crate) mod monitor;
pub(crate) mod prune;
pub(crate) mod rank;
pub(crate) mod search;
pub(crate) mod setup;
pub(crate) mod store;
pub(crate) mod train;
