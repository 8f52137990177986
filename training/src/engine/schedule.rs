//! The learning rate over the steps of a run.

use serde::{Deserialize, Serialize};

/// One-cycle's first rate, as a share of the highest.
const CYCLE_START: f64 = 1.0 / 25.0;
/// One-cycle's last rate, as a share of the highest.
const CYCLE_END: f64 = CYCLE_START / 1e4;

/// How the rate falls after the warm-up, in which it rises in a straight line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Not at all.
    Constant,
    /// To zero in a straight line.
    #[default]
    Linear,
    /// To zero along half a cosine (Loshchilov and Hutter, "SGDR", 2017, without restarts).
    Cosine,
    /// From a twenty-fifth up to the highest rate, then far below where it began (Smith and Topin, "Super-Convergence", 2018).
    /// Made for a long warm-up, 0.3 to 0.45.
    OneCycle,
}

/// The rate of each step of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// How the rate falls.
    pub kind: ScheduleKind,
    /// Steps of the warm-up.
    pub warmup: usize,
    /// All steps of one fit.
    pub total: usize,
}

impl Schedule {
    /// Where a run's step stands in its fit: a run of several fits has one after the other.
    pub fn place(&self, step: usize) -> usize {
        step % self.total.max(1)
    }

    /// What the highest rate is multiplied by at a step, counted from 0.
    pub fn factor(&self, step: usize) -> f64 {
        if step < self.warmup {
            let risen = (step + 1) as f64 / self.warmup as f64;
            return if self.kind == ScheduleKind::OneCycle { CYCLE_START + (1.0 - CYCLE_START) * risen } else { risen };
        }
        let rest = (self.total - self.warmup.min(self.total)).max(1);
        let left = self.total.saturating_sub(step) as f64 / rest as f64;
        let cosine = 0.5 - 0.5 * (std::f64::consts::PI * left).cos();
        match self.kind {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::Linear => left,
            ScheduleKind::Cosine => cosine,
            ScheduleKind::OneCycle => CYCLE_END + (1.0 - CYCLE_END) * cosine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(kind: ScheduleKind) -> Vec<f64> {
        let schedule = Schedule { kind, warmup: 4, total: 12 };
        (0..=12).map(|step| schedule.factor(step)).collect()
    }

    #[test]
    fn the_rate_rises_and_falls_in_straight_lines() {
        let factors = factors(ScheduleKind::Linear);
        assert_eq!(factors[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert_eq!((factors[8], factors[12]), (0.5, 0.0));
        assert!(factors[11] > 0.0);
        assert_eq!(Schedule { kind: ScheduleKind::Linear, warmup: 0, total: 2 }.factor(0), 1.0);
    }

    #[test]
    fn a_constant_rate_stays() {
        assert_eq!(factors(ScheduleKind::Constant)[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert_eq!(factors(ScheduleKind::Constant)[5..], [1.0; 8]);
    }

    #[test]
    fn a_cosine_is_flat_at_both_ends_and_meets_the_line_in_the_middle() {
        let factors = factors(ScheduleKind::Cosine);
        assert_eq!(factors[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        // A quarter of the way down: (1 + cos 45°) / 2.
        assert!((factors[6] - (0.5 + 0.125f64.sqrt())).abs() < 1e-12 && (factors[8] - 0.5).abs() < 1e-12);
        assert!(factors[12].abs() < 1e-12);
    }

    #[test]
    fn one_cycle_ends_far_below_where_it_began() {
        let factors = factors(ScheduleKind::OneCycle);
        assert!((factors[0] - (0.04 + 0.96 * 0.25)).abs() < 1e-12);
        assert_eq!((factors[3], factors[4]), (1.0, 1.0));
        assert!((factors[12] - 4e-6).abs() < 1e-12);
        assert!(factors[4..].windows(2).all(|pair| pair[0] > pair[1]), "{factors:?}");
    }
}
