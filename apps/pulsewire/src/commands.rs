//! One file per command, each only composing library crates.

pub(crate) mod doctor;
pub(crate) mod setup;
