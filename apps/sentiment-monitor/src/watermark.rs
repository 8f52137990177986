//! How far event time has come: the point up to which no partition is expected to bring anything older.

use std::time::Duration;

use foundation::EventTime;

/// A feed counts as live while its newest message is at most this old on the wall clock.
const LIVE_WITHIN: Duration = Duration::from_secs(24 * 3600);

/// What is known of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The newest event time among its stored rows.
    pub newest: Option<EventTime>,
    /// Whether everything that Kafka holds of it is stored.
    pub caught_up: bool,
    /// For how long, on the wall clock, nothing new came.
    pub quiet_for: Duration,
}

/// How the watermark trails the newest message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatermarkPolicy {
    /// How much older than the newest one a message of the same partition may be and still count as on time.
    pub allowed_lateness: Duration,
    /// After how much wall-clock silence a caught-up partition stops holding the others back.
    pub idle_after: Duration,
}

/// The watermark over all partitions, or `None` while some partition that has messages has none stored yet.
///
/// It is the lowest newest time of the partitions that still bring messages, less the allowed lateness. A partition that
/// is caught up and quiet does not hold the others back. When all are, the newest message is released: a live feed's
/// watermark then goes on with the wall clock, and that of a replayed past stays where it is.
pub fn watermark(partitions: &[PartitionProgress], policy: WatermarkPolicy, now: EventTime) -> Option<EventTime> {
    let quiet = |partition: &PartitionProgress| partition.caught_up && partition.quiet_for >= policy.idle_after;
    let mut busy = partitions.iter().filter(|partition| !quiet(partition)).peekable();
    if busy.peek().is_some() {
        let lowest = busy.map(|partition| partition.newest).min()??;
        return Some(lowest.minus(policy.allowed_lateness).min(now));
    }
    let newest = partitions.iter().filter_map(|partition| partition.newest).max()?;
    let live = now.since(newest) < LIVE_WITHIN;
    let wall = now.minus(policy.allowed_lateness).minus(policy.idle_after);
    Some(if live { newest.max(wall) } else { newest }.min(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: WatermarkPolicy =
        WatermarkPolicy { allowed_lateness: Duration::from_secs(30), idle_after: Duration::from_secs(5) };

    fn at(seconds: i64) -> EventTime {
        EventTime::from_millis(seconds * 1000).unwrap()
    }

    fn partition(newest: Option<i64>, caught_up: bool, quiet_seconds: u64) -> PartitionProgress {
        PartitionProgress { newest: newest.map(at), caught_up, quiet_for: Duration::from_secs(quiet_seconds) }
    }

    fn check(partitions: &[PartitionProgress], now: i64, expected: Option<i64>) {
        assert_eq!(watermark(partitions, POLICY, at(now)), expected.map(at), "{partitions:?}");
    }

    const YEARS_LATER: i64 = 1_700_000_000;

    #[test]
    fn the_slowest_busy_partition_decides() {
        check(&[partition(Some(1000), false, 0), partition(Some(500), false, 60)], YEARS_LATER, Some(470));
        check(&[partition(Some(1000), false, 0), partition(Some(500), true, 1)], YEARS_LATER, Some(470));
    }

    #[test]
    fn a_partition_with_unstored_messages_holds_everything_back() {
        check(&[partition(Some(1000), false, 0), partition(None, false, 60)], YEARS_LATER, None);
    }

    #[test]
    fn a_quiet_partition_holds_nothing_back() {
        check(&[partition(Some(1000), false, 0), partition(Some(500), true, 5)], YEARS_LATER, Some(970));
        check(&[partition(Some(1000), false, 0), partition(None, true, 5)], YEARS_LATER, Some(970));
    }

    #[test]
    fn silence_releases_the_newest_message() {
        check(&[partition(Some(1000), true, 5), partition(Some(500), true, 9)], YEARS_LATER, Some(1000));
        check(&[partition(None, true, 9)], YEARS_LATER, None);
        check(&[], YEARS_LATER, None);
    }

    #[test]
    fn a_live_feed_goes_on_with_the_wall_clock() {
        check(&[partition(Some(1000), true, 600)], 1600, Some(1565));
        check(&[partition(Some(1000), true, 5)], 1001, Some(1000));
    }

    #[test]
    fn a_clock_ahead_of_ours_does_not_carry_the_watermark_beyond_now() {
        check(&[partition(Some(5000), false, 0)], 1000, Some(1000));
        check(&[partition(Some(5000), true, 60)], 1000, Some(1000));
    }
}
