//! Event time: when a message says that it happened.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeZone as _, Utc};
use serde::{Deserialize, Serialize};

/// A point in event time, in milliseconds since the Unix epoch.
///
/// Between [`EventTime::MIN`] (1970) and [`EventTime::MAX`] (end of 2199): ClickHouse's `DateTime64(3)` holds the whole
/// range, and anything outside is a broken clock rather than news. Serialised as RFC 3339 text in UTC for people
/// (JSON, NDJSON); [`EventTime::millis`] is what a database column takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(i64);

/// Why a timestamp was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// No known form fits.
    #[error("timestamp {0:?} is not RFC 3339, `YYYY-MM-DD HH:MM:SS`, `YYYY-MM-DD`, RFC 2822 or a Unix time")]
    Unreadable(String),
    /// Readable, but no plausible time of an event.
    #[error("timestamp {0:?} is outside 1970-01-01 to 2199-12-31")]
    OutOfRange(String),
}

impl EventTime {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// 2199-12-31T23:59:59.999Z.
    pub const MAX: Self = Self(7_258_118_399_999);

    /// The time of this many milliseconds since the epoch, if in range.
    pub fn from_millis(millis: i64) -> Result<Self, TimeError> {
        let time = Self(millis);
        if (Self::MIN..=Self::MAX).contains(&time) { Ok(time) } else { Err(TimeError::OutOfRange(millis.to_string())) }
    }

    /// The wall clock's time.
    pub fn now() -> Self {
        Self(Utc::now().timestamp_millis().clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// This time plus a duration, held inside the range.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(duration)).min(Self::MAX.0))
    }

    /// This time minus a duration, held inside the range.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(duration)).max(Self::MIN.0))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339, `YYYY-MM-DD[ T]HH:MM[:SS[.fff]]` (taken as UTC), `YYYY-MM-DD`, RFC 2822, or a Unix time in seconds,
    /// milliseconds, microseconds or nanoseconds, told apart by their magnitude.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        if let Ok(number) = text.parse::<i64>() {
            return Self::from_unix(number).ok_or_else(|| TimeError::OutOfRange(text.to_owned()));
        }
        if let Ok(seconds) = text.parse::<f64>() {
            // Seconds with a fraction, as Python's time.time() prints them.
            let millis = (seconds * 1000.0).round();
            let known = millis.is_finite() && millis.abs() < 1e15;
            return known
                .then(|| Self::from_millis(millis as i64).ok())
                .flatten()
                .ok_or_else(|| TimeError::OutOfRange(text.to_owned()));
        }
        let millis = read_calendar(text).ok_or_else(|| TimeError::Unreadable(shorten(text)))?;
        Self::from_millis(millis).map_err(|_| TimeError::OutOfRange(shorten(text)))
    }

    /// A Unix time whose unit is told by its magnitude: up to 1e11 seconds, then milli-, micro- and nanoseconds.
    pub fn from_unix(number: i64) -> Option<Self> {
        let millis = match number.unsigned_abs() {
            0..100_000_000_000 => number.checked_mul(1000)?,
            100_000_000_000..100_000_000_000_000 => number,
            100_000_000_000_000..100_000_000_000_000_000 => number / 1000,
            _ => number / 1_000_000,
        };
        Self::from_millis(millis).ok()
    }
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

fn read_calendar(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
            return Some(time.and_utc().timestamp_millis());
        }
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis());
    }
    // `2006-10-20 20:25:00+00:00`, as Python and pandas print it.
    for form in ["%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f %z"] {
        if let Ok(time) = DateTime::parse_from_str(text, form) {
            return Some(time.timestamp_millis());
        }
    }
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.timestamp_millis())
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Utc.timestamp_millis_opt(self.0).single() {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for EventTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Serde for [`Duration`] as text with units: `30s`, `5m`, `1h30m`, `250ms`, `2d`.
pub mod duration_text {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Reads `30s`, `5m`, `1h30m`, `250ms`, `2d`.
    pub fn parse(text: &str) -> Result<Duration, String> {
        let mut rest = text.trim();
        let mut total = Duration::ZERO;
        let wrong = || format!("{text:?} is not a duration such as 250ms, 30s, 5m, 1h30m or 2d");
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&end| end > 0).ok_or_else(wrong)?;
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let millis = match rest[..unit_end].trim() {
                "ms" => 1,
                "s" => 1000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(wrong()),
            };
            rest = &rest[unit_end..];
            let part = number.checked_mul(millis).ok_or_else(wrong)?;
            total = total.checked_add(Duration::from_millis(part)).ok_or_else(wrong)?;
        }
        Ok(total)
    }

    /// Writes the largest units that are exact: `1h30m`.
    pub fn format(duration: Duration) -> String {
        let mut millis = duration.as_millis();
        if millis == 0 {
            return "0s".to_owned();
        }
        let mut text = String::new();
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            if millis >= size {
                text.push_str(&format!("{}{unit}", millis / size));
                millis %= size;
            }
        }
        text
    }

    /// For `#[serde(with = "foundation::time::duration_text")]`.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*duration))
    }

    /// For `#[serde(with = "foundation::time::duration_text")]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, ()>) {
        let read = EventTime::parse(text).map(|time| time.to_string());
        assert_eq!(read.as_deref().map_err(|_| ()), expected, "{text}");
    }

    #[test]
    fn reads_the_forms_that_feeds_use() {
        check("2006-10-20T20:25:00Z", Ok("2006-10-20T20:25:00Z"));
        check("2006-10-20T22:25:00+02:00", Ok("2006-10-20T20:25:00Z"));
        check("2006-10-20 20:25:00", Ok("2006-10-20T20:25:00Z"));
        check("2006-10-20 20:25", Ok("2006-10-20T20:25:00Z"));
        check("2006-10-20 20:25:00.250+00:00", Ok("2006-10-20T20:25:00.250Z"));
        check("2006-10-20", Ok("2006-10-20T00:00:00Z"));
        check("Fri, 20 Oct 2006 20:25:00 +0000", Ok("2006-10-20T20:25:00Z"));
        check("1161375900", Ok("2006-10-20T20:25:00Z"));
        check("1161375900.5", Ok("2006-10-20T20:25:00.500Z"));
        check("1161375900000", Ok("2006-10-20T20:25:00Z"));
        check("1161375900000000", Ok("2006-10-20T20:25:00Z"));
        check("1161375900000000000", Ok("2006-10-20T20:25:00Z"));
    }

    #[test]
    fn refuses_absurd_times() {
        for text in [
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "-5",
            "",
            "yesterday",
            "1e300",
            "NaN",
            "99999999999999999999",
        ] {
            check(text, Err(()));
        }
    }

    #[test]
    fn durations_read_as_written() {
        for text in ["250ms", "30s", "5m", "1h30m", "2d", "0s"] {
            assert_eq!(duration_text::format(duration_text::parse(text).unwrap()), text);
        }
        for text in ["", "5", "m", "5x", "1h x", "99999999999999999999d"] {
            assert!(duration_text::parse(text).is_err(), "{text}");
        }
    }
}
