//! Successive halving: many trials of few epochs, and only the best of them again with more (Jamieson and Talwalkar,
//! "Non-stochastic Best Arm Identification and Hyperparameter Optimization", 2016).

use serde::{Deserialize, Serialize};

/// How trials are given up. Each rung trains from the base encoder with a whole schedule of its own length: a rate that has not
/// fallen yet says little about where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Halving {
    /// Of so many trials one is taken to the next rung, which has so many times the epochs.
    pub reduction: usize,
    /// The epochs of the first rung; the last has the run's own.
    pub shortest: usize,
}

impl Default for Halving {
    fn default() -> Self {
        Self { reduction: 3, shortest: 1 }
    }
}

impl Halving {
    /// What is wrong with it.
    pub(super) fn fault(self) -> Option<&'static str> {
        if self.reduction < 2 {
            return Some("reduction must be at least 2");
        }
        (self.shortest == 0).then_some("shortest must be at least 1")
    }

    /// The epochs of each rung, rising to `epochs`.
    pub(super) fn rungs(self, epochs: usize) -> Vec<usize> {
        let mut rungs = vec![epochs];
        let mut next = epochs;
        while next > self.shortest {
            next = next.div_ceil(self.reduction).max(self.shortest);
            rungs.push(next);
        }
        rungs.reverse();
        rungs
    }

    /// How many of `trials` are left on a rung, from 0; never none.
    pub(super) fn left(self, trials: usize, rung: usize) -> usize {
        (0..rung).fold(trials, |left, _| (left / self.reduction).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_rise_to_the_runs_epochs() {
        let rungs = |reduction, shortest, epochs| Halving { reduction, shortest }.rungs(epochs);
        assert_eq!(rungs(3, 1, 9), [1, 3, 9]);
        assert_eq!(rungs(3, 1, 5), [1, 2, 5]);
        assert_eq!(rungs(2, 2, 8), [2, 4, 8]);
        assert_eq!(rungs(4, 3, 4), [3, 4]);
        assert_eq!(rungs(3, 5, 4), [4], "a run shorter than the first rung has one rung");
    }

    #[test]
    fn a_third_is_left_each_time() {
        let halving = Halving::default();
        assert_eq!([0, 1, 2, 3].map(|rung| halving.left(20, rung)), [20, 6, 2, 1]);
        assert_eq!([0, 1, 2].map(|rung| halving.left(2, rung)), [2, 1, 1]);
    }
}
