//! A Kafka broker inside this process, for demonstrations and tests.
//!
//! It is librdkafka's own: groups, offsets and the idempotent producer work over loopback. It keeps 5 MiB of each partition
//! and then forgets the oldest messages silently, keeps nothing when it ends, only pretends transactions, and has no admin
//! interface.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::connection::ConnectionConfig;
use crate::error::StreamingError;

type Cluster = MockCluster<'static, DefaultProducerContext>;
type Order = Box<dyn FnOnce(&Cluster) + Send>;

/// A running broker; dropping it ends it.
pub struct MockBroker {
    brokers: String,
    orders: Option<mpsc::SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl MockBroker {
    /// Starts one broker on a free port of the loopback interface.
    pub fn start() -> Result<Self, StreamingError> {
        let (orders, received) = mpsc::sync_channel::<Order>(1);
        let (started, start) = mpsc::sync_channel(1);
        // The cluster may not leave the thread that made it.
        let thread = thread::Builder::new()
            .name("mock-broker".to_owned())
            .spawn(move || {
                let cluster = match MockCluster::new(1) {
                    Ok(cluster) => cluster,
                    Err(error) => return drop(started.send(Err(error))),
                };
                if started.send(Ok(cluster.bootstrap_servers())).is_ok() {
                    received.iter().for_each(|order| order(&cluster));
                }
            })
            .map_err(|source| StreamingError::io("the thread mock-broker", source))?;
        let brokers = start.recv().unwrap_or(Err(KafkaError::Canceled)).map_err(|source| failed("starting", source))?;
        Ok(Self { brokers, orders: Some(orders), thread: Some(thread) })
    }

    /// `host:port` to connect to.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// A connection to it.
    pub fn connection(&self) -> ConnectionConfig {
        ConnectionConfig::to_brokers(&self.brokers)
    }

    /// Creates a topic.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), StreamingError> {
        let name = topic.to_owned();
        self.order(format!("creating the topic {topic}"), move |cluster| cluster.create_topic(&name, partitions, 1))
    }

    /// Drops all connections and accepts none.
    pub fn go_down(&self) -> Result<(), StreamingError> {
        self.order("going down", |cluster| cluster.broker_down(-1))
    }

    /// Accepts connections again.
    pub fn come_up(&self) -> Result<(), StreamingError> {
        self.order("coming up", |cluster| cluster.broker_up(-1))
    }

    fn order(
        &self,
        action: impl Into<String>,
        act: impl FnOnce(&Cluster) -> KafkaResult<()> + Send + 'static,
    ) -> Result<(), StreamingError> {
        let (done, outcome) = mpsc::sync_channel(1);
        let order: Order = Box::new(move |cluster| drop(done.send(act(cluster))));
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        let result = if sent { outcome.recv().unwrap_or(Err(KafkaError::Canceled)) } else { Err(KafkaError::Canceled) };
        result.map_err(|source| failed(action, source))
    }
}

impl Drop for MockBroker {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; there is nothing left to end.
            drop(thread.join());
        }
    }
}

fn failed(action: impl Into<String>, source: KafkaError) -> StreamingError {
    StreamingError::kafka("the built-in broker", action, source)
}
