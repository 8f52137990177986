//! One scope's alert: quiet → pending → firing → quiet.

use serde::{Deserialize, Serialize};

use crate::persisted;

/// Where an alert is in its life.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Lifecycle {
    phase: Phase,
    /// Before this instant it does not fire again.
    cool_until: i64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
enum Phase {
    #[default]
    Quiet,
    Pending {
        since: i64,
    },
    Firing {
        alert: Alert,
        /// Since when the condition is over.
        over_since: Option<i64>,
        /// The value that fired.
        #[serde(with = "persisted::bits")]
        level: f64,
    },
}

/// A firing alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) started_at: i64,
}

/// What the rule's condition says at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    pub(crate) value: f64,
    /// The condition holds.
    pub(crate) breach: bool,
    /// The condition is over, hysteresis included; never together with `breach`.
    pub(crate) over: bool,
    /// A message came at this instant: only news escalates, not the end of a cool-down.
    pub(crate) fresh: bool,
}

/// A rule's durations, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) hold: i64,
    pub(crate) cool_down: i64,
    pub(crate) resolve_after: i64,
    /// While firing, so many times the last firing's value fires again.
    pub(crate) escalation: Option<f64>,
}

/// What happens to an alert.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Fired(Alert),
    Resolved(Alert),
}

impl Lifecycle {
    /// Takes the reading of an instant; instants must not go back.
    pub(crate) fn step(
        &mut self,
        now: i64,
        reading: Reading,
        timing: &Timing,
        new_id: impl FnOnce() -> String,
    ) -> Vec<Change> {
        let cool_until = self.cool_until;
        let fire = |level: f64| {
            let alert = Alert { id: new_id(), started_at: now };
            (Phase::Firing { alert: alert.clone(), over_since: None, level }, Change::Fired(alert))
        };
        let (phase, changes) = match std::mem::take(&mut self.phase) {
            Phase::Quiet | Phase::Pending { .. } if !reading.breach => (Phase::Quiet, vec![]),
            before @ (Phase::Quiet | Phase::Pending { .. }) => {
                let since = if let Phase::Pending { since } = before { since } else { now };
                if now >= since.saturating_add(timing.hold).max(cool_until) {
                    let (phase, fired) = fire(reading.value);
                    (phase, vec![fired])
                } else {
                    (Phase::Pending { since }, vec![])
                }
            }
            Phase::Firing { alert, over_since, level } if reading.over => {
                let since = over_since.unwrap_or(now);
                if now >= since.saturating_add(timing.resolve_after) {
                    (Phase::Quiet, vec![Change::Resolved(alert)])
                } else {
                    (Phase::Firing { alert, over_since: Some(since), level }, vec![])
                }
            }
            Phase::Firing { alert, level, .. } => {
                if now >= cool_until && escalated(&reading, level, timing) {
                    let (phase, fired) = fire(reading.value);
                    (phase, vec![Change::Resolved(alert), fired])
                } else {
                    (Phase::Firing { alert, over_since: None, level }, vec![])
                }
            }
        };
        self.phase = phase;
        if matches!(changes.last(), Some(Change::Fired(_))) {
            self.cool_until = now.saturating_add(timing.cool_down);
        }
        changes
    }

    /// The instant at which time alone changes something, if the reading stays.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<i64> {
        match &self.phase {
            Phase::Quiet => None,
            Phase::Pending { since } => Some(since.saturating_add(timing.hold).max(self.cool_until)),
            Phase::Firing { over_since: Some(since), .. } => Some(since.saturating_add(timing.resolve_after)),
            Phase::Firing { over_since: None, .. } => None,
        }
    }

    /// Whether nothing is pending or firing.
    pub(crate) fn is_quiet(&self) -> bool {
        self.phase == Phase::Quiet
    }

    pub(crate) fn cool_until(&self) -> i64 {
        self.cool_until
    }

    /// Starts a cool-down, for a rule whose alerts do not pass through the phases.
    pub(crate) fn cool_down(&mut self, until: i64) {
        self.cool_until = until;
    }
}

fn escalated(reading: &Reading, level: f64, timing: &Timing) -> bool {
    reading.breach && reading.fresh && timing.escalation.is_some_and(|factor| reading.value >= factor * level)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { hold: 10, cool_down: 100, resolve_after: 20, escalation: Some(2.0) };

    fn run(readings: &[(i64, f64)]) -> Vec<(i64, &'static str)> {
        let mut lifecycle = Lifecycle::default();
        let mut seen = vec![];
        for (now, value) in readings {
            let reading = Reading { value: *value, breach: *value >= 5.0, over: *value < 3.0, fresh: true };
            for change in lifecycle.step(*now, reading, &TIMING, || format!("id{now}")) {
                seen.push((*now, if matches!(change, Change::Fired(_)) { "fired" } else { "resolved" }));
            }
        }
        seen
    }

    #[test]
    fn fires_only_when_the_condition_holds_long_enough() {
        assert_eq!(run(&[(0, 5.0), (9, 5.0), (10, 5.0)]), [(10, "fired")]);
        assert_eq!(run(&[(0, 5.0), (5, 4.0), (10, 5.0), (19, 5.0)]), []);
    }

    #[test]
    fn resolves_only_below_the_lower_bound_and_after_a_while() {
        let start = [(0, 5.0), (10, 5.0)];
        let with = |rest: &[(i64, f64)]| run(&[&start, rest].concat());
        assert_eq!(with(&[(30, 4.0), (60, 3.0)]), [(10, "fired")]);
        assert_eq!(with(&[(30, 2.0), (49, 2.0), (50, 2.0)]), [(10, "fired"), (50, "resolved")]);
        assert_eq!(with(&[(30, 2.0), (40, 4.0), (55, 2.0)]), [(10, "fired")]);
    }

    #[test]
    fn escalation_waits_for_the_cool_down_and_needs_a_clearly_higher_value() {
        let start = [(0, 5.0), (10, 5.0)];
        let with = |rest: &[(i64, f64)]| run(&[&start, rest].concat());
        assert_eq!(with(&[(50, 20.0), (120, 9.9)]), [(10, "fired")]);
        assert_eq!(with(&[(110, 10.0)]), [(10, "fired"), (110, "resolved"), (110, "fired")]);
        assert_eq!(with(&[(110, 10.0), (300, 19.0)]).len(), 3);
    }

    #[test]
    fn a_fresh_burst_in_the_cool_down_fires_at_its_end() {
        let burst = [(0, 5.0), (10, 5.0), (20, 0.0), (40, 0.0), (60, 6.0), (109, 6.0), (110, 6.0)];
        assert_eq!(run(&burst), [(10, "fired"), (40, "resolved"), (110, "fired")]);
    }

    #[test]
    fn deadlines_are_the_instants_at_which_time_alone_acts() {
        let mut lifecycle = Lifecycle::default();
        let breach = Reading { value: 5.0, breach: true, over: false, fresh: true };
        let over = Reading { value: 0.0, breach: false, over: true, fresh: false };
        assert_eq!(lifecycle.deadline(&TIMING), None);
        lifecycle.step(0, breach, &TIMING, String::new);
        assert_eq!(lifecycle.deadline(&TIMING), Some(10));
        lifecycle.step(10, breach, &TIMING, String::new);
        assert_eq!(lifecycle.deadline(&TIMING), None);
        lifecycle.step(30, over, &TIMING, String::new);
        assert_eq!(lifecycle.deadline(&TIMING), Some(50));
    }
}
