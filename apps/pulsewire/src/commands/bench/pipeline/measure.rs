//! The measurement: fill a topic, read it bare, score it from memory, run it through the whole monitor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use foundation::progress::{Progress, Unit};
use inference::{ConstantModel, Engine, Head};
use sentiment_monitor::MonitorConfig;
use sentiment_monitor::config::{ModelConfig, NotifyConfig};
use sentiment_monitor::model::{ModelSource, ServedModel};
use sentiment_monitor::monitor::{self, Monitor, Settings};
use serde::Serialize;
use service::{CancellationToken, HttpConfig, Lifecycle};
use streaming::feed::{self, Pace, SendOptions};
use streaming::file::FileFormat;
use streaming::{ConnectionConfig, ConsumerConfig, Offsets};

use super::{PipelineCommand, load};
use crate::cli::Global;
use crate::kafka_process::KafkaProcess;
use crate::settings;
use crate::store_process::StoreProcess;

const TOPIC: &str = "bench";
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Messages with and without a model where the user does not say.
const MESSAGES: (u64, u64) = (5_000, 200_000);
const QUARTERS: u64 = 4;

/// What was measured, all in one run.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) messages: u64,
    pub(super) bytes_per_message: usize,
    pub(super) model: String,
    /// From the first message read to the last one durable.
    pub(super) pipeline_messages_per_second: f64,
    /// The same engine fed the same texts, in blocks of the same size, from memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) engine_messages_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio_to_engine: Option<f64>,
    pub(super) bare_consumer_messages_per_second: f64,
    pub(super) ratio_to_bare_consumer: f64,
    /// Resident memory of this process after each quarter of the messages.
    pub(super) resident_mebibytes: Vec<f64>,
}

pub(super) async fn measure(command: &PipelineCommand, global: &Global) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let started = match &command.brokers {
        Some(_) => None,
        None => {
            let kafka = folder.path().join("kafka");
            std::fs::create_dir(&kafka)?;
            Some(KafkaProcess::start(&kafka).await?)
        }
    };
    let brokers = started.as_ref().map(|kafka| kafka.brokers.clone()).or_else(|| command.brokers.clone());
    let connection = ConnectionConfig::to_brokers(brokers.unwrap_or_default());
    let store = StoreProcess::start(&folder.path().join("store"), &folder.path().join("store.log")).await?;
    let figures = on_servers(command, global, (&connection, &store), folder.path()).await;
    store.stop().await?;
    if let Some(kafka) = started {
        kafka.stop().await?;
    }
    figures
}

async fn on_servers(
    command: &PipelineCommand,
    global: &Global,
    (connection, store): (&ConnectionConfig, &StoreProcess),
    folder: &std::path::Path,
) -> anyhow::Result<Figures> {
    let messages = command.messages.unwrap_or(if command.model.is_some() { MESSAGES.0 } else { MESSAGES.1 });
    let pad = command.model.is_none().then(|| load::text_bytes(command.bytes));
    let texts = load::texts(messages, pad);
    let path = folder.join("messages.ndjson");
    let bytes_per_message = load::write(&path, &texts)?;
    // A topic of its own: other topics of a user's broker are left alone.
    let topic = format!("{TOPIC}-{}", std::process::id());
    fill(connection, &topic, command.partitions, (&path, messages)).await?;
    let bare = streaming::rate::bare_consumer(connection, &topic).await?.per_second();

    let config = config(command, global, connection, store, &topic)?;
    let served = serve(command, &config)?;
    let model = served.name.to_string();
    let engine = match &command.model {
        Some(_) => Some(from_memory(&served.engine, &texts, &config.kafka).await?),
        None => None,
    };
    drop(texts);
    let (pipeline, memory) = through_pipeline(config, served, messages).await?;
    Ok(Figures {
        messages,
        bytes_per_message,
        model,
        pipeline_messages_per_second: pipeline,
        engine_messages_per_second: engine,
        ratio_to_engine: engine.map(|engine| pipeline / engine),
        bare_consumer_messages_per_second: bare,
        ratio_to_bare_consumer: pipeline / bare,
        resident_mebibytes: memory,
    })
}

async fn fill(
    connection: &ConnectionConfig,
    topic: &str,
    partitions: i32,
    (path, messages): (&std::path::Path, u64),
) -> anyhow::Result<()> {
    Offsets::connect(connection, topic)?.ensure_topic(topic, partitions).await?;
    let bar = Progress::start("filling the topic", Some(messages), Unit::Items("messages"));
    let options = SendOptions {
        path: path.to_owned(),
        format: FileFormat::Ndjson,
        topic: topic.to_owned(),
        key_column: Some("id".to_owned()),
        pace: Pace::Unlimited,
        first_row: 0,
        limit: None,
    };
    feed::send(connection, &options, &CancellationToken::new(), |report| bar.set(report.acknowledged)).await?;
    bar.finish();
    Ok(())
}

fn config(
    command: &PipelineCommand,
    global: &Global,
    connection: &ConnectionConfig,
    store: &StoreProcess,
    topic: &str,
) -> anyhow::Result<MonitorConfig> {
    let user = settings::load(global, &[])?;
    let model = ModelConfig {
        name: command.model.clone().unwrap_or_else(|| "trivial".to_owned()),
        registry: command.registry.clone().unwrap_or_else(|| user.model.registry.clone()),
        ..user.model.clone()
    };
    Ok(MonitorConfig {
        kafka: ConsumerConfig {
            connection: connection.clone(),
            group: topic.to_owned(),
            topics: vec![topic.to_owned()],
            ..user.kafka.clone()
        },
        store: store.config.clone(),
        model,
        evaluate: command.with_alerts,
        notify: NotifyConfig { terminal: false, ..NotifyConfig::default() },
        http: HttpConfig { port: 0, ..HttpConfig::default() },
        ..user
    })
}

fn serve(command: &PipelineCommand, config: &MonitorConfig) -> anyhow::Result<ServedModel> {
    if command.model.is_some() {
        let (model, backend, batching) = (config.model.clone(), config.inference.clone(), config.batching.clone());
        return Ok(tokio::task::block_in_place(|| ModelSource { model, backend, batching }.serve())?);
    }
    let trivial = ConstantModel::new([Head::new("sentiment", ["positive", "neutral", "negative"])], "1");
    Ok(ServedModel { name: "trivial".into(), engine: Engine::spawn(Box::new(trivial), &config.batching)? })
}

/// Texts a second of the engine alone, handed over in blocks as the consumer's partitions do.
async fn from_memory(engine: &Engine, texts: &[Arc<str>], kafka: &ConsumerConfig) -> anyhow::Result<f64> {
    let block = kafka.block.max_rows.get().min(texts.len().div_ceil(4).max(1));
    let started = Instant::now();
    let mut blocks = texts.chunks(block).map(<[Arc<str>]>::to_vec);
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.len() < 4 {
            let Some(block) = blocks.next() else { break };
            let engine = engine.clone();
            running.spawn(async move { engine.score(block).await });
        }
        match running.join_next().await {
            Some(scored) => drop(scored??),
            None => return Ok(texts.len() as f64 / started.elapsed().as_secs_f64()),
        }
    }
}

async fn through_pipeline(
    config: MonitorConfig,
    served: ServedModel,
    messages: u64,
) -> anyhow::Result<(f64, Vec<f64>)> {
    let lifecycle = Lifecycle::with_signals(Duration::from_secs(30))?;
    let monitor = monitor::start_with(Settings::new(config)?, served, &lifecycle).await?;
    let bar = Progress::start("Kafka to ClickHouse", Some(messages), Unit::Items("messages"));
    let measured = lifecycle.shutdown().run_until_cancelled(watch(&monitor, messages, &bar)).await;
    bar.finish();
    lifecycle.stop();
    lifecycle.join().await?;
    measured.context("stopped before all messages were stored")
}

/// Watches the counters from the first message read to the last one durable.
async fn watch(monitor: &Monitor, messages: u64, bar: &Progress) -> (f64, Vec<f64>) {
    let mut memory = Vec::new();
    let mut began = None;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let snapshot = monitor.consumer.snapshot();
        if snapshot.received_messages > 0 {
            began.get_or_insert_with(Instant::now);
        }
        bar.set(snapshot.stored_messages);
        while snapshot.stored_messages * QUARTERS >= messages * (memory.len() as u64 + 1) {
            memory.push(service::metrics::resident_bytes().unwrap_or(0) as f64 / 1_048_576.0);
            if memory.len() as u64 == QUARTERS {
                let seconds = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
                return (messages as f64 / seconds.max(1e-9), memory);
            }
        }
    }
}
