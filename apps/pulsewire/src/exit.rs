//! Exit codes and the last words on standard error: the one place that turns a failure's kind into a code.

use std::error::Error as StdError;
use std::io::Write as _;
use std::process::ExitCode;

use alerting::AlertingError;
use foundation::configuration::ConfigurationError;
use foundation::parts::PartsError;
use foundation::{Failure, FailureKind};
use inference::InferenceError;
use registry::RegistryError;
use sentiment_monitor::MonitorError;
use service::ServiceError;
use storage::StorageError;
use streaming::StreamingError;
use training::TrainingError;
use training::export::ExportError;

use crate::setup::SetupError;
use crate::terminal::OutputClosed;

const FAILED: u8 = 1;
/// `EX_USAGE`: nothing was started.
const USAGE: u8 = 64;
/// `EX_TEMPFAIL`: the same command may succeed later.
const UNAVAILABLE: u8 = 75;
/// What a shell reports for a process that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// Wrong usage or configuration that the binary itself finds.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

impl Failure for UsageError {
    fn kind(&self) -> FailureKind {
        FailureKind::Configuration
    }
}

/// The command did its work and the answer is no: `doctor` found something missing. It has said so already.
#[derive(Debug, thiserror::Error)]
#[error("something is missing")]
pub(crate) struct Negative;

/// Prints clap's message; wrong usage ends with 64, help and version with 0.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // There is nowhere to report that standard error is closed.
    error.print().unwrap_or_default();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

/// Prints the error with its causes, and tells its code.
pub(crate) fn code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if error.is::<OutputClosed>() || is_asked_stop(&error) {
        return ExitCode::SUCCESS;
    }
    if !error.is::<Negative>() {
        writeln!(std::io::stderr(), "{}", told(&error)).unwrap_or_default();
    }
    ExitCode::from(number(&error))
}

/// `error: what happened`, then each cause that adds something.
fn told(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let words = cause.to_string();
        // Some libraries repeat their source in their own message.
        if !last.contains(&words) {
            text.push_str(&format!("\n  cause: {words}"));
        }
        last = words;
    }
    text
}

fn number(error: &anyhow::Error) -> u8 {
    match error.chain().find_map(kind_of) {
        Some(FailureKind::Configuration) => USAGE,
        Some(FailureKind::Unavailable) => UNAVAILABLE,
        Some(FailureKind::Input | FailureKind::Corrupt | FailureKind::Internal) => FAILED,
        None => match error.chain().find_map(service_error) {
            Some(ServiceError::Interrupted) => INTERRUPTED,
            _ => FAILED,
        },
    }
}

/// Whether nothing happened but that a signal came before the start was over.
fn is_asked_stop(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(service_error(cause), Some(ServiceError::StoppedWhileStarting)))
}

/// The service's error; the monitor hands it through.
fn service_error<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a ServiceError> {
    match cause.downcast_ref::<MonitorError>() {
        Some(MonitorError::Service(error)) => Some(error),
        _ => cause.downcast_ref(),
    }
}

/// The kind that the outermost known error of a chain gives itself.
///
/// A task's failure has no kind of its own here: its cause has.
fn kind_of(cause: &(dyn StdError + 'static)) -> Option<FailureKind> {
    fn known<E: Failure + 'static>(cause: &(dyn StdError + 'static)) -> Option<FailureKind> {
        cause.downcast_ref::<E>().map(Failure::kind)
    }
    match service_error(cause) {
        Some(ServiceError::AddressTaken { .. } | ServiceError::Bind { .. }) => Some(FailureKind::Configuration),
        Some(_) => None,
        None => known::<UsageError>(cause)
            .or_else(|| known::<ConfigurationError>(cause))
            .or_else(|| known::<SetupError>(cause))
            .or_else(|| known::<PartsError>(cause))
            .or_else(|| known::<MonitorError>(cause))
            .or_else(|| known::<TrainingError>(cause))
            .or_else(|| known::<ExportError>(cause))
            .or_else(|| known::<RegistryError>(cause))
            .or_else(|| known::<InferenceError>(cause))
            .or_else(|| known::<StreamingError>(cause))
            .or_else(|| known::<StorageError>(cause))
            .or_else(|| known::<AlertingError>(cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context as _, anyhow};

    fn check(error: anyhow::Error, expected: u8) {
        assert_eq!(number(&error), expected, "{error:#}");
    }

    #[test]
    fn the_kind_decides_even_below_a_context() {
        let wrong = || ConfigurationError::invalid("store.url", "not a URL");
        check(wrong().into(), USAGE);
        check(Err::<(), _>(wrong()).context("cannot start").unwrap_err(), USAGE);
        check(anyhow!("something else"), FAILED);
        check(ServiceError::TaskFailed { name: "consumer".into(), source: Box::new(wrong()) }.into(), USAGE);
        check(ServiceError::TaskEnded { name: "consumer".into() }.into(), FAILED);
        check(ServiceError::Interrupted.into(), INTERRUPTED);
        let refused = SetupError::Client { command: "pip".into(), status: "1".into(), words: String::new() };
        check(refused.into(), UNAVAILABLE);
    }

    #[test]
    fn a_stop_that_was_asked_for_is_no_failure() {
        assert!(is_asked_stop(&ServiceError::StoppedWhileStarting.into()));
        assert!(is_asked_stop(&MonitorError::Service(ServiceError::StoppedWhileStarting).into()));
        assert!(!is_asked_stop(&ServiceError::Interrupted.into()));
        let taken = ServiceError::AddressTaken { address: ([127, 0, 0, 1], 9464).into() };
        check(MonitorError::Service(taken).into(), USAGE);
    }

    #[test]
    fn causes_follow_once_each() {
        let error = anyhow!("connection refused").context("cannot reach the store").context("monitor stopped");
        assert_eq!(
            told(&error),
            "error: monitor stopped\n  cause: cannot reach the store\n  cause: connection refused"
        );
        let repeated = anyhow!("connection refused").context("cannot reach the store: connection refused");
        assert_eq!(told(&repeated), "error: cannot reach the store: connection refused");
    }
}
