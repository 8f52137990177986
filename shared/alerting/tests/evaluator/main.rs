//! The evaluator's tests: rules in, observations in, transitions out.

mod determinism;
mod late;
mod reference;
mod rules;
mod support;
mod surge;
