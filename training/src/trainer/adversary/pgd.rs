//! Projected gradient descent, which for the adversary is ascent.

use candle_core::Result;
use serde::{Deserialize, Serialize};

use super::Adversary;
use crate::trainer::pass::Pass;

/// Some steps up the slope from a random place, never farther than ε; the row is learned where they end (Madry and others,
/// "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pgd {
    /// How far a sequence is moved at most.
    pub epsilon: f64,
    /// How far one step goes.
    pub rate: f64,
    /// How many steps there are.
    pub steps: usize,
}

impl Default for Pgd {
    fn default() -> Self {
        Self { epsilon: 1.0, rate: 0.4, steps: 3 }
    }
}

impl Adversary for Pgd {
    fn learn(&self, pass: &Pass<'_>) -> Result<f64> {
        let mut offsets = pass.offsets();
        offsets.spread(self.epsilon, &mut pass.random());
        for _ in 0..self.steps {
            let slope = pass.slope(&offsets)?;
            offsets.climb(&slope, self.rate);
            offsets.bound(self.epsilon);
        }
        Ok(pass.learn(&offsets, 1.0)?.loss)
    }
}
