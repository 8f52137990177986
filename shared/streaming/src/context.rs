//! What librdkafka's own threads report, as `tracing` events.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How often an outage is mentioned again.
pub(crate) const REMIND_EVERY: Duration = Duration::from_secs(5);

/// Something that is waited for: told at once and then every few seconds until it answers again.
#[derive(Debug)]
pub(crate) struct Outage {
    /// What is waited for: `Kafka at localhost:9092`.
    what: String,
    is_down: AtomicBool,
    told: Mutex<Option<Told>>,
}

#[derive(Debug)]
struct Told {
    reason: String,
    at: Instant,
}

impl Outage {
    pub(crate) fn of(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_down: AtomicBool::new(false), told: Mutex::new(None) }
    }

    pub(crate) fn of_kafka(brokers: &str) -> Arc<Self> {
        Arc::new(Self::of(format!("Kafka at {brokers}")))
    }

    pub(crate) fn warn(&self, reason: &dyn fmt::Display) {
        self.is_down.store(true, Ordering::Relaxed);
        self.tell(|told| told.reason = reason.to_string(), || reason.to_string());
    }

    /// Why, if it is down; what is up does not go down by this.
    pub(crate) fn amend(&self, reason: &dyn fmt::Display) {
        if self.is_down() {
            self.warn(reason);
        }
    }

    /// To be called every now and then: says it again when it is time.
    pub(crate) fn remind(&self) {
        if self.is_down.load(Ordering::Relaxed) {
            self.tell(|_| {}, String::new);
        }
    }

    fn tell(&self, update: impl FnOnce(&mut Told), first: impl FnOnce() -> String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = &mut *told {
            update(told);
            if told.at.elapsed() < REMIND_EVERY {
                return;
            }
            told.at = Instant::now();
            tracing::warn!("still waiting for {}: {}", self.what, told.reason);
        } else {
            let reason = first();
            tracing::warn!("waiting for {}: {reason}", self.what);
            *told = Some(Told { reason, at: Instant::now() });
        }
    }

    /// It has answered; said once after an outage.
    pub(crate) fn over(&self) {
        if self.is_down.swap(false, Ordering::Relaxed) {
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
            tracing::info!("{} answers again", self.what);
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }
}

/// The context of clients that need nothing else.
pub(crate) struct Quiet {
    pub(crate) outage: Arc<Outage>,
}

impl Quiet {
    pub(crate) fn new(brokers: &str) -> Self {
        Self { outage: Outage::of_kafka(brokers) }
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note_error(&self.outage, &error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for Quiet {}

/// The context of a client that only asks: whether a question was answered says whether Kafka is there. What the client
/// reports by itself waits in its queue until the next question, and may be long over by then.
pub(crate) struct Asking {
    pub(crate) outage: Arc<Outage>,
}

impl ClientContext for Asking {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if is_outage(&error) {
            self.outage.amend(&reason);
        } else {
            tracing::debug!("Kafka: {error}: {reason}");
        }
    }
}

impl rdkafka::consumer::ConsumerContext for Asking {}

/// Notes an error that a client reports by itself.
pub(crate) fn note_error(outage: &Outage, error: &KafkaError, reason: &str) {
    use RDKafkaErrorCode::{AllBrokersDown, Authentication, Resolve};
    match error.rdkafka_error_code() {
        Some(AllBrokersDown | Authentication | Resolve) => outage.warn(&reason),
        // Lost connections are noise as long as one is left; what else ends a call is told by the call.
        _ => tracing::debug!("Kafka: {error}: {reason}"),
    }
}

/// Whether an error says that no broker answers or lets us in, which may pass.
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
