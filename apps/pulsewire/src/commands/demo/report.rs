//! What a demo has done: `report.json` and the table at its end.

use std::path::Path;

use anyhow::Context as _;
use foundation::EventTime;
use serde::Serialize;
use storage::Store;
use training::{HeadReport, TrainingReport};

use super::plan::Plan;
use crate::terminal;

/// `report.json`.
#[derive(Debug, Serialize)]
pub(super) struct DemoReport {
    /// Messages sent to the feed.
    pub(super) messages: u64,
    /// Rows in `sentiment_scores`.
    pub(super) rows: u64,
    /// Messages set aside.
    pub(super) dead_letters: u64,
    /// Alerts that fired.
    pub(super) alerts: u64,
    /// Messages that were too late for their windows.
    pub(super) late_messages: u64,
    /// Messages not stored at the end.
    pub(super) lag_messages: u64,
    /// Event time of the first message.
    pub(super) from: EventTime,
    /// Event time of the last one.
    pub(super) until: EventTime,
    /// From the first message sent to the last one evaluated.
    pub(super) seconds: f64,
    /// Messages stored a second, from the first to the last.
    pub(super) messages_per_second: f64,
    /// Which model scored, and on what.
    pub(super) model: String,
    /// `inside` or the address of the brokers.
    pub(super) broker: String,
    /// How the model was trained; absent where it was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) training: Option<TrainingReport>,
}

/// What the store holds at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) rows: u64,
    pub(super) dead_letters: u64,
    pub(super) alerts: u64,
    pub(super) from: EventTime,
    pub(super) until: EventTime,
}

impl Stored {
    pub(super) async fn read(store: &Store) -> anyhow::Result<Self> {
        let count = async |sql: &str| store.fetch_one::<u64>(store.query(sql)).await;
        let times = "SELECT toUnixTimestamp64Milli(min(event_time)), toUnixTimestamp64Milli(max(event_time)) \
                     FROM sentiment_scores";
        let (from, until): (i64, i64) = store.fetch_one(store.query(times)).await?;
        Ok(Self {
            rows: count("SELECT count() FROM sentiment_scores FINAL").await?,
            dead_letters: count("SELECT count() FROM dead_letters FINAL").await?,
            alerts: count("SELECT count() FROM alert_transitions FINAL WHERE state = 'firing'").await?,
            from: EventTime::from_millis(from)?,
            until: EventTime::from_millis(until)?,
        })
    }
}

impl DemoReport {
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self).context("cannot write the report as JSON")?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn print(&self, plan: &Plan) -> anyhow::Result<()> {
        let mut table = terminal::table(&["demo", ""]);
        table.add_row(["feed", &format!("{} to {}", self.from, self.until)]);
        table.add_row(["model", &self.model]);
        for task in self.training.iter().flat_map(|training| &training.tasks) {
            let HeadReport::SingleLabel(test) = &task.test else { continue };
            let text = format!("{:.1} % of held-out rows right, macro F1 {:.3}", 100.0 * test.accuracy, test.macro_f1);
            table.add_row([format!("  head {}", task.name), text]);
        }
        let rate = format!("{} at {:.0}/s", self.messages, self.messages_per_second);
        table.add_row(["messages", &rate]);
        table.add_row(["rows in ClickHouse", &self.rows.to_string()]);
        table.add_row(["dead letters", &self.dead_letters.to_string()]);
        table.add_row(["lag at the end", &format!("{} messages", self.lag_messages)]);
        table.add_row(["alerts", &self.alerts.to_string()]);
        let store = plan.store();
        let store = store.display();
        let ask = format!(
            "pulsewire store sql --store-dir {store} \"SELECT event_time, entities, score, text FROM sentiment_scores \
             ORDER BY score LIMIT 10\""
        );
        terminal::print_line(format!(
            "\n{table}\n\nWhere to look next:\n  the alerts      {}\n  this summary    {}\n  the rows        {ask}\n  \
             your own feed   pulsewire --help",
            plan.alerts().display(),
            plan.report().display(),
        ))
    }
}
