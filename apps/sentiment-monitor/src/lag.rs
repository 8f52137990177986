//! Kafka's side of `/metrics`: lag in messages and in seconds, per partition.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use service::Metrics;
use streaming::ConsumerMetrics;
use streaming::consumer::PartitionSnapshot;

/// Reads the consumer's counters when somebody asks.
#[derive(Debug)]
pub(crate) struct LagCollector {
    consumer: Arc<ConsumerMetrics>,
}

impl LagCollector {
    /// Shows a consumer's counters under `/metrics`.
    pub(crate) fn register(metrics: &Metrics, consumer: &Arc<ConsumerMetrics>) {
        let collector = Self { consumer: Arc::clone(consumer) };
        metrics.register(|registry| registry.register_collector(Box::new(collector)));
    }
}

impl Collector for LagCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let snapshot = self.consumer.snapshot();
        let counters = [
            ("consumer_received_messages", "Messages taken from Kafka", snapshot.received_messages),
            ("consumer_stored_messages", "Messages whose block is durable", snapshot.stored_messages),
            ("consumer_rebalances", "Changes of the partitions that this process owns", snapshot.rebalances),
            ("consumer_pauses", "Pauses of a partition whose queue was full", snapshot.pauses),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let of = |value: fn(&PartitionSnapshot) -> Option<f64>| {
            snapshot.partitions.iter().filter_map(move |partition| Some((&partition.partition, value(partition)?)))
        };
        let gauges = [
            ("consumer_lag_messages", "Messages not durable yet", of(|p| p.lag_messages.map(|lag| lag as f64))),
            ("consumer_lag_seconds", "Age of the oldest message not durable yet", of(|p| p.lag_seconds)),
        ];
        for (name, help, values) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (partition, value) in values {
                let labels = [("topic", partition.topic.to_string()), ("partition", partition.partition.to_string())];
                ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
