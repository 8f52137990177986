//! The registry behind `/metrics`, in the OpenMetrics text format.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// The media type of what [`Metrics::encode`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry with the prefix `pulsewire`, and the process's own figures. Clones share it.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry that holds the build's version and the process's memory and CPU time.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        let labels = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.sub_registry_with_prefix("pulsewire").register("build", "The program's version", Info::new(labels));
        Self { registry: Arc::new(Mutex::new(registry)) }
    }

    /// Adds metrics; `add` gets the registry whose prefix is `pulsewire_`.
    ///
    /// Names carry their unit (`consumer_lag_seconds`); register each name once.
    pub fn register<T>(&self, add: impl FnOnce(&mut Registry) -> T) -> T {
        add(self.registry().sub_registry_with_prefix("pulsewire"))
    }

    /// All metrics of this moment as text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry())?;
        Ok(text)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The figures that Linux keeps of this process, read at each scrape.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(figures) = Figures::read() else { return Ok(()) };
        let memory = ConstGauge::new(figures.resident_bytes);
        let name = "process_resident_memory";
        let help = "Resident memory size in bytes";
        memory.encode(encoder.encode_descriptor(name, help, Some(&Unit::Bytes), memory.metric_type())?)?;
        let processor = ConstCounter::new(figures.processor_seconds);
        let help = "User and system CPU time spent in seconds";
        processor.encode(encoder.encode_descriptor(
            "process_cpu",
            help,
            Some(&Unit::Seconds),
            processor.metric_type(),
        )?)
    }
}

/// Resident memory of this process, in bytes, where the system tells it.
pub fn resident_bytes() -> Option<u64> {
    Figures::read().and_then(|figures| u64::try_from(figures.resident_bytes).ok())
}

struct Figures {
    resident_bytes: i64,
    processor_seconds: f64,
}

impl Figures {
    fn read() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: i64 = resident.split_whitespace().next()?.parse().ok()?;
        // Nanoseconds on the processor of all threads that live; the field order is fixed by the kernel.
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: f64 = fields.next()?.parse().ok()?;
        let system: f64 = fields.next()?.parse().ok()?;
        // Linux counts these in ticks of 1/100 s towards programs, whatever its own tick is.
        Some(Self { resident_bytes: kibibytes * 1024, processor_seconds: (user + system) / 100.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn writes_what_was_registered_and_the_process() {
        let metrics = Metrics::new();
        let messages: Counter = Counter::default();
        metrics.register(|registry| registry.register("messages", "Messages scored", messages.clone()));
        messages.inc_by(3);
        let text = metrics.encode().unwrap();
        assert!(text.contains("\npulsewire_messages_total 3\n"), "{text}");
        assert!(text.contains("pulsewire_build_info{version=\""), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
        let resident = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes ")).unwrap();
        assert!(resident.parse::<f64>().unwrap() > 1e5, "{text}");
        assert!(text.contains("\nprocess_cpu_seconds_total "), "{text}");
    }
}
