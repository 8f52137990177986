//! Alert rules over a past feed in a file: the same scoring, the same evaluator, no servers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alerting::notify::Dispatcher;
use alerting::{Evaluator, Observation, RuleSet, State};
use foundation::EventTime;
use foundation::progress::{Progress, Unit};
use serde::Serialize;
use service::CancellationToken;
use streaming::consumer::BlockConfig;
use streaming::dead_letter::DeadLetter;
use streaming::file::FileFormat;
use streaming::{Decoder, FieldMapping};

use crate::entities::CompanyDictionary;
use crate::error::MonitorError;
use crate::metrics::MonitorMetrics;
use crate::model::ServedModel;
use crate::row::{EvaluationRow, ScoreRow};
use crate::scoring::Scorer;
use crate::sink::MemorySink;

/// A past feed and what to hold against it.
pub struct Backtest {
    /// The feed.
    pub feed: PathBuf,
    /// How the file is written.
    pub format: FileFormat,
    /// Which column is what.
    pub mapping: FieldMapping,
    /// The companies that are watched.
    pub companies: Arc<CompanyDictionary>,
    /// The rules.
    pub rules: Arc<RuleSet>,
}

/// What a backtest found.
#[derive(Debug, Clone, Serialize)]
pub struct BacktestReport {
    /// Messages scored.
    pub messages: u64,
    /// Rows that could not be decoded or scored.
    pub dead_letters: u64,
    /// Messages that name at least one company.
    pub with_entities: u64,
    /// Alerts that fired.
    pub alerts: u64,
    /// Messages whose text repeats an earlier one's.
    pub near_duplicates: u64,
    /// Event time of the first message.
    pub from: Option<EventTime>,
    /// Event time of the last message.
    pub until: Option<EventTime>,
    /// Messages scored a second.
    pub messages_per_second: f64,
    /// The first rows that were set aside, and why.
    pub refused: Vec<Refused>,
}

/// A row that was set aside.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    /// Row, from 1, without the header.
    pub row: i64,
    /// At which stage.
    pub stage: String,
    /// Why.
    pub error: String,
}

/// Refused rows that a report shows.
const REFUSED_SHOWN: usize = 10;

impl Backtest {
    /// Scores the whole feed, then evaluates it in event time; `dispatcher` is told of every transition.
    ///
    /// All rows are there before the first is evaluated, so that the order of rows in the file does not matter.
    pub async fn run(
        self,
        model: ServedModel,
        dispatcher: &Dispatcher,
        shutdown: CancellationToken,
    ) -> Result<BacktestReport, MonitorError> {
        let started = std::time::Instant::now();
        let (rows, dead) = self.score(model, shutdown).await?;
        let seconds = started.elapsed().as_secs_f64();
        let mut report = BacktestReport {
            messages: rows.len() as u64,
            dead_letters: dead.len() as u64,
            with_entities: rows.iter().filter(|row| !row.entities.is_empty()).count() as u64,
            alerts: 0,
            near_duplicates: 0,
            from: rows.iter().map(|row| row.event_time).min(),
            until: rows.iter().map(|row| row.event_time).max(),
            messages_per_second: rows.len() as f64 / seconds.max(1e-9),
            refused: dead.into_iter().take(REFUSED_SHOWN).map(refused).collect(),
        };
        let mut evaluator = Evaluator::new(Arc::clone(&self.rules));
        for row in rows {
            evaluator.offer(Observation::from(EvaluationRow::from(row)));
        }
        if let Some(until) = report.until {
            let transitions = evaluator.advance(until);
            report.alerts = transitions.iter().filter(|transition| transition.state == State::Firing).count() as u64;
            dispatcher.send(transitions);
        }
        report.near_duplicates = evaluator.statistics().near_duplicates;
        Ok(report)
    }

    async fn score(
        &self,
        model: ServedModel,
        shutdown: CancellationToken,
    ) -> Result<(Vec<ScoreRow>, Vec<DeadLetter>), MonitorError> {
        let total = count_rows(&self.feed, self.format, &self.mapping)?;
        let decoder = Decoder::new(self.mapping.clone())?;
        let companies = Arc::clone(&self.companies);
        let model = (model.name, model.engine);
        let scorer = Scorer::new(decoder, companies, model, MonitorMetrics::default(), MemorySink::default())?;
        let scorer = Arc::new(scorer);
        let bar = Arc::new(Progress::start("scoring", Some(total), Unit::Items("messages")));
        let told = Arc::clone(&bar);
        let limits = BlockConfig::default();
        streaming::file::process(&self.feed, self.format, &limits, Arc::clone(&scorer), shutdown, move |done| {
            told.set(done);
        })
        .await?;
        if let Some(bar) = Arc::into_inner(bar) {
            bar.finish();
        }
        let scored = scorer.sink().take();
        Ok((scored.rows, scored.dead))
    }
}

/// Checks the header and counts the rows, which takes a fraction of what scoring does.
fn count_rows(path: &Path, format: FileFormat, mapping: &FieldMapping) -> Result<u64, MonitorError> {
    let mut rows = streaming::file::read(path, format)?;
    if format != FileFormat::Ndjson {
        mapping.require_columns(path, rows.columns())?;
    }
    Ok(rows.try_fold(0, |count, row| row.map(|_| count + 1))?)
}

fn refused(letter: DeadLetter) -> Refused {
    Refused { row: letter.record.offset + 1, stage: letter.stage, error: letter.error }
}
