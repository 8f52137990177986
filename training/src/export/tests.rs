use std::fs;

use ndarray::Array2;
use tempfile::TempDir;

use super::*;

/// A tiny model whose logits were computed by hand (numpy, f64) when it was made.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/inference/tests/fixtures/tiny");

/// A staging directory as the trainer leaves it.
pub(super) fn staging() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(Path::new(FIXTURE).join(file), directory.path().join(file)).unwrap();
    }
    directory
}

pub(super) fn expected() -> (Vec<String>, Array2<f32>) {
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&fs::read_to_string(format!("{FIXTURE}/expected.json")).unwrap()).unwrap();
    let texts = rows.iter().map(|row| row["text"].as_str().unwrap().to_owned()).collect();
    let logits: Vec<f32> = rows
        .iter()
        .flat_map(|row| row["logits"].as_array().unwrap())
        .map(|logit| logit.as_f64().unwrap() as f32)
        .collect();
    (texts, Array2::from_shape_vec((rows.len(), logits.len() / rows.len()), logits).unwrap())
}

pub(super) fn edit_config(directory: &TempDir, edit: impl FnOnce(&mut serde_json::Value)) {
    let path = directory.path().join("config.json");
    let mut config = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    edit(&mut config);
    fs::write(path, config.to_string()).unwrap();
}

#[test]
fn the_exported_model_is_the_one_that_inference_tests() {
    let directory = staging();
    export(directory.path()).unwrap();
    let written = fs::read(directory.path().join("model.onnx")).unwrap();
    let committed = fs::read(format!("{FIXTURE}/model.onnx")).unwrap();
    assert!(written == committed, "export changed: write {FIXTURE}/model.onnx again");
}

#[test]
fn an_export_agrees_with_the_reference_in_every_back_end() {
    let directory = staging();
    export(directory.path()).unwrap();
    let (texts, logits) = expected();
    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
    let report = check_parity(directory.path(), &|_| logits.clone(), &texts).unwrap();
    assert_eq!(report.texts, texts.len());
    let names: Vec<&str> = report.backends.iter().map(|backend| &*backend.backend).collect();
    assert_eq!(names, ["ort", "tract"], "this test needs ONNX Runtime");
    assert!(report.backends.iter().all(|backend| backend.max_abs_delta < 2e-5), "{report:?}");
}

#[test]
fn an_export_that_computes_something_else_is_refused() {
    let directory = staging();
    export(directory.path()).unwrap();
    let (texts, logits) = expected();
    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
    let refused = |change: f32| {
        let mut logits = logits.clone();
        logits[(3, 2)] += change;
        check_parity(directory.path(), &|_| logits.clone(), &texts).unwrap_err()
    };
    for change in [2e-4, -2e-4, f32::NAN] {
        let error = refused(change);
        assert!(matches!(error, ExportError::Parity { .. }), "{error}");
    }
    let error = check_parity(directory.path(), &|_| Array2::zeros((1, 7)), &texts).unwrap_err();
    assert!(matches!(error, ExportError::Reference { .. }), "{error}");
}

#[test]
fn weights_may_stand_without_their_prefix() {
    let directory = staging();
    let path = directory.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap().replace("\"bert.", "\"");
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat();
    fs::write(&path, file).unwrap();
    export(directory.path()).unwrap();
    let written = fs::read(directory.path().join("model.onnx")).unwrap();
    assert!(written == fs::read(format!("{FIXTURE}/model.onnx")).unwrap());
}

#[test]
fn other_poolings_run_in_every_back_end() {
    let logits = |pooling: &str, text: &str| {
        let directory = staging();
        edit_config(&directory, |config| config["pooling"] = pooling.into());
        export(directory.path()).unwrap();
        let opened = inference::ModelDirectory::open(directory.path()).unwrap();
        let config = inference::BackendConfig { backend: inference::BackendChoice::Tract, ..Default::default() };
        let own = inference::EncoderModel::load(&opened, "1", &config).unwrap().logits(&[text, "the"]).unwrap();
        check_parity(directory.path(), &|_| own.clone(), &[text, "the"]).unwrap();
        own
    };
    let text = "shares of the bank fall and rise";
    let (pooler, cls, mean) = (logits("pooler", text), logits("cls", text), logits("mean", text));
    assert!(pooler != cls && cls != mean, "the poolings differ");
}

#[test]
fn what_cannot_be_exported_is_named() {
    #[track_caller]
    fn check(edit: impl FnOnce(&mut serde_json::Value), parts: &[&str]) {
        let directory = staging();
        edit_config(&directory, edit);
        let error = export(directory.path()).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
    check(|config| config["hidden_act"] = "relu".into(), &["config.json", "hidden_act is \"relu\""]);
    check(|config| config["num_attention_heads"] = 3.into(), &["config.json", "divide hidden_size"]);
    check(|config| config["id2label"] = serde_json::json!({}), &["config.json", "id2label"]);
    check(|config| config["num_hidden_layers"] = 3.into(), &["model.safetensors", "encoder.layer.2"]);
    check(|config| config["vocab_size"] = 7.into(), &["word_embeddings", "[70, 8]", "[7, 8]"]);

    let directory = staging();
    fs::write(directory.path().join("model.safetensors"), [0; 7]).unwrap();
    let error = export(directory.path()).unwrap_err().to_string();
    assert!(error.contains("model.safetensors is not a whole safetensors file"), "{error}");
}
