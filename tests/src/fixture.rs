//! A small model and loose rules, for runs that are compared with each other.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use testkit::binary;

use crate::feed;

/// The model's name in the registry.
pub const MODEL: &str = "small";

/// One rule of each kind, loose enough that the sample feed raises many alerts.
const RULES: &str = r#"
[[rule]]
name = "in the news"
kind = "threshold"
scope = "entity"
severity = "info"
metric = "count"
window = "6h"
at_least = 4.0

[[rule]]
name = "one bad story"
kind = "message"
scope = "entity"
severity = "warning"
max_score = -0.2

[[rule]]
name = "surge"
kind = "surge"
scope = "entity"
severity = "critical"
window = "12h"
probability = 0.01
min_mass = 0.5
"#;

/// Writes the rules into a folder.
pub fn rules(folder: &Path) -> anyhow::Result<PathBuf> {
    let rules = folder.join("rules.toml");
    std::fs::write(&rules, RULES).context("cannot write the rules")?;
    Ok(rules)
}

/// The real encoder, fine-tuned for one epoch on the sample headlines; answers the registry.
pub fn train(folder: &Path) -> anyhow::Result<PathBuf> {
    let registry = folder.join("models");
    let labelled = feed::workspace().join("apps/sentiment-monitor/samples/labelled.csv");
    let trained = binary::pulsewire()?
        .args(["train", "--model", MODEL, "--text", "headline", "--label", "sentiment", "--head", "sentiment"])
        .args(["--epochs", "1", "--data"])
        .arg(labelled)
        .arg("--registry")
        .arg(&registry)
        .output()?;
    ensure!(trained.status.success(), "training failed:\n{}", String::from_utf8_lossy(&trained.stderr));
    Ok(registry)
}
