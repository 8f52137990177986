//! What a demo works on and where it leaves its traces, decided before anything starts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use foundation::configuration::parse_toml;
use foundation::paths::data_directory;
use sentiment_monitor::config::ModelConfig;
use sentiment_monitor::samples;
use streaming::feed::{Pace, Speed};
use streaming::file::FileFormat;
use training::TrainingRun;

use super::DemoCommand;
use crate::cli::Global;
use crate::exit::UsageError;

/// Marks a folder as a demo's, which the next demo may clear.
const MARKER: &str = ".pulsewire-demo";
const SAMPLE_RUN: &str = include_str!("../../../../../models/sample.toml");
const FINANCE_RUN: &str = include_str!("../../../../../models/finance.toml");
/// The labelled sample headlines, which both recipes learn from.
const LABELLED: &str = "labelled.csv";
/// A real feed of headlines, relative to `--data`.
const REAL_FEED: &str = "reuters-feed/headlines_2006-10_2009-12.tsv";

/// Where everything of one demo is.
pub(super) struct Plan {
    pub(super) out: PathBuf,
    pub(super) brokers: Option<String>,
    pub(super) feed: Feed,
    pub(super) model: ModelPlan,
}

/// The feed to replay.
pub(super) struct Feed {
    pub(super) path: PathBuf,
    pub(super) format: FileFormat,
    pub(super) pace: Pace,
    /// Rows of the file.
    pub(super) rows: u64,
}

/// The feed's columns, in the sample and in the real feed alike.
pub(super) const TEXT_COLUMN: &str = "/headline";
pub(super) const TIME_COLUMN: &str = "/published_utc";

/// Where the model comes from.
pub(super) enum ModelPlan {
    /// It is trained now.
    Train(Box<TrainingRun>),
    /// It is there.
    Use(ModelConfig),
}

impl Plan {
    pub(super) fn new(command: &DemoCommand, global: &Global) -> anyhow::Result<Self> {
        let out = command.out.clone().unwrap_or_else(|| data_directory().join("demo"));
        if let Some(data) = &command.data {
            check_data(data)?;
        }
        clear(&out)?;
        let samples = write_samples(&out)?;
        let (path, format) = match &command.data {
            Some(data) => (data.join(REAL_FEED), FileFormat::Tsv),
            None => (samples.join("feed.csv"), FileFormat::Csv),
        };
        let pace = match command.speed {
            Some(factor) => Pace::Timed(Speed { time_column: TIME_COLUMN.trim_start_matches('/').to_owned(), factor }),
            None => Pace::Unlimited,
        };
        let rows = streaming::file::read(&path, format)?.try_fold(0, |rows, row| row.map(|_| rows + 1))?;
        let model = match &command.model {
            Some(name) => {
                let registry = command.registry.open(global)?.root().to_owned();
                ModelPlan::Use(ModelConfig { name: name.clone(), registry, ..ModelConfig::default() })
            }
            None => ModelPlan::Train(Box::new(training_run(command.data.as_deref(), &samples)?)),
        };
        let feed = Feed { path, format, pace, rows };
        Ok(Self { out, brokers: command.brokers.clone(), feed, model })
    }

    /// The registry that the demo trains into.
    pub(super) fn registry(&self) -> PathBuf {
        self.out.join("models")
    }

    /// The store's folder.
    pub(super) fn store(&self) -> PathBuf {
        self.out.join("store")
    }

    /// The alerts that fired, one JSON object a line.
    pub(super) fn alerts(&self) -> PathBuf {
        self.out.join("alerts.ndjson")
    }

    /// The summary as JSON.
    pub(super) fn report(&self) -> PathBuf {
        self.out.join("report.json")
    }
}

fn training_run(data: Option<&Path>, samples: &Path) -> anyhow::Result<TrainingRun> {
    let (text, path) = match data {
        Some(_) => (FINANCE_RUN, "models/finance.toml"),
        None => (SAMPLE_RUN, "models/sample.toml"),
    };
    let mut run: TrainingRun = parse_toml(text, Path::new(path))?;
    if let Some(data) = data {
        run.resolve_paths(data);
    }
    // The program carries its samples: a recipe's path into the sources need not exist here.
    let sources = run.tasks.iter_mut().flat_map(|task| &mut task.data);
    for source in sources.filter(|source| source.path.ends_with(LABELLED)) {
        source.path = samples.join(LABELLED);
    }
    run.validate()?;
    Ok(run)
}

fn check_data(data: &Path) -> anyhow::Result<()> {
    if data.join(REAL_FEED).is_file() {
        return Ok(());
    }
    let message = format!("--data {}: there is no {REAL_FEED} in it", data.display());
    Err(UsageError(message).into())
}

/// Makes the folder, or clears what an earlier demo has left in it. A folder with anything else in it is refused.
fn clear(out: &Path) -> anyhow::Result<()> {
    let used = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if used && !out.join(MARKER).exists() {
        let message = format!("--out {}: the folder is in use; name a new or an empty one", out.display());
        return Err(UsageError(message).into());
    }
    for name in ["store", "models", "samples"] {
        remove(&out.join(name), |path| fs::remove_dir_all(path))?;
    }
    for name in ["alerts.ndjson", "report.json", "store.log"] {
        remove(&out.join(name), |path| fs::remove_file(path))?;
    }
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    fs::write(out.join(MARKER), "").with_context(|| format!("cannot write into {}", out.display()))
}

fn remove(path: &Path, how: impl Fn(&Path) -> std::io::Result<()>) -> anyhow::Result<()> {
    match how(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot clear {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The samples as files, to be looked at and to be begun with.
fn write_samples(out: &Path) -> anyhow::Result<PathBuf> {
    let folder = out.join("samples");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let files = [
        ("companies.csv", samples::COMPANIES),
        ("rules.toml", samples::RULES),
        (LABELLED, samples::LABELLED),
        ("feed.csv", samples::FEED),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(folder)
}
