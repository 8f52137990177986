//! What leaves the trainer is what Python's libraries load. `PULSEWIRE_PYTHON` names an interpreter that has `torch`,
//! `transformers` and `optimum[onnxruntime]`; without it, the test says that it is skipped.

use std::path::Path;
use std::process::Command;

use ndarray::Array2;

use super::tests::run;
use super::*;
use crate::export::{Form, compress, export};

const SCRIPT: &str = r#"
import json, sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from optimum.onnxruntime import ORTModelForSequenceClassification
kind, directory, texts = sys.argv[1], sys.argv[2], sys.argv[3:]
loader = {"transformers": AutoModelForSequenceClassification, "optimum": ORTModelForSequenceClassification}[kind]
tokens = AutoTokenizer.from_pretrained(directory)(texts, padding=True, truncation=True, return_tensors="pt")
model = loader.from_pretrained(directory)
with torch.no_grad():
    print(json.dumps({"logits": model(**tokens).logits.tolist(), "labels": model.config.id2label}))
"#;

/// What a library says of the texts, and what it calls the columns.
fn ask(python: &str, library: &str, directory: &Path, texts: &[&str]) -> (Array2<f32>, serde_json::Value) {
    let output = Command::new(python)
        .args(["-c", SCRIPT, library])
        .arg(directory)
        .args(texts)
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{library}: {}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows: Vec<Vec<f32>> = serde_json::from_value(answer["logits"].clone()).unwrap();
    let logits = Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap();
    (logits, answer["labels"].clone())
}

#[test]
fn transformers_and_optimum_load_a_model_with_the_same_logits() {
    let Ok(python) = std::env::var("PULSEWIRE_PYTHON") else {
        eprintln!("skipped: PULSEWIRE_PYTHON names no Python that has torch, transformers and optimum");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    run.hyperparameters.epochs = 2;
    let trained = train(&run, &directory.path().join("staging")).unwrap();
    export(&trained.staging).unwrap();
    // Longer than the model takes, shorter, and with a word that it does not know.
    let long = "shares up again and ".repeat(20);
    let texts = ["shares are UP today", &long, "rain"];
    let expected = trained.logits(&texts).unwrap();
    let check = |library: &str, directory: &Path, limit: f32| {
        let (logits, labels) = ask(&python, library, directory, &texts);
        assert_eq!(labels, serde_json::json!({ "0": "down", "1": "up", "2": "rain", "3": "sun" }));
        let delta = (&logits - &expected).iter().fold(0.0f32, |largest, delta| largest.max(delta.abs()));
        assert!(delta < limit, "{library} differs by {delta}: {logits} is not {expected}");
    };
    check("transformers", &trained.staging, 1e-5);
    check("optimum", &trained.staging, 1e-5);

    let small = directory.path().join("small");
    std::fs::create_dir(&small).unwrap();
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(trained.staging.join(file), small.join(file)).unwrap();
    }
    compress(&trained.staging, &small, &Form::Int8Dynamic).unwrap();
    check("optimum", &small, 0.2);
}
