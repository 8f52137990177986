//! `pulsewire bench training`: this project's training engine beside PyTorch, each in a process of its own, in one run.

mod data;
mod peer;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::Args;
use foundation::parts::Part;
use foundation::progress::{Progress, Unit};
use serde::{Deserialize, Serialize};
use training::{CleaningRules, DataSource, Hyperparameters, LossKind, Split, Task, TaskKind, TrainingRun};

use crate::setup;
use crate::terminal::{print_json, print_line, table};
use data::Rows;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire bench training --data ../shared/data
  pulsewire bench training --data ../shared/data --rows 3000 --rounds 3 --json
  pulsewire bench training --data ../shared/data --python ./venv/bin/python    an interpreter that has torch and transformers

Both fine-tune the same encoder on the same rows of Financial PhraseBank, with the same settings and rows a batch: PyTorch with
dynamic padding, as its users run it. Below it, texts of one length, so that neither side pads. Without --python, PyTorch and
transformers go into an environment in the cache (some gigabytes, once).";

/// Arguments of `bench training`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TrainingCommand {
    /// Folder with financial-phrasebank/Sentences_50Agree.txt
    #[arg(long, value_name = "DIR", required_unless_present = "child")]
    data: Option<PathBuf>,
    /// Rows to train on
    #[arg(long, value_name = "N", default_value_t = 1500)]
    rows: usize,
    /// Passes over the rows
    #[arg(long, value_name = "N", default_value_t = 1)]
    epochs: usize,
    /// Threads of each side
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
    /// How often each side runs, in turn; the fastest counts
    #[arg(long, value_name = "N", default_value_t = 2)]
    rounds: usize,
    /// Python interpreter that has torch and transformers
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// A run's file: train it and print the figures, as the other process of this command does
    #[arg(long, value_name = "FILE", hide = true)]
    child: Option<PathBuf>,
}

/// What one side showed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Figures {
    /// Rows a second of training steps.
    samples_per_second: f64,
    /// The most memory that its process ever held.
    peak_memory_bytes: u64,
    /// The mean loss over all steps: both sides must learn alike.
    mean_loss: f64,
    /// What it is.
    version: String,
}

/// Both sides on the same rows.
#[derive(Debug, Serialize)]
struct Comparison {
    /// How the texts' lengths are.
    texts: &'static str,
    rows: usize,
    ours: Figures,
    pytorch: Figures,
    samples_per_second_ratio: f64,
    peak_memory_ratio: f64,
}

impl TrainingCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        if let Some(run) = &self.child {
            return tokio::task::block_in_place(|| print_json(&train(&TrainingRun::load(run)?)?));
        }
        setup::ensure(&[Part::BaseEncoder]).await?;
        let comparisons = tokio::task::block_in_place(|| self.compare())?;
        if self.json { print_json(&self.answer(&comparisons)) } else { print_line(self.render(&comparisons)) }
    }

    fn compare(&self) -> anyhow::Result<Vec<Comparison>> {
        let python = self.python.clone().map_or_else(peer::environment, Ok)?;
        let base = Part::BaseEncoder.locate()?;
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let natural = data::phrasebank(self.data.as_deref().unwrap_or(Path::new(".")), self.rows)?;
        let equal = data::of_one_length(&natural);
        let progress = Progress::start("training in turn", Some(4 * self.rounds as u64), Unit::Items("runs"));
        let mut comparisons = Vec::new();
        for (name, texts, rows) in [("natural", "as they are", natural), ("equal", "64 tokens each", equal)] {
            let bench = Bench { folder: folder.path().join(name), base: &base, python: &python, command: self };
            let count = rows.train.len();
            bench.write(&rows)?;
            let mut best: [Option<Figures>; 2] = [None, None];
            for _ in 0..self.rounds.max(1) {
                for (side, best) in best.iter_mut().enumerate() {
                    let figures = if side == 0 { bench.ours()? } else { bench.pytorch()? };
                    let peak = best.as_ref().map_or(0, |best| best.peak_memory_bytes).max(figures.peak_memory_bytes);
                    let faster = best.take().filter(|best| best.samples_per_second > figures.samples_per_second);
                    *best = Some(Figures { peak_memory_bytes: peak, ..faster.unwrap_or(figures) });
                    progress.advance(1);
                }
            }
            if let [Some(ours), Some(pytorch)] = best {
                comparisons.push(Comparison::of(texts, count, ours, pytorch));
            }
        }
        progress.finish();
        Ok(comparisons)
    }

    fn answer(&self, comparisons: &[Comparison]) -> serde_json::Value {
        let ratio = |of: fn(&Comparison) -> f64| comparisons.first().map(of);
        serde_json::json!({
            "threads": self.threads, "epochs": self.epochs, "rounds": self.rounds,
            "samples_per_second_ratio": ratio(|comparison| comparison.samples_per_second_ratio),
            "peak_memory_ratio": ratio(|comparison| comparison.peak_memory_ratio),
            "comparisons": comparisons,
        })
    }

    fn render(&self, comparisons: &[Comparison]) -> String {
        let mut rows = table(&["texts", "rows", "engine", "rows/s", "peak memory, MiB", "mean loss"]);
        let mut ratios = String::new();
        for comparison in comparisons {
            for (figures, name) in
                [(&comparison.ours, "Pulsewire"), (&comparison.pytorch, &*comparison.pytorch.version)]
            {
                let rate = format!("{:.1}", figures.samples_per_second);
                let memory = (figures.peak_memory_bytes >> 20).to_string();
                let loss = format!("{:.3}", figures.mean_loss);
                rows.add_row([comparison.texts, &comparison.rows.to_string(), name, &rate, &memory, &loss]);
            }
            ratios.push_str(&format!(
                "texts {}: {:.2} times PyTorch's rows/s, {:.2} of its peak memory\n",
                comparison.texts, comparison.samples_per_second_ratio, comparison.peak_memory_ratio
            ));
        }
        format!("{} threads, {} epochs\n{}\n\n{}", self.threads, self.epochs, rows.trim_fmt(), ratios.trim_end())
    }
}

impl Comparison {
    fn of(texts: &'static str, rows: usize, ours: Figures, pytorch: Figures) -> Self {
        Self {
            samples_per_second_ratio: ours.samples_per_second / pytorch.samples_per_second,
            peak_memory_ratio: ours.peak_memory_bytes as f64 / pytorch.peak_memory_bytes as f64,
            texts,
            rows,
            ours,
            pytorch,
        }
    }
}

/// One set of rows, for both sides.
struct Bench<'a> {
    folder: PathBuf,
    base: &'a Path,
    python: &'a Path,
    command: &'a TrainingCommand,
}

impl Bench<'_> {
    fn write(&self, rows: &Rows) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.folder).with_context(|| format!("cannot create {}", self.folder.display()))?;
        data::write(&self.file("train.ndjson"), &rows.train)?;
        data::write(&self.file("held-out.ndjson"), &rows.held_out)?;
        let held_out = DataSource::new("held-out.ndjson");
        let task = Task {
            name: "sentiment".to_owned(),
            kind: TaskKind::default(),
            data: vec![DataSource::new("train.ndjson")],
            validation: vec![held_out.clone()],
            test: vec![held_out],
            label_names: None,
            cleaning: CleaningRules::default(),
            split: Split::default(),
            loss: LossKind::default(),
        };
        let name = "bench".to_owned();
        let base = Some(self.base.to_owned());
        let run = TrainingRun {
            name,
            seed: 17,
            base,
            tensorboard: None,
            split_seed: None,
            distillation: None,
            augmentation: Vec::new(),
            continual: None,
            few_shot: None,
            tasks: vec![task],
            hyperparameters: self.settings(),
        };
        let path = self.file("run.toml");
        std::fs::write(&path, toml::to_string(&run)?).with_context(|| format!("cannot write {}", path.display()))
    }

    fn ours(&self) -> anyhow::Result<Figures> {
        let mut command = Command::new(std::env::current_exe().context("cannot find this program's own file")?);
        command.args(["bench", "training", "--child"]).arg(self.file("run.toml"));
        command.env("RAYON_NUM_THREADS", self.command.threads.to_string());
        figures(command)
    }

    fn pytorch(&self) -> anyhow::Result<Figures> {
        let settings = self.settings();
        let mut command = Command::new(self.python);
        command.args(["-c", peer::SCRIPT, "--base"]).arg(self.base).arg("--rows").arg(self.file("train.ndjson"));
        for (flag, value) in [
            ("--epochs", settings.epochs),
            ("--threads", self.command.threads),
            ("--batch-size", settings.batch_size),
            ("--max-tokens", settings.max_tokens),
        ] {
            command.args([flag, &value.to_string()]);
        }
        for (flag, value) in [
            ("--learning-rate", settings.learning_rate),
            ("--warmup", settings.warmup),
            ("--weight-decay", settings.weight_decay),
            ("--gradient-norm", settings.gradient_norm),
            ("--dropout", settings.dropout),
        ] {
            command.args([flag, &value.to_string()]);
        }
        command.env("OMP_NUM_THREADS", self.command.threads.to_string()).env("CUDA_VISIBLE_DEVICES", "");
        figures(command)
    }

    /// What both sides do: nothing that only one of them has.
    fn settings(&self) -> Hyperparameters {
        Hyperparameters {
            epochs: self.command.epochs,
            label_smoothing: 0.0,
            r_drop: 0.0,
            weight_average: 0.0,
            max_tokens: data::MOST_TOKENS,
            ..Hyperparameters::default()
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Runs a side's process, whose last line is its figures.
fn figures(mut command: Command) -> anyhow::Result<Figures> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{program} failed: {}", said.trim_end());
    let answer = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(answer.trim()).with_context(|| format!("{program} answered {answer:?}"))
}

/// Trains in this process.
fn train(run: &TrainingRun) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let report = training::train(run, &folder.path().join("model"))?.report;
    let losses: f64 = report.epochs.iter().map(|epoch| epoch.loss).sum();
    Ok(Figures {
        samples_per_second: report.samples_per_second,
        peak_memory_bytes: peak_memory()?,
        mean_loss: losses / report.epochs.len() as f64,
        version: format!("Pulsewire {}", env!("CARGO_PKG_VERSION")),
    })
}

/// The most memory that this process ever held.
fn peak_memory() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc/self/status")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmHWM is no number")?;
    Ok(kibibytes * 1024)
}
