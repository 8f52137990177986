//! A slow or failing notifier holds up nobody.

use std::sync::mpsc::{Receiver, Sender, channel};

use alerting::notify::{Dispatcher, Notifier, QueueConfig, WhenFull};
use alerting::{AlertingError, Transition};

use crate::support::transitions;

/// Waits for a word before each delivery, and tells of it afterwards.
struct Gated {
    name: &'static str,
    gate: Receiver<Result<(), ()>>,
    done: Sender<usize>,
}

impl Notifier for Gated {
    fn name(&self) -> &str {
        self.name
    }

    fn notify(&mut self, transitions: &[Transition]) -> Result<(), AlertingError> {
        let word = self.gate.recv().unwrap_or(Ok(()));
        self.done.send(transitions.len()).unwrap();
        word.map_err(|()| AlertingError::WebhookConfig("as asked".into()))
    }
}

fn gated(name: &'static str) -> (Box<Gated>, Sender<Result<(), ()>>, Receiver<usize>) {
    let (open, gate) = channel();
    let (done, told) = channel();
    (Box::new(Gated { name, gate, done }), open, told)
}

#[test]
fn a_stuck_notifier_drops_and_the_others_go_on() {
    let (stuck, open_stuck, _told) = gated("stuck");
    let (fast, open_fast, told_fast) = gated("fast");
    let mut dispatcher = Dispatcher::new();
    dispatcher.add(stuck, QueueConfig { capacity: 1, when_full: WhenFull::Drop }).unwrap();
    dispatcher.add(fast, QueueConfig::default()).unwrap();
    let batch = transitions();
    let count = batch.len();
    for _ in 0..10 {
        dispatcher.send(batch.clone());
        open_fast.send(Ok(())).unwrap();
        assert_eq!(told_fast.recv().unwrap(), count);
    }
    // One may be in the stuck notifier's hands and one in its queue; the rest was dropped, and counted.
    let dropped = dispatcher.deliveries()[0].dropped;
    assert!(dropped >= 8 * count as u64, "{dropped}");
    drop(open_stuck);
    let deliveries = dispatcher.close();
    assert_eq!(deliveries[0].delivered + deliveries[0].dropped, 10 * count as u64);
    assert_eq!((deliveries[1].delivered, deliveries[1].dropped), (10 * count as u64, 0));
}

#[test]
fn closing_delivers_what_waits_and_failures_are_counted() {
    let (notifier, open, told) = gated("one");
    let mut dispatcher = Dispatcher::new();
    dispatcher.add(notifier, QueueConfig { capacity: 8, when_full: WhenFull::Wait }).unwrap();
    for word in [Ok(()), Err(()), Ok(())] {
        dispatcher.send(transitions());
        open.send(word).unwrap();
    }
    dispatcher.send(Vec::new());
    let count = transitions().len() as u64;
    let deliveries = dispatcher.close();
    assert_eq!((deliveries[0].delivered, deliveries[0].failed, deliveries[0].dropped), (2 * count, count, 0));
    assert_eq!(told.iter().count(), 3);
}
