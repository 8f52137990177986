//! Carrying alerts out: notifiers, each on its own thread behind a bounded queue.

mod dispatcher;
mod file;
mod terminal;
mod webhook;

pub use dispatcher::{Delivery, Dispatcher, QueueConfig, WhenFull};
pub use file::{AlertFile, Record};
pub use terminal::{Colors, TerminalNotifier};
pub use webhook::{Payload, PayloadAlert, WebhookConfig, WebhookNotifier};

use crate::error::AlertingError;
use crate::transition::Transition;

/// Takes transitions somewhere. It may block; a [`Dispatcher`] gives it a thread of its own.
pub trait Notifier: Send {
    /// For logs and statistics.
    fn name(&self) -> &str;

    /// Delivers these transitions, in order. It repeats by itself what is worth repeating: an error means that they are given up.
    fn notify(&mut self, transitions: &[Transition]) -> Result<(), AlertingError>;
}
