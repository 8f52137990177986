//! To be written.

pub mod entities;
