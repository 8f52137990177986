//! Who is told of alerts.

use alerting::notify::{
    AlertFile, Dispatcher, Notifier, QueueConfig, Record, TerminalNotifier, WebhookNotifier, WhenFull,
};
use alerting::{AlertingError, Transition};
use streaming::{ConnectionConfig, TopicWriter};
use tokio::runtime::Handle;

use crate::config::NotifyConfig;
use crate::error::MonitorError;

/// Starts the configured notifiers and those of the caller, each on a thread of its own.
pub(crate) fn dispatcher(
    config: &NotifyConfig,
    kafka: &ConnectionConfig,
    more: Vec<Box<dyn Notifier>>,
) -> Result<Dispatcher, MonitorError> {
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
    if let Some(topic) = &config.topic {
        let notifier = TopicNotifier { writer: TopicWriter::connect(kafka, topic)?, runtime: Handle::current() };
        dispatcher.add(Box::new(notifier), QueueConfig::default())?;
    }
    for notifier in more {
        dispatcher.add(notifier, patient())?;
    }
    Ok(dispatcher)
}

/// Sends both transitions of an alert to a Kafka topic, keyed by alert, so that they stay in order.
struct TopicNotifier {
    writer: TopicWriter,
    runtime: Handle,
}

impl Notifier for TopicNotifier {
    fn name(&self) -> &str {
        "topic"
    }

    fn notify(&mut self, transitions: &[Transition]) -> Result<(), AlertingError> {
        for transition in transitions {
            let payload = serde_json::to_vec(&Record::from(transition)).map_err(AlertingError::Encode)?;
            if let Err(error) = self.runtime.block_on(self.writer.write(&transition.alert_id, &payload)) {
                return Err(AlertingError::Notifier { name: self.name().to_owned(), source: Box::new(error) });
            }
        }
        Ok(())
    }
}
