//! Ports for servers that cannot pick one by themselves.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::bail;

/// Below the range that systems hand to outgoing connections, so that a port stays free until its server binds it.
const FIRST: u16 = 12_000;
const COUNT: u16 = 7_000;

/// A port of loopback that nobody listens on, and that this process hands out once.
pub fn free_port() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run at the same time start at different places.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_mul(31).wrapping_add(step)) % COUNT;
        if TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between {FIRST} and {}", FIRST + COUNT)
}

/// Whether somebody accepts connections on this port of loopback.
pub fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_millis(250)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_free() {
        let (first, second) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(first, second);
        // A process that another test starts at this moment may hold the probe's handle until it runs its own program.
        crate::wait_until("silence", Duration::from_secs(60), || (!answers(first)).then_some(())).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, second)).unwrap();
        assert!(answers(second));
        drop(listener);
    }
}
