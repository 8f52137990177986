//! What librdkafka's own threads report, as `tracing` events.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How often an outage is mentioned again.
pub(crate) const REMIND_EVERY: Duration = Duration::from_secs(5);

/// Logs an outage at once and then every few seconds, however often it is reported.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    last: Mutex<Option<Instant>>,
}

impl Outage {
    pub(crate) fn warn(&self, what: &str, reason: &dyn std::fmt::Display) {
        let Ok(mut last) = self.last.lock() else { return };
        if last.is_some_and(|last| last.elapsed() < REMIND_EVERY) {
            return;
        }
        *last = Some(Instant::now());
        tracing::warn!("waiting for {what}: {reason}");
    }

    /// Says once that it is over.
    pub(crate) fn over(&self, what: &str) {
        let Ok(mut last) = self.last.lock() else { return };
        if last.take().is_some() {
            tracing::info!("{what} answers again");
        }
    }
}

/// The context of clients that need nothing else.
pub(crate) struct Quiet {
    brokers: String,
    outage: Outage,
}

impl Quiet {
    pub(crate) fn new(brokers: &str) -> Self {
        Self { brokers: format!("Kafka at {brokers}"), outage: Outage::default() }
    }

    pub(crate) fn outage(&self, reason: &dyn std::fmt::Display) {
        self.outage.warn(&self.brokers, reason);
    }

    pub(crate) fn answered(&self) {
        self.outage.over(&self.brokers);
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if is_outage(&error) {
            self.outage(&reason);
        } else {
            tracing::warn!("Kafka: {error}: {reason}");
        }
    }
}

impl rdkafka::consumer::ConsumerContext for Quiet {}

/// Whether an error says that no broker can be reached or that one will not let us in, which may pass.
pub(crate) fn is_outage(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, Authentication, BrokerTransportFailure, OperationTimedOut, Resolve, WaitingForCoordinator,
    };
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(
            code,
            AllBrokersDown
                | Authentication
                | BrokerTransportFailure
                | OperationTimedOut
                | Resolve
                | WaitingForCoordinator
        )
    })
}

/// Forwards a line of librdkafka. Lost connections are reported as errors too, and are told there.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
    match level {
        _ if facility == "FAIL" => tracing::debug!("librdkafka {facility}: {message}"),
        Emerg | Alert | Critical | Error | Warning => tracing::warn!("librdkafka {facility}: {message}"),
        Notice | Info | Debug => tracing::debug!("librdkafka {facility}: {message}"),
    }
}
