//! The evaluator's tests: rules in, observations in, transitions out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod determinism;
mod late;
mod reference;
mod rules;
mod support;
mod surge;
