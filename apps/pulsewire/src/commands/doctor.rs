//! `pulsewire doctor`: what is here, what is missing, and the mend.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use foundation::parts::{Part, PartsError};
use foundation::paths::{cache_directory, data_directory};
use serde::Serialize;
use service::HttpConfig;
use tokio::process::Command;

use crate::exit::Negative;
use crate::setup::free_bytes;
use crate::terminal::{print_json, print_line, table};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire doctor            a table; exit code 1 if something needed is missing
  pulsewire doctor --verify   also read every installed file and compare its digest
  pulsewire doctor --json     the same for a program";

/// Room for the store, the models and the parts that a first day needs.
const COMFORTABLE_BYTES: u64 = 5 << 30;
/// How long another program may take to tell its version.
const VERSION_PATIENCE: Duration = Duration::from_secs(20);

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorCommand {
    /// Read every installed file and compare its digest
    #[arg(long)]
    verify: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// One line of the examination.
#[derive(Debug, Serialize)]
struct Finding {
    name: String,
    state: State,
    /// Version, path or figure.
    found: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Something works less well, or only some command misses it.
    Note,
    /// The demo and the monitor need it.
    Missing,
}

#[derive(Debug, Serialize)]
struct Examination {
    healthy: bool,
    findings: Vec<Finding>,
}

impl DoctorCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut findings = Vec::new();
        for part in Part::ALL {
            findings.push(examine_part(part, self.verify)?);
        }
        let parts_missing = findings.iter().any(|finding| finding.state == State::Missing);
        findings.push(processor());
        findings.push(disk());
        findings.extend(clients(parts_missing).await);
        findings.extend(kafka().await);
        findings.push(port("health and metrics port", HttpConfig::DEFAULT_PORT, "--metrics-port"));
        findings.push(port("embedded store port", 8123, "`pulsewire store serve --port`"));
        let healthy = findings.iter().all(|finding| finding.state != State::Missing);
        if self.json {
            print_json(&Examination { healthy, findings })?;
        } else {
            print_line(render(&findings))?;
        }
        if healthy { Ok(()) } else { Err(Negative.into()) }
    }
}

fn render(findings: &[Finding]) -> String {
    let mut table = table(&["", "what", "found", "mend"]);
    for finding in findings {
        let mark = match finding.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Missing => "MISSING",
        };
        table.add_row([mark, &finding.name, &finding.found, finding.mend.as_deref().unwrap_or_default()]);
    }
    table.trim_fmt()
}

fn finding(name: impl Into<String>, state: State, found: impl Into<String>, mend: Option<&str>) -> Finding {
    Finding { name: name.into(), state, found: found.into(), mend: mend.map(str::to_owned) }
}

fn examine_part(part: Part, verify: bool) -> Result<Finding, PartsError> {
    let pin = part.pin()?;
    let name = format!("{} {}", pin.title, pin.version);
    let replaced = part.replacement().is_some();
    let examined = part.locate().and_then(|path| match (replaced, verify) {
        (true, _) => Ok((path, format!("by {}, unchecked", part.variable()))),
        (false, false) => Ok((path, "archive's sha256 was checked, sizes agree".to_owned())),
        (false, true) => tokio::task::block_in_place(|| pin.verify(&pin.directory(&cache_directory())))
            .map(|()| (path, "every file's sha256 agrees".to_owned())),
    });
    Ok(match examined {
        Ok((path, state)) => finding(name, State::Ok, format!("{} ({state})", path.display()), None),
        Err(error) => {
            let mend = match &error {
                PartsError::Missing { .. } => "pulsewire setup".to_owned(),
                PartsError::Replacement { variable, .. } => format!("mend or unset {variable}"),
                _ => "pulsewire setup --force".to_owned(),
            };
            let found = match &error {
                PartsError::Missing { path, .. } => format!("not in {}", path.display()),
                other => other.to_string(),
            };
            // Without ONNX Runtime the models run on tract.
            let state = if part == Part::OnnxRuntime { State::Note } else { State::Missing };
            finding(name, state, found, Some(&mend))
        }
    })
}

fn processor() -> Finding {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let wide = wide_vectors();
    let found =
        format!("{threads} threads, {}", if wide.is_empty() { "no wide vectors".to_owned() } else { wide.join(" ") });
    let slow = !wide.contains(&"avx512f");
    finding(
        "processor",
        if slow { State::Note } else { State::Ok },
        found,
        slow.then_some("works, but slower: AVX-512 is what it is tuned for"),
    )
}

#[cfg(target_arch = "x86_64")]
fn wide_vectors() -> Vec<&'static str> {
    let mut found = Vec::new();
    if std::arch::is_x86_feature_detected!("avx2") {
        found.push("avx2");
    }
    if std::arch::is_x86_feature_detected!("avx512f") {
        found.push("avx512f");
    }
    if std::arch::is_x86_feature_detected!("avx512vnni") {
        found.push("avx512vnni");
    }
    found
}

#[cfg(not(target_arch = "x86_64"))]
fn wide_vectors() -> Vec<&'static str> {
    Vec::new()
}

fn disk() -> Finding {
    let data = data_directory();
    // The folder may be there only after the first run.
    let existing = data.ancestors().find(|path| path.exists()).unwrap_or(&data);
    match free_bytes(existing) {
        Some(free) if free < COMFORTABLE_BYTES => {
            let found = format!("{} MiB free for {}", free >> 20, data.display());
            finding("disk", State::Note, found, Some("make room, or move PULSEWIRE_HOME and PULSEWIRE_CACHE"))
        }
        Some(free) => finding("disk", State::Ok, format!("{} GiB free for {}", free >> 30, data.display()), None),
        None => finding("disk", State::Note, format!("free space of {} unknown", data.display()), None),
    }
}

/// The package clients matter only while a part is missing.
async fn clients(parts_missing: bool) -> Vec<Finding> {
    let absent = if parts_missing { State::Missing } else { State::Note };
    let mut findings = Vec::new();
    for (program, mend) in [
        ("pip", "needed by `pulsewire setup` (Debian: apt-get install python3-pip)"),
        ("npm", "needed by `pulsewire setup` (Debian: apt-get install npm)"),
    ] {
        findings.push(match version(program, "--version").await {
            Some(version) => finding(program, State::Ok, version, None),
            None => finding(program, absent, "not installed", Some(mend)),
        });
    }
    findings
}

/// A real Kafka is optional: the demo has a broker inside, and a monitor may use one elsewhere.
async fn kafka() -> [Finding; 2] {
    let java = match version("java", "-version").await {
        Some(version) if java_major(&version).is_some_and(|major| major >= 17) => {
            finding("java", State::Ok, version, None)
        }
        Some(version) => finding("java", State::Note, version, Some("17 or later, for deploy/kafka/kafka.sh only")),
        None => finding(
            "java",
            State::Note,
            "not installed",
            Some("for deploy/kafka/kafka.sh only (Debian: openjdk-17-jre-headless)"),
        ),
    };
    let maven = match version("mvn", "--version").await {
        Some(version) => finding("mvn", State::Ok, version, None),
        None => finding("mvn", State::Note, "not installed", Some("for deploy/kafka/kafka.sh only (Debian: maven)")),
    };
    [java, maven]
}

/// The first line of what a program says of its version; none if it is not installed or does not answer.
async fn version(program: &str, flag: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.arg(flag).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(VERSION_PATIENCE, command.output()).await.ok()?.ok()?;
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let text = String::from_utf8_lossy(&text);
    let line = plain(text.lines().find(|line| !line.trim().is_empty())?);
    output.status.success().then(|| line.split(" from /").next().unwrap_or(&line).to_owned())
}

/// Without the colours that some programs write even into a pipe.
fn plain(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    let rest = pieces.map(|piece| piece.split_once('m').map_or("", |(_, text)| text));
    (first + &rest.collect::<String>()).trim().to_owned()
}

/// `openjdk version "17.0.15"` is 17, `java version "1.8.0_292"` is 8.
fn java_major(line: &str) -> Option<u32> {
    let version = line.split('"').nth(1)?;
    let mut numbers = version.split(['.', '_', '-', '+']).map(str::parse);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

fn port(name: &str, number: u16, flag: &str) -> Finding {
    let name = format!("{name} {number}");
    match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number))) {
        Ok(_) => finding(name, State::Ok, "free", None),
        Err(error) => finding(
            name,
            State::Note,
            error.to_string(),
            Some(&format!("in use already, or choose another with {flag}")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out() {
        assert_eq!(plain("\u{1b}[1mApache Maven 3.8.7\u{1b}[m"), "Apache Maven 3.8.7");
        assert_eq!(plain("pip 23.2.1 "), "pip 23.2.1");
    }

    #[test]
    fn reads_the_version_of_java_old_and_new() {
        for (line, expected) in [
            ("openjdk version \"17.0.15\" 2025-04-15", Some(17)),
            ("java version \"1.8.0_292\"", Some(8)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            ("no idea", None),
        ] {
            assert_eq!(java_major(line), expected, "{line}");
        }
    }
}
