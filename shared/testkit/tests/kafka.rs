//! The broker helper on a real broker.

#![allow(clippy::unwrap_used)]

use testkit::{Kafka, ports};

#[test]
fn a_killed_broker_comes_back_at_its_address_and_goes_with_its_handle() {
    let folder = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(&folder.path().join("kafka")).unwrap();
    let brokers = kafka.brokers();
    let port: u16 = brokers.rsplit_once(':').unwrap().1.parse().unwrap();
    assert!(ports::answers(port));
    kafka.kill().unwrap();
    assert!(!ports::answers(port));
    kafka.restart().unwrap();
    assert_eq!(kafka.brokers(), brokers);
    assert!(ports::answers(port));
    drop(kafka);
    assert!(!ports::answers(port));
}
