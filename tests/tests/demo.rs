//! What a newcomer runs first: `pulsewire demo`, from training to alerts, and what it leaves behind.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use testkit::binary;

/// The companies of the incidents that the sample feed hides, and those of its decoys (samples/README.md).
const INCIDENTS: [&str; 5] = ["Brightmoor Foods", "Norvale Bank", "Telquist", "Calder Voss", "Hallenberg Industries"];
const DECOYS: [&str; 2] = ["Corvantis Health", "Marrowby Stores"];

#[test]
fn the_demo_finds_the_incidents_and_leaves_the_rows_to_be_queried() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("demo");
    let demo = binary::pulsewire()?.args(["demo", "--headless", "--out"]).arg(&out).output()?;
    ensure!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));

    let report: Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
    let count = |key: &str| report[key].as_u64().with_context(|| format!("report.json has no {key}: {report}"));
    ensure!(count("messages")? > 1500 && count("rows")? == count("messages")?, "{report}");
    ensure!(count("dead_letters")? == 0 && count("lag_messages")? == 0 && count("late_messages")? == 0, "{report}");
    ensure!(report["training"]["tasks"][0]["test"]["accuracy"].as_f64() > Some(0.6), "{report}");

    let alerts: Vec<Value> =
        fs::read_to_string(out.join("alerts.ndjson"))?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(alerts.len() as u64 == count("alerts")?, "{} alerts in the file, {report}", alerts.len());
    ensure!(alerts.iter().all(|alert| alert["evidence"].as_array().is_some_and(|evidence| !evidence.is_empty())));
    let alerted: BTreeSet<&str> = alerts.iter().filter_map(|alert| alert["entity"].as_str()).collect();
    for company in INCIDENTS {
        ensure!(alerted.contains(company), "no alert about {company}: {alerted:?}");
    }
    for company in DECOYS {
        ensure!(!alerted.contains(company), "the decoy {company} raised an alert");
    }

    // As the demo's last lines advise: the store has ended by then.
    let ask = binary::pulsewire()?
        .args(["store", "sql", "SELECT uniqExact(id) FROM sentiment_scores", "--store-dir"])
        .arg(out.join("store"))
        .output()?;
    let rows = String::from_utf8_lossy(&ask.stdout).trim().parse::<u64>();
    ensure!(rows == Ok(count("rows")?), "{rows:?} rows in the store, {report}: {ask:?}");
    Ok(())
}
