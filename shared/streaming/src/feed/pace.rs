//! When each row of a feed is due.

use std::time::{Duration, Instant};

use foundation::EventTime;
use foundation::configuration::ConfigurationError;

use super::check_speed;

/// Waits shorter than this are not worth a timer.
const SHORTEST_WAIT: Duration = Duration::from_millis(2);

/// How fast a file is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// As fast as the broker takes it.
    Unlimited,
    /// By the rows' own times.
    Timed(Speed),
}

/// The feed's own pace.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    /// The column of the rows' times.
    pub time_column: String,
    /// 1 is the feed's own pace, 3600 an hour in a second.
    pub factor: f64,
}

impl Pace {
    pub(super) fn column(&self) -> Option<&str> {
        match self {
            Self::Unlimited => None,
            Self::Timed(speed) => Some(&speed.time_column),
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigurationError> {
        match self {
            Self::Unlimited => Ok(()),
            Self::Timed(speed) => check_speed(speed.factor),
        }
    }
}

/// Turns event time into wall time.
pub(super) struct Pacer {
    factor: f64,
    origin: Option<(EventTime, Instant)>,
}

impl Pacer {
    pub(super) fn new(pace: &Pace) -> Self {
        let factor = match pace {
            Pace::Unlimited => f64::INFINITY,
            Pace::Timed(speed) => speed.factor,
        };
        Self { factor, origin: None }
    }

    /// When a row of this time is due; None if that is now or past. The first row is due at once.
    pub(super) fn wait_until(&mut self, time: EventTime) -> Option<Instant> {
        let now = Instant::now();
        let (first, began) = *self.origin.get_or_insert((time, now));
        let after = Duration::try_from_secs_f64(time.since(first).as_secs_f64() / self.factor).unwrap_or(Duration::MAX);
        let due = began.checked_add(after).unwrap_or(now + Duration::from_secs(u32::MAX.into()));
        (due > now + SHORTEST_WAIT).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventTime {
        EventTime::from_millis(1_161_375_900_000 + seconds * 1000).unwrap()
    }

    #[test]
    fn rows_are_due_by_their_times_over_the_factor() {
        let speed = Speed { time_column: "time".into(), factor: 60.0 };
        let mut pacer = Pacer::new(&Pace::Timed(speed));
        let began = Instant::now();
        assert_eq!(pacer.wait_until(at(0)), None);
        let due = pacer.wait_until(at(3600)).unwrap().duration_since(began);
        assert!((59..=61).contains(&due.as_secs()), "{due:?}");
        // A row out of order is late already.
        assert_eq!(pacer.wait_until(at(-100)), None);
    }

    #[test]
    fn a_speed_must_be_one() {
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Pace::Timed(Speed { time_column: "time".into(), factor }).validate().is_err(), "{factor}");
        }
    }
}
