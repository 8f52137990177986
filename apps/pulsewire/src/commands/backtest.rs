//! `pulsewire backtest`: the alerts that would have fired on a past feed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alerting::notify::{AlertFile, Dispatcher, Notifier, QueueConfig, Record, WhenFull};
use alerting::{AlertingError, State, Transition};
use anyhow::Context as _;
use clap::Args;
use foundation::configuration;
use sentiment_monitor::backtest::{Backtest, BacktestReport};
use sentiment_monitor::model::ModelSource;
use sentiment_monitor::{MonitorConfig, samples};
use service::Lifecycle;
use streaming::file::FileFormat;

use crate::cli::Global;
use crate::exit::UsageError;
use crate::settings::ModelArguments;
use crate::terminal;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire backtest --feed headlines.tsv --text headline --time published_utc --model news --alerts alerts.ndjson
  pulsewire backtest --feed feed.ndjson --text /body --title /head --time /at --rules rules.toml --companies own.csv --model news@challenger --alerts -

The same pipeline and the same rules as the monitor, so the alerts are those that it would have raised.";

/// Arguments of `backtest`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BacktestCommand {
    /// Feed: CSV, TSV or NDJSON, by its ending unless --format says otherwise
    #[arg(long, value_name = "FILE")]
    feed: PathBuf,
    /// Format of the feed: csv, tsv or ndjson
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Column or JSON Pointer of the text
    #[arg(long, value_name = "COLUMN")]
    text: String,
    /// Column or JSON Pointer of the time
    #[arg(long, value_name = "COLUMN")]
    time: String,
    /// Column or JSON Pointer of the title
    #[arg(long, value_name = "COLUMN")]
    title: Option<String>,
    /// Column or JSON Pointer of the message's id
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// Column or JSON Pointer of the source
    #[arg(long, value_name = "COLUMN")]
    source: Option<String>,
    /// Alert rules (TOML) [default: the shipped ones]
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Company dictionary (CSV: name, aliases, ticker) [default: the shipped one]
    #[arg(long, value_name = "FILE")]
    companies: Option<PathBuf>,
    /// Where the alerts go, one JSON object a line; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    alerts: PathBuf,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArguments,
}

impl BacktestCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let format = self.format()?;
        let config = self.config(global)?;
        let mut mapping = config.mapping.clone();
        mapping.text = self.text.as_str().into();
        mapping.time = self.time.as_str().into();
        for (field, given) in
            [(&mut mapping.title, &self.title), (&mut mapping.id, &self.id), (&mut mapping.source, &self.source)]
        {
            if let Some(given) = given {
                *field = given.as_str().into();
            }
        }
        let backtest = Backtest {
            feed: self.feed.clone(),
            format,
            mapping,
            companies: samples::companies(config.companies.as_deref())?,
            rules: samples::rules(config.rules.as_deref())?,
        };
        let mut dispatcher = Dispatcher::new();
        let patient = QueueConfig { when_full: WhenFull::Wait, ..QueueConfig::default() };
        let to_stdout = self.alerts.as_os_str() == "-";
        if to_stdout {
            dispatcher.add(Box::new(AlertLines), patient)?;
        } else {
            remove_old(&self.alerts)?;
            dispatcher.add(Box::new(AlertFile::append(&self.alerts, false)?), patient)?;
        }
        let source = ModelSource { model: config.model, backend: config.inference, batching: config.batching };
        let lifecycle = Lifecycle::with_signals(Duration::from_secs(10))?;
        let model = tokio::task::block_in_place(|| source.serve())?;
        let report = lifecycle.starting(backtest.run(model, &dispatcher, lifecycle.shutdown())).await??;
        tokio::task::block_in_place(|| dispatcher.close());
        self.tell(&report, to_stdout)
    }

    fn tell(&self, report: &BacktestReport, to_stdout: bool) -> anyhow::Result<()> {
        for refused in &report.refused {
            tracing::warn!("row {} was set aside at {}: {}", refused.row, refused.stage, refused.error);
        }
        if self.json {
            return terminal::print_json(report);
        }
        if to_stdout {
            return Ok(());
        }
        let span = match (report.from, report.until) {
            (Some(from), Some(until)) => format!("{from} to {until}"),
            _ => "no message".to_owned(),
        };
        let mut table = terminal::table(&["backtest", ""]);
        table.add_row(["feed", &format!("{} ({span})", self.feed.display())]);
        table.add_row(["messages", &format!("{} ({:.0}/s)", report.messages, report.messages_per_second)]);
        table.add_row(["set aside", &report.dead_letters.to_string()]);
        table.add_row(["naming a company", &report.with_entities.to_string()]);
        table.add_row(["near-duplicates", &report.near_duplicates.to_string()]);
        table.add_row(["alerts", &format!("{} in {}", report.alerts, self.alerts.display())]);
        terminal::print_line(table.to_string())
    }

    fn format(&self) -> anyhow::Result<FileFormat> {
        let format = match self.format.as_deref() {
            Some("csv") => Some(FileFormat::Csv),
            Some("tsv") => Some(FileFormat::Tsv),
            Some("tsv-quoted") => Some(FileFormat::TsvQuoted),
            Some("ndjson") => Some(FileFormat::Ndjson),
            Some(_) => None,
            None => FileFormat::of(&self.feed),
        };
        let wanted = "--format csv, tsv, tsv-quoted or ndjson";
        Ok(format
            .ok_or_else(|| UsageError(format!("cannot tell how {} is written: add {wanted}", self.feed.display())))?)
    }

    fn config(&self, global: &Global) -> anyhow::Result<MonitorConfig> {
        let shown = |path: &PathBuf| path.display().to_string();
        let mut overrides: Vec<(String, String)> = Vec::new();
        let mut set = |key: &str, value: Option<String>| overrides.extend(value.map(|value| (key.to_owned(), value)));
        set("rules", self.rules.as_ref().map(shown));
        set("companies", self.companies.as_ref().map(shown));
        set("model.name", self.model.model.clone());
        set("model.registry", self.model.registry.as_ref().map(shown));
        Ok(configuration::load(global.config.as_deref(), &overrides)?)
    }
}

/// A run's alerts are a whole: those of an earlier run do not stay in the file.
fn remove_old(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot replace {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Alerts that fire, one JSON object a line, on standard output.
struct AlertLines;

impl Notifier for AlertLines {
    fn name(&self) -> &str {
        "standard output"
    }

    fn notify(&mut self, transitions: &[Transition]) -> Result<(), AlertingError> {
        for transition in transitions.iter().filter(|transition| transition.state == State::Firing) {
            let line = serde_json::to_string(&Record::from(transition)).map_err(AlertingError::Encode)?;
            // A reader that has gone needs no more alerts.
            terminal::print_line(line).unwrap_or_default();
        }
        Ok(())
    }
}
