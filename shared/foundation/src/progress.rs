//! Progress of long work: a bar with rate and time left on a terminal, a log line each few seconds elsewhere.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether bars are switched off for the whole process.
static PLAIN: AtomicBool = AtomicBool::new(false);

/// Logs lines in place of bars from now on, even on a terminal.
pub fn use_no_bars() {
    PLAIN.store(true, Ordering::Relaxed);
}

/// How often a line is logged where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What is being counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, shown as KiB, MiB and so on.
    Bytes,
    /// Things with a name in the plural: `messages`, `samples`, `steps`.
    Items(&'static str),
}

/// A running piece of work. Dropping it clears the bar; [`Progress::finish`] leaves a last line.
pub struct Progress {
    bar: ProgressBar,
    title: String,
    unit: Unit,
    last_log: Option<Mutex<Instant>>,
    started: Instant,
    /// What was done before this began.
    earlier: u64,
}

impl Progress {
    /// Starts a bar for `total` units, or one without an end where the total is not known.
    pub fn start(title: impl Into<String>, total: Option<u64>, unit: Unit) -> Self {
        let title = title.into();
        let terminal = std::io::stderr().is_terminal() && !PLAIN.load(Ordering::Relaxed);
        let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target).with_style(style(total.is_some(), unit));
        bar.set_prefix(title.clone());
        let last_log = (!terminal).then(|| Mutex::new(Instant::now()));
        Self { bar, title, unit, last_log, started: Instant::now(), earlier: 0 }
    }

    /// Begins at what an earlier try has done, which counts for the total and not for the rate.
    pub fn begin_at(mut self, done: u64) -> Self {
        self.bar.set_position(done);
        self.bar.reset_eta();
        self.earlier = done;
        self
    }

    /// Adds to what is done.
    pub fn advance(&self, by: u64) {
        self.bar.inc(by);
        self.log_now_and_then();
    }

    /// Sets what is done.
    pub fn set(&self, done: u64) {
        self.bar.set_position(done);
        self.log_now_and_then();
    }

    /// Sets the total once it is known.
    pub fn set_total(&self, total: u64) {
        self.bar.set_length(total);
        self.bar.set_style(style(true, self.unit));
    }

    /// A short remark at the bar's end: `loss 0.412`.
    pub fn note(&self, text: impl Into<String>) {
        self.bar.set_message(text.into());
    }

    /// Runs `print` with the bar out of the way.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Ends the work and logs what was done in which time.
    pub fn finish(self) {
        let seconds = self.started.elapsed().as_secs_f64();
        let done = self.bar.position().saturating_sub(self.earlier);
        self.bar.finish_and_clear();
        let rate = done as f64 / seconds.max(1e-9);
        match self.unit {
            Unit::Bytes => tracing::info!("{}: {:.1} MiB in {seconds:.1} s", self.title, done as f64 / 1_048_576.0),
            Unit::Items(name) => tracing::info!("{}: {done} {name} in {seconds:.1} s, {rate:.0}/s", self.title),
        }
    }

    fn log_now_and_then(&self) {
        let Some(last) = &self.last_log else { return };
        let Ok(mut last) = last.try_lock() else { return };
        if last.elapsed() < LOG_EVERY {
            return;
        }
        *last = Instant::now();
        let done = self.bar.position();
        let name = match self.unit {
            Unit::Bytes => "bytes",
            Unit::Items(name) => name,
        };
        let rate = done.saturating_sub(self.earlier) as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
        match self.bar.length() {
            Some(total) if rate > 0.0 => {
                let left = total.saturating_sub(done) as f64 / rate;
                tracing::info!(
                    "{}: {done} of {total} {name}, {rate:.0}/s, {left:.0} s left {}",
                    self.title,
                    self.bar.message()
                );
            }
            _ => tracing::info!("{}: {done} {name}, {rate:.0}/s {}", self.title, self.bar.message()),
        }
    }
}

fn style(bounded: bool, unit: Unit) -> ProgressStyle {
    let template = match (bounded, unit) {
        (true, Unit::Bytes) => "{prefix:28} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} eta {eta} {msg}".to_owned(),
        (false, Unit::Bytes) => "{prefix:28} {spinner} {bytes} {bytes_per_sec} {msg}".to_owned(),
        (true, Unit::Items(name)) => {
            format!("{{prefix:28}} {{bar:30}} {{human_pos}}/{{human_len}} {name} {{per_sec}} eta {{eta}} {{msg}}")
        }
        (false, Unit::Items(name)) => format!("{{prefix:28}} {{spinner}} {{human_pos}} {name} {{per_sec}} {{msg}}"),
    };
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
