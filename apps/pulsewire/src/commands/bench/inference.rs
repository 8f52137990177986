//! `pulsewire bench inference`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use foundation::progress::{Progress, Unit};
use inference::backend::{self, BackendChoice, BackendConfig};
use inference::{BatchLimits, BatchingConfig, EncoderModel, Engine, InferenceError, Model as _, ModelDirectory};
use serde::Serialize;

use crate::cli::Global;
use crate::exit::UsageError;
use crate::settings::ModelArguments;
use crate::terminal::{print_json, print_line, table};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire bench inference --model news
  pulsewire bench inference --model news@challenger --seconds 10 --json
  pulsewire bench inference --model ./model-directory --texts headlines.txt

Rows of a fixed batch size say what a batch costs; the row `engine` is what a monitor gets: batches by a token
budget, texts of like length together, equal texts once.";

const BATCH_ROWS: [usize; 3] = [1, 8, 32];
/// Texts in a block that is handed to the engine, and callers that hand them over at the same time.
const BLOCK_TEXTS: usize = 256;
const CALLERS: usize = 4;

/// Arguments of `bench inference`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InferenceCommand {
    /// Texts to score, one a line [default: the headlines of the sample feed]
    #[arg(long, value_name = "FILE")]
    texts: Option<std::path::PathBuf>,
    /// How long each row is measured
    #[arg(long, value_name = "N", default_value_t = 5)]
    seconds: u64,
    /// Threads that work on one batch [default: the configuration's, else all]
    #[arg(long, value_name = "N")]
    threads: Option<std::num::NonZeroUsize>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArguments,
}

/// One row of the answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Measurement {
    backend: &'static str,
    batch: String,
    texts_per_second: f64,
    /// Of one call, in milliseconds.
    median_ms: f64,
    p95_ms: f64,
}

impl InferenceCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let texts = self.read_texts()?;
        let found = self.model.find(global)?;
        let directory = ModelDirectory::open(&found.directory)?;
        let mut config = self.model.config(global)?.inference;
        config.threads = self.threads.or(config.threads);
        let each = Duration::from_secs(self.seconds.max(1));
        let mut measured = Vec::new();
        for choice in [BackendChoice::Ort, BackendChoice::Tract] {
            let config = BackendConfig { backend: choice, ..config.clone() };
            let Some(model) = load(&directory, &found.version, &config)? else { continue };
            let name = model.backend();
            measured.extend(tokio::task::block_in_place(|| fixed_batches(model, &texts, each))?);
            if let Some(model) = load(&directory, &found.version, &config)? {
                measured.push(through_engine(name, model, &texts, each).await?);
            }
        }
        let threads = config.threads().get();
        if self.json {
            return print_json(&serde_json::json!({
                "model": found.to_string(), "threads": threads, "texts": texts.len(), "measurements": measured,
            }));
        }
        print_line(format!("{found}, {threads} threads, {} texts", texts.len()))?;
        print_line(render(&measured))
    }

    fn read_texts(&self) -> anyhow::Result<Vec<Arc<str>>> {
        let texts: Vec<Arc<str>> = match &self.texts {
            None => crate::samples::headlines(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| UsageError(format!("--texts {}: {error}", path.display())))?;
                text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Arc::from).collect()
            }
        };
        if texts.is_empty() {
            return Err(UsageError("there is no text to score".to_owned()).into());
        }
        Ok(texts)
    }
}

fn load(
    directory: &ModelDirectory,
    version: &str,
    config: &BackendConfig,
) -> Result<Option<EncoderModel>, InferenceError> {
    match backend::load(directory, config) {
        Ok(backend) => EncoderModel::with_backend(directory, version, backend).map(Some),
        Err(error @ InferenceError::NoOnnxRuntime(_)) => {
            tracing::warn!("ONNX Runtime is left out: {error}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Calls with 1, 8 and 32 texts, in the order of the texts.
fn fixed_batches(
    mut model: EncoderModel,
    texts: &[Arc<str>],
    each: Duration,
) -> Result<Vec<Measurement>, InferenceError> {
    let name = model.backend();
    let mut measured = Vec::new();
    for rows in BATCH_ROWS {
        let one_batch = BatchLimits { rows: at_least_one(rows), tokens: std::num::NonZeroUsize::MAX };
        model = model.with_limits(one_batch);
        let mut cycle = texts.iter().cycle();
        let mut next = || -> Vec<&str> { cycle.by_ref().take(rows).map(|text| &**text).collect() };
        model.score(&next())?;
        let progress = Progress::start(format!("{name}, batches of {rows}"), None, Unit::Items("texts"));
        let (started, mut calls) = (Instant::now(), Vec::new());
        while started.elapsed() < each {
            let batch = next();
            let call = Instant::now();
            model.score(&batch)?;
            calls.push(call.elapsed());
            progress.advance(rows as u64);
        }
        progress.finish();
        measured.push(measurement(name, rows.to_string(), calls.len() * rows, started.elapsed(), calls));
    }
    Ok(measured)
}

/// Blocks from several callers, as a monitor's partitions hand them over.
async fn through_engine(
    name: &'static str,
    model: EncoderModel,
    texts: &[Arc<str>],
    each: Duration,
) -> anyhow::Result<Measurement> {
    let engine = Engine::spawn(Box::new(model), &BatchingConfig::default())?;
    let progress = Arc::new(Progress::start(format!("{name}, engine"), None, Unit::Items("texts")));
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let (engine, progress) = (engine.clone(), Arc::clone(&progress));
        let own: Vec<Arc<str>> = texts.iter().skip(caller).step_by(CALLERS).cloned().collect();
        let own = if own.is_empty() { texts.to_vec() } else { own };
        callers.spawn(async move {
            let (mut cycle, mut calls) = (own.iter().cycle(), Vec::new());
            while started.elapsed() < each {
                let block: Vec<Arc<str>> = cycle.by_ref().take(BLOCK_TEXTS).cloned().collect();
                let call = Instant::now();
                engine.score(block).await?;
                calls.push(call.elapsed());
                progress.advance(BLOCK_TEXTS as u64);
            }
            Ok::<_, InferenceError>(calls)
        });
    }
    let mut calls = Vec::new();
    while let Some(ended) = callers.join_next().await {
        calls.extend(ended??);
    }
    let rows = calls.len() * BLOCK_TEXTS;
    Ok(measurement(name, format!("engine, {CALLERS} × {BLOCK_TEXTS}"), rows, started.elapsed(), calls))
}

fn measurement(
    backend: &'static str,
    batch: String,
    texts: usize,
    elapsed: Duration,
    mut calls: Vec<Duration>,
) -> Measurement {
    calls.sort();
    let quantile = |share: f64| {
        let position = ((calls.len().saturating_sub(1)) as f64 * share).round() as usize;
        calls.get(position).map_or(0.0, |call| call.as_secs_f64() * 1e3)
    };
    let texts_per_second = texts as f64 / elapsed.as_secs_f64();
    Measurement { backend, batch, texts_per_second, median_ms: quantile(0.5), p95_ms: quantile(0.95) }
}

fn render(measured: &[Measurement]) -> String {
    let mut table = table(&["back end", "batch", "texts/s", "median ms", "p95 ms"]);
    for row in measured {
        table.add_row([
            row.backend.to_owned(),
            row.batch.clone(),
            format!("{:.1}", row.texts_per_second),
            format!("{:.2}", row.median_ms),
            format!("{:.2}", row.p95_ms),
        ]);
    }
    table.trim_fmt()
}

fn at_least_one(number: usize) -> std::num::NonZeroUsize {
    std::num::NonZeroUsize::new(number).unwrap_or(std::num::NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_calls_and_rates_of_texts() {
        let calls: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        let measured = measurement("ort", "8".into(), 800, Duration::from_secs(4), calls);
        assert!((measured.texts_per_second - 200.0).abs() < 1e-9);
        assert!((measured.median_ms - 51.0).abs() < 1.5 && (measured.p95_ms - 95.0).abs() < 1.5, "{measured:?}");
        assert_eq!(measurement("ort", "8".into(), 0, Duration::from_secs(1), Vec::new()).median_ms, 0.0);
    }
}
