//! Whole-system tests: what no single crate can show. The tests themselves are in `tests/tests`, one binary a tier.
//!
//! Here is what they share: feeds with issued ids, and a monitor that can be killed and started again.

pub mod feed;
pub mod monitor;
