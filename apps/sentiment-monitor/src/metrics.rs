//! What `/metrics` tells of the monitor.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use service::Metrics;

/// The monitor's own counters; Kafka's lag is registered beside them.
#[derive(Debug, Clone, Default)]
pub struct MonitorMetrics {
    messages: Counter,
    dead_letters: Counter,
    alerts: Counter,
    late: Gauge,
    watermark_seconds: Gauge,
}

impl MonitorMetrics {
    /// Counters that `/metrics` shows.
    pub fn registered(metrics: &Metrics) -> Self {
        let own = Self::default();
        metrics.register(|registry| {
            registry.register("messages_scored", "Messages scored", own.messages.clone());
            registry.register("dead_letters", "Records set aside", own.dead_letters.clone());
            registry.register("alerts_fired", "Alerts that started to fire", own.alerts.clone());
            registry.register("late_messages", "Messages older than the watermark when they came", own.late.clone());
            registry.register(
                "watermark_seconds",
                "Event time evaluated so far, Unix time",
                own.watermark_seconds.clone(),
            );
        });
        own
    }

    pub(crate) fn scored(&self, rows: usize, dead: usize) {
        self.messages.inc_by(rows as u64);
        self.dead_letters.inc_by(dead as u64);
    }

    pub(crate) fn evaluated(&self, fired: usize, late: u64, watermark_seconds: i64) {
        self.alerts.inc_by(fired as u64);
        self.late.set(i64::try_from(late).unwrap_or(i64::MAX));
        self.watermark_seconds.set(watermark_seconds);
    }

    /// Messages scored by this process.
    pub fn messages(&self) -> u64 {
        self.messages.get()
    }
}
