//! One place that turns `tracing` on.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines look on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Sends `tracing` events to standard error. `RUST_LOG` filters; `info` is the default, with noisy dependencies at `warn`.
///
/// A second call in one process changes nothing.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        EnvFilter::new("info,ort=warn,tract=warn,tract_onnx=warn,hyper=warn,rdkafka=warn,librdkafka=warn")
    });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Err means that a subscriber is installed already, which then stays.
    let installed = match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(installed);
}
