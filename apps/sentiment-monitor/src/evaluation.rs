//! The live alert evaluator: stored rows in, alert history and notifications out.
//!
//! One of all monitors runs it: the owner of partition 0 of the election topic. It reads what is new of each partition in
//! the order of offsets, moves the watermark, and saves the evaluator's state with what it has read. A new leader goes
//! on from the last saved state; what it fires again has the same identity and is neither stored nor written to the
//! alert file twice.

mod history;
mod reader;
mod saved;

use std::sync::Arc;
use std::time::{Duration, Instant};

use alerting::notify::Dispatcher;
use alerting::{Evaluator, Observation, RuleSet, State, Transition};
use foundation::time::duration_text;
use foundation::{EventTime, Failure as _};
use serde::{Deserialize, Serialize};
use storage::Store;
use streaming::Offsets;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::MonitorError;
use crate::metrics::MonitorMetrics;
use crate::watermark::{WatermarkPolicy, watermark};
use reader::Reader;
use saved::Saved;

/// When alerts are evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// How much older than the newest one a message of the same partition may be and still count as on time.
    #[serde(with = "duration_text")]
    pub allowed_lateness: Duration,
    /// After how much silence a partition that has been read to its end no longer holds the others back.
    #[serde(with = "duration_text")]
    pub idle_after: Duration,
    /// How often new rows are looked for.
    #[serde(with = "duration_text")]
    pub interval: Duration,
    /// How often the state is saved; it is saved with every alert, too.
    #[serde(with = "duration_text")]
    pub save_every: Duration,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self {
            allowed_lateness: Duration::from_secs(30),
            idle_after: Duration::from_secs(5),
            interval: Duration::from_secs(1),
            save_every: Duration::from_secs(10),
        }
    }
}

/// What the evaluator of one consumer group needs.
pub struct Evaluation {
    /// The store whose rows are evaluated.
    pub store: Store,
    /// How far Kafka's partitions go.
    pub offsets: Offsets,
    /// The topics.
    pub topics: Vec<String>,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// Who is told of alerts.
    pub dispatcher: Dispatcher,
    /// The name under which the state is saved: the consumer group.
    pub name: String,
    /// When.
    pub config: EvaluationConfig,
    /// What `/metrics` tells.
    pub metrics: MonitorMetrics,
    /// How far evaluation has come, for whoever waits for it.
    pub evaluated: watch::Sender<Evaluated>,
}

/// How far evaluation has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Whether this process evaluates.
    pub leading: bool,
    /// Event time evaluated.
    pub watermark: Option<EventTime>,
    /// Whether every partition was read to its end and quiet in the last round.
    pub settled: bool,
    /// Alerts fired by this process.
    pub fired: u64,
    /// Messages that came too late for their windows.
    pub late: u64,
}

impl Evaluation {
    /// Evaluates while `leading` says so, until shutdown.
    pub async fn run(
        self,
        mut leading: watch::Receiver<bool>,
        shutdown: CancellationToken,
    ) -> Result<(), MonitorError> {
        loop {
            let elected = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                elected = leading.wait_for(|leading| *leading) => elected.is_ok(),
            };
            if !elected {
                return Ok(());
            }
            tracing::info!(evaluator = self.name, "this process evaluates the alert rules");
            let led = self.lead(&leading, &shutdown).await;
            self.evaluated.send_modify(|evaluated| evaluated.leading = false);
            match led {
                Err(error) if error.is_retryable() && !shutdown.is_cancelled() => {
                    tracing::warn!(%error, "alert evaluation starts again from its saved state");
                    tokio::time::sleep(self.config.interval).await;
                }
                led => led?,
            }
        }
    }

    /// One term of leadership, from the saved state. After an error the evaluator may be ahead of what was recorded, so its
    /// term is over.
    async fn lead(&self, leading: &watch::Receiver<bool>, shutdown: &CancellationToken) -> Result<(), MonitorError> {
        let mut term = Term::resume(self).await?;
        self.evaluated.send_modify(|evaluated| evaluated.leading = true);
        let mut ticks = tokio::time::interval(self.config.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while *leading.borrow() && !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            term.round(self).await?;
        }
        if *leading.borrow() {
            term.save(self).await?;
        }
        Ok(())
    }
}

/// The state of one term of leadership.
struct Term {
    evaluator: Evaluator,
    reader: Reader,
    sequence: u64,
    watermark: Option<EventTime>,
    saved_at: Instant,
    changed: bool,
}

impl Term {
    async fn resume(evaluation: &Evaluation) -> Result<Self, MonitorError> {
        let rules = Arc::clone(&evaluation.rules);
        let mut term = Self {
            evaluator: Evaluator::new(Arc::clone(&rules)),
            reader: Reader::default(),
            sequence: 0,
            watermark: None,
            saved_at: Instant::now(),
            changed: false,
        };
        if let Some(progress) = evaluation.store.alert_progress(&evaluation.name).await? {
            let saved = Saved::read(&progress.snapshot, &evaluation.name)?;
            term.evaluator = Evaluator::restore(rules, saved.evaluator)?;
            term.reader = Reader::resume(saved.read);
            term.sequence = progress.sequence;
            term.watermark = Some(progress.watermark);
        }
        Ok(term)
    }

    async fn round(&mut self, evaluation: &Evaluation) -> Result<(), MonitorError> {
        let extents = reader::extents(&evaluation.offsets, &evaluation.topics).await?;
        let evaluator = &mut self.evaluator;
        let mut read = 0_u64;
        self.reader
            .read(&evaluation.store, &extents, |row| {
                read += 1;
                evaluator.offer(Observation::from(row));
            })
            .await?;
        let config = &evaluation.config;
        let policy = WatermarkPolicy { allowed_lateness: config.allowed_lateness, idle_after: config.idle_after };
        let progress = self.reader.progress(&extents);
        let settled = progress.iter().all(|p| p.caught_up && p.quiet_for >= policy.idle_after);
        let reached = watermark(&progress, policy, EventTime::now()).max(self.watermark);
        let advanced = reached > self.watermark;
        self.changed |= advanced || read > 0;
        if let (Some(reached), true) = (reached, advanced) {
            let transitions = self.evaluator.advance(reached);
            self.watermark = Some(reached);
            self.publish(evaluation, transitions, settled).await?;
        }
        if self.changed && self.saved_at.elapsed() >= config.save_every {
            self.save(evaluation).await?;
        }
        self.report(evaluation, 0, settled);
        Ok(())
    }

    async fn publish(
        &mut self,
        evaluation: &Evaluation,
        transitions: Vec<Transition>,
        settled: bool,
    ) -> Result<(), MonitorError> {
        if transitions.is_empty() {
            return Ok(());
        }
        history::store(&evaluation.store, &transitions).await?;
        let fired = transitions.iter().filter(|transition| transition.state == State::Firing).count();
        evaluation.dispatcher.send(transitions);
        self.save(evaluation).await?;
        self.report(evaluation, fired, settled);
        Ok(())
    }

    async fn save(&mut self, evaluation: &Evaluation) -> Result<(), MonitorError> {
        let Some(watermark) = self.watermark.filter(|_| self.changed) else { return Ok(()) };
        self.sequence += 1;
        let saved = Saved::bytes(&self.reader, &self.evaluator)?;
        evaluation
            .store
            .save_alert_progress(&history::progress(&evaluation.name, self.sequence, watermark, saved))
            .await?;
        self.saved_at = Instant::now();
        self.changed = false;
        Ok(())
    }

    fn report(&self, evaluation: &Evaluation, fired: usize, settled: bool) {
        let late = self.evaluator.statistics().late;
        let seconds = self.watermark.map_or(0, |watermark| watermark.millis() / 1000);
        evaluation.metrics.evaluated(fired, late, seconds);
        evaluation.evaluated.send_modify(|evaluated| {
            evaluated.watermark = self.watermark;
            evaluated.settled = settled;
            evaluated.fired += fired as u64;
            evaluated.late = late;
        });
    }
}
