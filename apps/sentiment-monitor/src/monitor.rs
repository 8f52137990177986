//! The long-running monitor: load, connect, spawn, drain.

use std::sync::Arc;

use alerting::notify::Notifier;
use service::{CancellationToken, Health, HttpServer, Lifecycle, Metrics};
use storage::Store;
use streaming::dead_letter::DeadLetters;
use streaming::{ConsumerMetrics, Decoder, Leadership, Offsets};
use tokio::sync::watch;

use crate::config::MonitorConfig;
use crate::error::MonitorError;
use crate::evaluation::{Evaluated, Evaluation};
use crate::lag::LagCollector;
use crate::metrics::MonitorMetrics;
use crate::model::{ModelSource, ServedModel};
use crate::row::{COMPONENT, MIGRATIONS};
use crate::scoring::Scorer;
use crate::sink::ClickHouseSink;
use crate::{notifiers, samples};

/// A configuration whose files were read and whose values go together; nothing is open yet.
pub struct Settings {
    config: MonitorConfig,
    decoder: Decoder,
    companies: Arc<crate::entities::CompanyDictionary>,
    rules: Arc<alerting::RuleSet>,
    notifiers: Vec<Box<dyn Notifier>>,
}

impl Settings {
    /// Validates the configuration and reads the dictionary and the rules.
    pub fn new(config: MonitorConfig) -> Result<Self, MonitorError> {
        config.validate()?;
        Ok(Self {
            decoder: Decoder::new(config.mapping.clone())?,
            companies: samples::companies(config.companies.as_deref())?,
            rules: samples::rules(config.rules.as_deref())?,
            notifiers: Vec::new(),
            config,
        })
    }

    /// Tells one more of alerts, beside those of the configuration.
    pub fn notify(mut self, notifier: Box<dyn Notifier>) -> Self {
        self.notifiers.push(notifier);
        self
    }

    /// How long the end may take.
    pub fn shutdown_deadline(&self) -> std::time::Duration {
        self.config.shutdown_deadline
    }
}

/// A monitor whose tasks run under a [`Lifecycle`].
pub struct Monitor {
    /// Kafka's side.
    pub consumer: Arc<ConsumerMetrics>,
    /// The evaluator's side.
    pub evaluated: watch::Receiver<Evaluated>,
    /// Messages and alerts.
    pub metrics: MonitorMetrics,
    /// The store.
    pub store: Store,
    /// The name of the model that scores.
    pub model: Arc<str>,
}

/// Starts all tasks of a monitor with an engine of its own; returns once the store is up and the model is loaded.
pub async fn start(settings: Settings, lifecycle: &Lifecycle) -> Result<Monitor, MonitorError> {
    let source = ModelSource {
        model: settings.config.model.clone(),
        backend: settings.config.inference.clone(),
        batching: settings.config.batching.clone(),
    };
    let served = source.serve()?;
    let engine = served.engine.clone();
    let monitor = start_with(settings, served, lifecycle).await?;
    lifecycle.spawn("model watch", source.follow(engine, lifecycle.shutdown()));
    Ok(monitor)
}

/// The same on an engine that runs already.
pub async fn start_with(
    settings: Settings,
    ServedModel { name, engine }: ServedModel,
    lifecycle: &Lifecycle,
) -> Result<Monitor, MonitorError> {
    let Settings { config, decoder, companies, rules, notifiers } = settings;
    let shutdown = lifecycle.shutdown();
    let health = Health::new(shutdown.clone());
    let metrics = Metrics::new();
    let http = HttpServer::bind(&config.http, health.clone(), metrics.clone()).await?;
    http.serve(lifecycle);

    let store_health = health.component("store");
    store_health.waiting(config.store.url.as_str());
    let store = lifecycle.starting(Store::connect_when_up(&config.store, shutdown.clone())).await??;
    store.migrate(COMPONENT, MIGRATIONS).await?;
    store_health.ready();

    let monitor_metrics = MonitorMetrics::registered(&metrics);
    let consumer_metrics = ConsumerMetrics::new();
    LagCollector::register(&metrics, &consumer_metrics);
    let kafka = &config.kafka;
    let dead_letters = DeadLetters::connect(&kafka.connection, config.dead_letter_topic.as_deref())?;
    let sink = ClickHouseSink::new(store.clone(), dead_letters);
    let scorer = Arc::new(Scorer::new(decoder, companies, (Arc::clone(&name), engine), monitor_metrics.clone(), sink)?);

    let (progress, evaluated) = watch::channel(Evaluated::default());
    let evaluation = Evaluation {
        store: store.clone(),
        offsets: Offsets::connect(&kafka.connection, &kafka.group)?,
        topics: kafka.topics.clone(),
        rules,
        dispatcher: notifiers::dispatcher(&config.notify, &kafka.connection, notifiers)?,
        name: kafka.group.clone(),
        config: config.evaluation.clone(),
        metrics: monitor_metrics.clone(),
        evaluated: progress,
    };
    if config.evaluate {
        let election = election_topic(&kafka.group);
        let leadership = Leadership::elect(&kafka.connection, &election, &election, kafka.session_timeout).await?;
        lifecycle.spawn("alert evaluation", evaluate(evaluation, leadership, shutdown.clone()));
    }
    let (kafka, told) = (config.kafka, Arc::clone(&consumer_metrics));
    lifecycle.spawn("consumer", async move { streaming::consume(&kafka, scorer, shutdown, told).await });
    Ok(Monitor { consumer: consumer_metrics, evaluated, metrics: monitor_metrics, store, model: name })
}

/// The topic, and the group, by which the monitors of a group elect the one that evaluates.
pub fn election_topic(group: &str) -> String {
    format!("{group}.evaluator")
}

/// Evaluates while elected, and resigns at the end, so that another process goes on at once.
async fn evaluate(
    evaluation: Evaluation,
    leadership: Leadership,
    shutdown: CancellationToken,
) -> Result<(), MonitorError> {
    let evaluated = evaluation.run(leadership.watch(), shutdown).await;
    leadership.resign().await?;
    evaluated
}
