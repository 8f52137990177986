//! Whole-system tests: what no single crate can show. The tests themselves are in `tests/tests`, one binary a tier.
//!
//! Here is what they share: feeds with issued ids, a monitor that can be killed and started again, the model and the rules
//! that it runs with, and what it must have left in the store.

pub mod feed;
pub mod fixture;
pub mod monitor;
pub mod outcome;
