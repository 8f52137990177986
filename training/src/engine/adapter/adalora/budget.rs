//! How many directions all targets have together, over the run.

use super::AdaLora;

/// The budget's way from its first to its last value.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) settings: AdaLora,
}

/// What becomes of the directions after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing.
    Resting,
    /// So many keep what they are; the others begin at zero again.
    Falling(usize),
    /// So many stay for the rest of the run, and no other.
    Settled(usize),
}

impl Budget {
    /// The stage after `steps` of `total` steps. The budget falls along a cubic curve, fast at first.
    pub(super) fn stage(&self, steps: usize, total: usize) -> Stage {
        let share = |share: f64| (share * total as f64).round() as usize;
        let start = share(self.settings.start);
        let end = (total - share(self.settings.settle).min(total)).max(1);
        if steps == end {
            return Stage::Settled(self.last);
        }
        if steps < start || steps > end || !(steps - start).is_multiple_of(self.settings.interval) {
            return Stage::Resting;
        }
        let left = (end - steps) as f64 / (end - start) as f64;
        Stage::Falling(self.last + ((self.first - self.last) as f64 * left.powi(3)).round() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_falls_along_a_cubic_curve_and_settles() {
        let settings = AdaLora { start: 0.1, settle: 0.5, interval: 10, ..AdaLora::default() };
        let budget = Budget { first: 96, last: 32, settings };
        let stages: Vec<_> = (1..=100).map(|steps| (steps, budget.stage(steps, 100))).collect();
        let busy: Vec<_> = stages.into_iter().filter(|(_, stage)| *stage != Stage::Resting).collect();
        // 32 + 64 · (1, 27/64, 1/8, 1/64).
        let falling = [(10, 96), (20, 59), (30, 40), (40, 33)].map(|(steps, budget)| (steps, Stage::Falling(budget)));
        assert_eq!(busy[..4], falling);
        assert_eq!(busy[4..], [(50, Stage::Settled(32))]);
    }

    #[test]
    fn the_shortest_run_settles_too() {
        let settings = AdaLora { start: 0.0, settle: 0.9, ..AdaLora::default() };
        let budget = Budget { first: 24, last: 8, settings };
        assert_eq!(budget.stage(1, 1), Stage::Settled(8));
    }
}
