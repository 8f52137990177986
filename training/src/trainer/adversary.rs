//! Adversarial training: rows are learned with their word vectors moved a little way to where the loss is higher, so that the
//! model answers alike all around them.

mod fgm;
mod freelb;
mod offsets;
mod pgd;

use candle_core::Result;
use serde::{Deserialize, Serialize};

use super::pass::Pass;
pub use fgm::Fgm;
pub use freelb::FreeLb;
pub(super) use offsets::Offsets;
pub use pgd::Pgd;

/// The largest distance that makes sense: some ten times the length of a word vector.
const FARTHEST: f64 = 100.0;
/// The most passes a batch that make sense.
const MOST_STEPS: usize = 16;

/// How word vectors are moved, as a run names it: `adversarial = { kind = "fgm", epsilon = 1.0 }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Adversarial {
    /// One step up the slope; twice the work.
    Fgm(Fgm),
    /// Several steps, of which the last is learned; `steps + 1` times the work.
    Pgd(Pgd),
    /// Several steps, each of them learned; `steps` times the work.
    FreeLb(FreeLb),
}

/// A way to move word vectors.
pub(super) trait Adversary {
    /// Adds up a batch's gradient. Returns the loss that it is the gradient of.
    fn learn(&self, pass: &Pass<'_>) -> Result<f64>;
}

impl Adversarial {
    pub(super) fn learn(&self, pass: &Pass<'_>) -> Result<f64> {
        let adversary: &dyn Adversary = match self {
            Self::Fgm(fgm) => fgm,
            Self::Pgd(pgd) => pgd,
            Self::FreeLb(free_lb) => free_lb,
        };
        adversary.learn(pass)
    }

    /// What is wrong with its values.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let (epsilon, rate, steps, fewest) = match *self {
            Self::Fgm(Fgm { epsilon }) => (epsilon, epsilon, 1, 1),
            Self::Pgd(Pgd { epsilon, rate, steps }) => (epsilon, rate, steps, 1),
            // The first step's offsets are random: it takes another for the slope to matter.
            Self::FreeLb(FreeLb { epsilon, rate, steps }) => (epsilon, rate, steps, 2),
        };
        let in_reach = |distance: f64| distance > 0.0 && distance <= FARTHEST;
        if !in_reach(epsilon) || !in_reach(rate) {
            return Some("epsilon and rate must be above 0 and at most 100");
        }
        (!(fewest..=MOST_STEPS).contains(&steps)).then_some("steps must be 1 (of freelb 2) to 16")
    }
}
