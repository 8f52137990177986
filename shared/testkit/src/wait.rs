//! Waiting for a condition, never for a fixed time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Calls `probe` until it gives a value; after `deadline`, an error says what did not happen.
pub fn wait_until<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    try_until(what, deadline, || Ok(probe()))
}

/// As [`wait_until`], for a probe that may also find that it is hopeless.
pub fn try_until<T>(
    what: &str,
    deadline: Duration,
    mut probe: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        if started.elapsed() >= deadline {
            bail!("{what} did not happen within {} s", deadline.as_secs_f64());
        }
        // May wake early, which costs one more look.
        thread::park_timeout(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_value_or_says_what_did_not_happen() {
        let mut looks = 0;
        let found = wait_until("three looks", Duration::from_secs(600), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found.unwrap(), 3);
        let error = wait_until("the impossible", Duration::ZERO, || None::<()>).unwrap_err();
        assert!(error.to_string().starts_with("the impossible did not happen"), "{error}");
    }
}
