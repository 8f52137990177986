//! Signals reach the whole process, so these checks have a process, and a single test, of their own.

use std::convert::Infallible;
use std::time::Duration;

use service::{Lifecycle, ServiceError};

fn raise(signal: libc::c_int) {
    // SAFETY: raise only sends a signal to this process, which listens for it.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_ends_at_once() {
    let drained = Lifecycle::with_signals(Duration::from_secs(600)).unwrap();
    let token = drained.shutdown();
    drained.spawn("consumer", async move {
        token.cancelled().await;
        Ok::<_, Infallible>(())
    });
    raise(libc::SIGTERM);
    drained.join().await.unwrap();

    let stuck = Lifecycle::with_signals(Duration::from_secs(600)).unwrap();
    stuck.spawn("stuck", std::future::pending::<Result<(), Infallible>>());
    raise(libc::SIGINT);
    stuck.shutdown().cancelled().await;
    raise(libc::SIGINT);
    assert!(matches!(stuck.join().await, Err(ServiceError::Interrupted)));
}
