//! Archives by `pip download` and `npm pack`: whatever mirror, proxy or certificate they are set up for is used.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use foundation::parts::{Client, Pin};
use foundation::progress::{Progress, Unit};
use tokio::process::Command;

use super::SetupError;

/// How often the bar looks at the size of what has come.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The ways to call each client, the first one that is installed wins.
const PIP: [&[&str]; 3] = [&["pip"], &["pip3"], &["python3", "-m", "pip"]];
const NPM: [&[&str]; 1] = [&["npm"]];

/// The command line that gets a part's archive into the working directory, for people.
pub(crate) fn client_command(pin: &Pin) -> String {
    let caller = match pin.archive.client {
        Client::Pip => PIP[0],
        Client::Npm => NPM[0],
    };
    caller.iter().map(|word| (*word).to_owned()).chain(arguments(pin)).collect::<Vec<_>>().join(" ")
}

/// Gets the archive into `incoming`; its digest is still to be checked.
pub(super) async fn fetch(pin: &Pin, incoming: &Path) -> Result<PathBuf, SetupError> {
    let (callers, program, mend): (&[&[&str]], _, _) = match pin.archive.client {
        Client::Pip => (&PIP, "pip", "install it (Debian: apt-get install python3-pip)"),
        Client::Npm => (&NPM, "npm", "install it (Debian: apt-get install npm)"),
    };
    for caller in callers {
        match run(pin, caller, incoming).await {
            Ok(output) => return accept(pin, incoming, &output),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(SetupError::io("run", Path::new(caller[0]), source)),
        }
    }
    Err(SetupError::ClientMissing { program, mend, command: client_command(pin) })
}

async fn run(pin: &Pin, caller: &[&str], incoming: &Path) -> std::io::Result<Output> {
    let mut command = Command::new(caller[0]);
    command.args(&caller[1..]).args(arguments(pin)).current_dir(incoming).kill_on_drop(true);
    // Their temporary files and caches go where the bar looks and where nothing is left behind.
    command.env("TMPDIR", incoming).env("npm_config_cache", incoming.join("npm-cache"));
    command.env("PIP_NO_CACHE_DIR", "1").env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_NO_INPUT", "1");
    let output = command.output();
    tokio::pin!(output);
    let title = format!("fetching {}", pin.title);
    let progress = Progress::start(title, Some(pin.archive.bytes), Unit::Bytes);
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            ended = &mut output => {
                if ended.as_ref().is_ok_and(|output| output.status.success()) {
                    progress.set(pin.archive.bytes);
                    progress.finish();
                }
                return ended;
            }
            _ = look.tick() => progress.set(size_of(incoming).min(pin.archive.bytes)),
        }
    }
}

fn arguments(pin: &Pin) -> Vec<String> {
    let archive = &pin.archive;
    let fixed: &[&str] = match archive.client {
        Client::Pip => &["download", "--no-deps", "--only-binary=:all:"],
        Client::Npm => &["pack", "--ignore-scripts", "--loglevel=error"],
    };
    let wanted = match archive.client {
        Client::Pip => format!("{}=={}", archive.package, pin.version),
        Client::Npm => format!("{}@{}", archive.package, pin.version),
    };
    fixed.iter().map(|word| (*word).to_owned()).chain(archive.arguments.iter().cloned()).chain([wanted]).collect()
}

fn accept(pin: &Pin, incoming: &Path, output: &Output) -> Result<PathBuf, SetupError> {
    if !output.status.success() {
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        let words = last_lines(&String::from_utf8_lossy(&text), 8);
        return Err(SetupError::Client { command: client_command(pin), status: output.status.to_string(), words });
    }
    let path = incoming.join(&pin.archive.file);
    if path.is_file() {
        Ok(path)
    } else {
        Err(SetupError::NoArchive { command: client_command(pin), file: pin.archive.file.clone() })
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The bytes under a folder that others write to: what vanishes meanwhile counts nothing.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
