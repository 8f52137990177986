//! Whether the process is alive, and whether it does its work, component by component.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foundation::EventTime;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// The states of a process's components. Clones share them.
#[derive(Clone)]
pub struct Health {
    shutdown: CancellationToken,
    components: Arc<Mutex<BTreeMap<String, Entry>>>,
}

/// The handle by which one component tells its state.
#[derive(Clone)]
pub struct Component {
    name: String,
    health: Health,
}

/// What a component can say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not yet at work.
    Starting,
    /// At work.
    Ready,
    /// Waiting for something outside, such as a server that is down; it goes on by itself.
    Waiting,
    /// Broken for good: the process should be started anew.
    Failed,
}

/// The whole process in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Some component is not at work yet.
    Starting,
    /// All components are at work.
    Ready,
    /// Some component waits for something outside.
    Waiting,
    /// Shutdown was asked for.
    Draining,
    /// Some component is broken for good.
    Failed,
}

/// What `/health` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The whole process in one word.
    pub status: Status,
    /// Whether it should be left running.
    pub live: bool,
    /// Whether it does its work.
    pub ready: bool,
    /// Every component by name.
    pub components: BTreeMap<String, Entry>,
}

/// One component in a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its state.
    pub state: State,
    /// What it waits for, or why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Since when it is in this state.
    pub since: EventTime,
}

impl Health {
    /// No components yet; `shutdown` turns the status to draining.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { shutdown, components: Arc::default() }
    }

    /// Adds a component, which counts as starting until it says otherwise.
    pub fn component(&self, name: impl Into<String>) -> Component {
        let component = Component { name: name.into(), health: self.clone() };
        component.set(State::Starting, None);
        component
    }

    /// The states of this moment.
    pub fn report(&self) -> Report {
        let components = self.entries().clone();
        let any = |state| components.values().any(|entry| entry.state == state);
        let status = if any(State::Failed) {
            Status::Failed
        } else if self.shutdown.is_cancelled() {
            Status::Draining
        } else if any(State::Starting) {
            Status::Starting
        } else if any(State::Waiting) {
            Status::Waiting
        } else {
            Status::Ready
        };
        Report { status, live: status != Status::Failed, ready: status == Status::Ready, components }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.components.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Component {
    /// At work.
    pub fn ready(&self) {
        self.set(State::Ready, None);
    }

    /// Waits for something outside.
    pub fn waiting(&self, reason: impl Into<String>) {
        self.set(State::Waiting, Some(reason.into()));
    }

    /// Broken for good.
    pub fn failed(&self, reason: impl Into<String>) {
        self.set(State::Failed, Some(reason.into()));
    }

    fn set(&self, state: State, detail: Option<String>) {
        let mut entries = self.health.entries();
        let since = match entries.get(&self.name) {
            Some(entry) if entry.state == state => entry.since,
            _ => EventTime::now(),
        };
        entries.insert(self.name.clone(), Entry { state, detail, since });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(states: &[State], stopping: bool, expected: Status) {
        let token = CancellationToken::new();
        let health = Health::new(token.clone());
        for (index, state) in states.iter().enumerate() {
            health.component(index.to_string()).set(*state, None);
        }
        if stopping {
            token.cancel();
        }
        let report = health.report();
        assert_eq!(report.status, expected, "{states:?}");
        assert_eq!(report.ready, expected == Status::Ready);
        assert_eq!(report.live, expected != Status::Failed);
    }

    #[test]
    fn the_worst_component_makes_the_status() {
        check(&[], false, Status::Ready);
        check(&[State::Ready, State::Ready], false, Status::Ready);
        check(&[State::Ready, State::Waiting], false, Status::Waiting);
        check(&[State::Waiting, State::Starting], false, Status::Starting);
        check(&[State::Ready], true, Status::Draining);
        check(&[State::Ready, State::Failed], true, Status::Failed);
    }

    #[test]
    fn a_detail_says_what_is_waited_for_and_goes_when_it_is_over() {
        let health = Health::new(CancellationToken::new());
        let store = health.component("store");
        store.waiting("connection refused");
        assert_eq!(health.report().components["store"].detail.as_deref(), Some("connection refused"));
        store.ready();
        assert_eq!(health.report().components["store"].detail, None);
    }
}
