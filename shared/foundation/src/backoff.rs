//! How long to wait before the next try.

use std::time::Duration;

/// Exponential backoff with a cap: each [`Backoff::next_delay`] doubles the last one.
///
/// The jitter is deterministic (a Weyl sequence over the attempts), so a test sees the same delays as production.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    /// Starts at `first` and never waits longer than `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, attempt: 0 }
    }

    /// The next delay: `first * 2^attempt`, capped, between 75 % and 100 % of it.
    pub fn next_delay(&mut self) -> Duration {
        let full = self.first.saturating_mul(1u32.checked_shl(self.attempt.min(20)).unwrap_or(u32::MAX)).min(self.cap);
        let jitter = f64::from(self.attempt.wrapping_mul(0x9E37_79B9)) / f64::from(u32::MAX);
        self.attempt = self.attempt.saturating_add(1);
        full.mul_f64(0.75 + 0.25 * jitter)
    }

    /// How many delays were handed out since the last reset.
    pub fn attempts(&self) -> u32 {
        self.attempt
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_cap_and_resets() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let delays: Vec<Duration> = (0..40).map(|_| backoff.next_delay()).collect();
        assert!(delays[0] <= Duration::from_millis(100));
        assert!(delays.iter().all(|delay| *delay <= Duration::from_secs(5)));
        assert!(delays[39] >= Duration::from_millis(3750));
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(100));
    }
}
