//! Who is told of alerts.

use alerting::notify::{AlertFile, Dispatcher, Notifier, QueueConfig, TerminalNotifier, WebhookNotifier, WhenFull};

use crate::config::NotifyConfig;
use crate::error::MonitorError;

/// Starts the configured notifiers and those of the caller, each on a thread of its own.
pub(crate) fn dispatcher(config: &NotifyConfig, more: Vec<Box<dyn Notifier>>) -> Result<Dispatcher, MonitorError> {
    let mut dispatcher = Dispatcher::new();
    let patient = || QueueConfig { when_full: WhenFull::Wait, ..QueueConfig::default() };
    if config.terminal {
        dispatcher.add(Box::new(TerminalNotifier::stdout()), patient())?;
    }
    if let Some(path) = &config.file {
        dispatcher.add(Box::new(AlertFile::append(path, false)?), patient())?;
    }
    if let Some(webhook) = &config.webhook {
        dispatcher.add(Box::new(WebhookNotifier::new(webhook.clone())?), QueueConfig::default())?;
    }
    for notifier in more {
        dispatcher.add(notifier, patient())?;
    }
    Ok(dispatcher)
}
