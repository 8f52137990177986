//! The demo's way: train, start everything, replay the feed, wait until it is evaluated, tell.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alerting::notify::{Colors, TerminalNotifier};
use foundation::EventTime;
use foundation::progress::{Progress, Unit};
use registry::Registry;
use sentiment_monitor::MonitorConfig;
use sentiment_monitor::config::{ModelConfig, NotifyConfig};
use sentiment_monitor::evaluation::EvaluationConfig;
use sentiment_monitor::monitor::{self, Monitor, Settings};
use service::{CancellationToken, HttpConfig, Lifecycle};
use storage::{Store, StoreConfig};
use streaming::consumer::BlockConfig;
use streaming::feed::{self, SendOptions};
use streaming::{ConnectionConfig, ConsumerConfig, FieldMapping, MockBroker, Offsets, StreamingError};
use training::TrainingReport;

use super::plan::{ModelPlan, Plan, TEXT_COLUMN, TIME_COLUMN};
use super::report::{DemoReport, Stored};
use super::screen::AboveBar;
use crate::publication::{PublicationOptions, train_and_publish};
use crate::store_process::StoreProcess;
use crate::terminal;
use crate::training_folder::TrainingFolder;

const PARTITIONS: i32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The Kafka of the demo.
struct Kafka {
    connection: ConnectionConfig,
    topic: String,
    /// Kept alive for as long as the demo runs.
    inside: Option<MockBroker>,
}

pub(super) async fn run(plan: Plan) -> anyhow::Result<()> {
    let lifecycle = Lifecycle::with_signals(Duration::from_secs(30))?;
    let (model, training) = model(&plan)?;
    let store = StoreProcess::start(&plan.store(), &plan.out.join("store.log")).await?;
    let kafka = kafka(&plan).await?;
    let bar = Arc::new(Progress::start("scoring the feed", Some(plan.feed.rows), Unit::Items("messages")));
    let settings = Settings::new(config(&plan, &kafka, model, store.config.clone()))?;
    let screen = TerminalNotifier::new(AboveBar::new(Arc::clone(&bar)), colors());
    let started = Instant::now();
    let monitor = monitor::start(settings.notify(Box::new(screen)), &lifecycle).await?;
    lifecycle.spawn_finite("feed", send(&plan, &kafka, lifecycle.shutdown()));
    let finished = finished(&plan, &monitor, &bar);
    let storing = lifecycle.shutdown().run_until_cancelled(finished).await.transpose()?;
    let seconds = started.elapsed().as_secs_f64();
    if let Some(bar) = Arc::into_inner(bar) {
        bar.finish();
    }
    let lag = monitor.consumer.snapshot().partitions.iter().filter_map(|p| p.lag_messages).sum();
    let late = monitor.evaluated.borrow().late;
    lifecycle.stop();
    lifecycle.join().await?;
    // After the drain, so that what was in work on Ctrl-C counts as well.
    let stored = Stored::read(&Store::connect_when_up(&store.config, CancellationToken::new()).await?).await?;
    store.stop().await?;
    let report = DemoReport {
        messages: plan.feed.rows,
        rows: stored.rows,
        dead_letters: stored.dead_letters,
        alerts: stored.alerts,
        late_messages: late,
        lag_messages: lag,
        from: stored.from,
        until: stored.until,
        seconds,
        messages_per_second: stored.rows as f64 / storing.unwrap_or(seconds).max(1e-9),
        model: monitor.model.to_string(),
        broker: kafka.inside.as_ref().map_or_else(|| kafka.connection.brokers.clone(), |_| "inside".to_owned()),
        training,
    };
    report.write(&plan.report())?;
    report.print(&plan)
}

/// The model's name and its registry, trained now where the plan says so.
fn model(plan: &Plan) -> anyhow::Result<(ModelConfig, Option<TrainingReport>)> {
    match &plan.model {
        ModelPlan::Use(model) => Ok((model.clone(), None)),
        ModelPlan::Train(run) => {
            let registry = Registry::open(plan.registry());
            let options = PublicationOptions { promote: true, ..PublicationOptions::default() };
            let folder = TrainingFolder::claim(registry.root(), run, false)?;
            let published = tokio::task::block_in_place(|| train_and_publish(run, folder, &registry, &options, None))?;
            let model = ModelConfig { name: run.name.clone(), registry: plan.registry(), ..ModelConfig::default() };
            Ok((model, Some(published.report)))
        }
    }
}

async fn kafka(plan: &Plan) -> anyhow::Result<Kafka> {
    let (connection, inside) = match &plan.brokers {
        Some(brokers) => (ConnectionConfig::to_brokers(brokers.clone()), None),
        None => {
            let broker = MockBroker::start()?;
            (broker.connection(), Some(broker))
        }
    };
    // On a real Kafka every demo has a topic of its own, since a new store starts from nothing.
    let topic = match inside {
        Some(_) => "news".to_owned(),
        None => format!("pulsewire-demo-{}", EventTime::now().millis()),
    };
    match &inside {
        Some(broker) => {
            broker.create_topic(&topic, PARTITIONS)?;
            broker.create_topic(&monitor::election_topic(&topic), 1)?;
        }
        None => drop(Offsets::connect(&connection, &topic)?.ensure_topic(&topic, PARTITIONS).await?),
    }
    Ok(Kafka { connection, topic, inside })
}

fn config(plan: &Plan, kafka: &Kafka, model: ModelConfig, store: StoreConfig) -> MonitorConfig {
    let defaults = ConsumerConfig::default();
    MonitorConfig {
        kafka: ConsumerConfig {
            connection: kafka.connection.clone(),
            group: kafka.topic.clone(),
            topics: vec![kafka.topic.clone()],
            // Small blocks, so that the first alerts show while the feed still runs.
            block: BlockConfig {
                max_rows: NonZeroUsize::new(256).unwrap_or(defaults.block.max_rows),
                ..defaults.block
            },
            ..defaults
        },
        mapping: FieldMapping { text: TEXT_COLUMN.into(), time: TIME_COLUMN.into(), ..FieldMapping::default() },
        store,
        model,
        evaluation: EvaluationConfig {
            interval: Duration::from_millis(250),
            idle_after: Duration::from_secs(2),
            ..EvaluationConfig::default()
        },
        notify: NotifyConfig { terminal: false, file: Some(plan.alerts()), ..NotifyConfig::default() },
        http: HttpConfig { port: 0, ..HttpConfig::default() },
        ..MonitorConfig::default()
    }
}

fn send(
    plan: &Plan,
    kafka: &Kafka,
    shutdown: CancellationToken,
) -> impl Future<Output = Result<(), StreamingError>> + use<> {
    let options = SendOptions {
        path: plan.feed.path.clone(),
        format: plan.feed.format,
        topic: kafka.topic.clone(),
        key_column: None,
        pace: plan.feed.pace.clone(),
        first_row: 0,
        limit: None,
    };
    let connection = kafka.connection.clone();
    async move { feed::send(&connection, &options, &shutdown, |_| {}).await.map(drop) }
}

/// Waits until the whole feed is stored and evaluated; tells how many seconds storing took.
async fn finished(plan: &Plan, monitor: &Monitor, bar: &Progress) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let stored = monitor.consumer.snapshot().stored_messages;
        bar.set(stored);
        bar.note(format!("{} alerts", monitor.evaluated.borrow().fired));
        if stored >= plan.feed.rows {
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let newest = "SELECT toUnixTimestamp64Milli(max(event_time)) FROM sentiment_scores";
    let newest: i64 = monitor.store.fetch_one(monitor.store.query(newest)).await?;
    let mut evaluated = monitor.evaluated.clone();
    evaluated.wait_for(|now| now.watermark.is_some_and(|watermark| watermark.millis() >= newest)).await?;
    Ok(seconds)
}

fn colors() -> Colors {
    if terminal::colours() { Colors::On } else { Colors::Off }
}
