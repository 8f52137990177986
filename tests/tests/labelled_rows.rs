//! Labelled rows that lie in ClickHouse or Kafka: written there by one command, learned from and measured on by others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use testkit::{Kafka, StoreServer, binary};
use tests::feed;

/// Some rows of the sample, as a file.
fn labelled(folder: &Path) -> anyhow::Result<String> {
    let sample = fs::read_to_string(feed::workspace().join("apps/sentiment-monitor/samples/labelled.csv"))?;
    let path = folder.join("labelled.csv");
    fs::write(&path, sample.lines().take(401).map(|line| format!("{line}\n")).collect::<String>())?;
    Ok(path.display().to_string())
}

/// Runs a command that takes its last flags from `server`.
fn run(arguments: &[&str], server: &[&str]) -> anyhow::Result<Output> {
    Ok(binary::pulsewire()?.args(arguments).args(server).output()?)
}

/// The JSON that a command prints which must succeed.
fn answer(arguments: &[&str], server: &[&str]) -> anyhow::Result<Value> {
    let output = run(arguments, server)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?} failed:\n{said}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{arguments:?} printed no JSON"))
}

/// A command that must fail with this code and say this.
fn refused(arguments: &[&str], server: &[&str], code: i32, words: &[&str]) -> anyhow::Result<()> {
    let output = run(arguments, server)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "{arguments:?} ended with {}:\n{said}", output.status);
    let missing: Vec<_> = words.iter().filter(|words| !said.contains(**words)).collect();
    ensure!(missing.is_empty(), "no {missing:?} in:\n{said}");
    Ok(())
}

#[test]
fn a_model_learns_from_a_query_and_its_figures_are_in_the_store() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut store = StoreServer::start(&folder.path().join("store"))?;
    let directory = folder.path().join("store").display().to_string();
    let server = ["--store-dir", directory.as_str()];
    let (labelled, registry) = (labelled(folder.path())?, folder.path().join("models"));
    let named = ["--text", "headline", "--label", "sentiment"];

    let clean = ["data", "clean", "--data", &labelled, "--out", "clickhouse:labelled", "--json"];
    let written = answer(&[&clean[..], &named].concat(), &server)?["rows_written"].as_u64().context("no count")?;
    ensure!(store.number("SELECT count() FROM pulsewire.labelled")? == written);

    let query = "clickhouse:SELECT headline AS text, sentiment FROM labelled ORDER BY text;";
    let named = ["--label", "sentiment"];
    let train = ["train", "--model", "small", "--epochs", "1", "--metrics", "clickhouse", "--json", "--data", query];
    let place = registry.display().to_string();
    let trained = answer(&[&train[..], &named, &["--registry", &place]].concat(), &server)?;
    let steps = trained["report"]["tasks"][0]["train_rows"].as_u64().context("no rows")?.div_ceil(32);
    let figures =
        |condition: &str| store.number(&format!("SELECT count() FROM pulsewire.training_metrics WHERE {condition}"));
    ensure!(figures("metric = 'train/loss' AND model = 'small' AND seed = 17 AND epoch = 1")? == steps, "{trained}");
    ensure!(figures("metric = 'validation/sentiment accuracy' AND value > 0")? == 1);

    let kept: Vec<PathBuf> =
        fs::read_dir(registry.join("small/1/data"))?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    ensure!(kept.len() == 1 && fs::read_to_string(&kept[0])?.lines().count() as u64 == written, "{kept:?}");

    let evaluate = ["evaluate", "--model", "small", "--registry", &place, "--json", "--data", query];
    let measured = answer(&[&evaluate[..], &named].concat(), &server)?;
    ensure!(measured["rows"].as_u64() == Some(written), "{measured}");

    let card = |query| ["data", "card", "--data", query];
    refused(&card("clickhouse:SELECT * FROM nothing"), &server, 1, &["nothing", "UNKNOWN_TABLE"])?;
    refused(&card("clickhouse:DROP TABLE labelled"), &server, 1, &["Syntax error"])?;
    refused(&card("clickhouse:SELECT 1 AS text WHERE 0"), &server, 1, &["has no rows"])?;
    refused(&card("clickhouse:SELECT * FROM labelled"), &server, 1, &["text: is missing", "headline, sentiment"])?;
    store.kill()?;
    refused(&card("clickhouse:SELECT 1 AS text"), &server, 75, &["cannot read the rows of query", "127.0.0.1"])
}

#[test]
fn rows_pass_through_a_topic_unchanged() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let kafka = Kafka::start(&folder.path().join("kafka"))?;
    let brokers = kafka.brokers();
    let server = ["--brokers", brokers.as_str()];
    let labelled = labelled(folder.path())?;
    let named = ["--text", "headline", "--label", "sentiment", "--json"];
    let clean = |data: &'static str| ["data", "clean", "--data", data, "--out"];

    let out = folder.path().join("direct.csv").display().to_string();
    let direct = answer(&[&["data", "clean", "--data", &labelled, "--out", &out][..], &named].concat(), &[])?;
    answer(&[&["data", "clean", "--data", &labelled, "--out", "kafka:labelled"][..], &named].concat(), &server)?;
    let back = folder.path().join("back.csv").display().to_string();
    let read = answer(&[&clean("kafka:labelled")[..], &[&back, "--column", "/headline"], &named].concat(), &server);
    ensure!(read.is_err(), "two columns of one name are refused");
    let read = answer(&[&clean("kafka:labelled")[..], &[&back], &named].concat(), &server)?;
    ensure!(read["rows_written"] == direct["rows_written"], "{read} {direct}");
    ensure!(fs::read(&back)? == fs::read(&out)?, "rows that went through the topic differ");

    refused(&[&clean("kafka:nothing")[..], &["a.csv"]].concat(), &server, 64, &["nothing"])?;
    refused(&[&clean("kafka:labelled")[..], &["kafka:labelled"]].concat(), &server, 64, &["--out would overwrite"])?;
    refused(
        &[&clean("kafka:labelled")[..], &["a.csv", "--label", "/tone"]].concat(),
        &server,
        1,
        &["topic labelled:1: ", "the object's keys are: headline, sentiment"],
    )
}
