//! Free large-batch training: no step of the adversary is wasted.

use candle_core::Result;
use serde::{Deserialize, Serialize};

use super::Adversary;
use crate::trainer::pass::Pass;

/// Some steps up the slope from a random place, never farther than ε; the row is learned at each of them, an equal share of the
/// loss each, under one dropout mask (Zhu and others, "FreeLB", 2020).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FreeLb {
    /// How far a sequence is moved at most.
    pub epsilon: f64,
    /// How far one step goes.
    pub rate: f64,
    /// How often the row is learned.
    pub steps: usize,
}

impl Default for FreeLb {
    fn default() -> Self {
        Self { epsilon: 0.6, rate: 0.2, steps: 3 }
    }
}

impl Adversary for FreeLb {
    fn learn(&self, pass: &Pass<'_>) -> Result<f64> {
        let mut offsets = pass.offsets();
        offsets.spread(self.epsilon, &mut pass.random());
        let share = 1.0 / self.steps as f64;
        let mut loss = 0.0;
        for _ in 0..self.steps {
            let here = pass.learn(&offsets, share)?;
            loss += share * here.loss;
            offsets.climb(&here.slope, self.rate);
            offsets.bound(self.epsilon);
        }
        Ok(loss)
    }
}
