//! The directory of an adapted encoder.

use std::path::Path;

use serde_json::{Value, json};

use super::AdaptationReport;
use crate::directory::{read_json, write_json};
use crate::engine::{EncoderConfig, MaskedLanguageModel};
use crate::error::TrainingError;

pub(super) fn write(
    out: &Path,
    base: &Path,
    model: &MaskedLanguageModel,
    report: &AdaptationReport,
) -> Result<(), TrainingError> {
    std::fs::create_dir_all(out).map_err(|source| TrainingError::Unwritable { path: out.to_owned(), source })?;
    model.save(&out.join("model.safetensors"))?;
    let mut config = EncoderConfig::load(base)?.raw;
    config.remove("torch_dtype");
    let architecture = match report.settings.pairs {
        Some(_) => "BertForPreTraining",
        None => "BertForMaskedLM",
    };
    config.insert("architectures".to_owned(), json!([architecture]));
    config.insert("_name_or_path".to_owned(), json!(format!("{}, adapted", report.base)));
    config.insert("dtype".to_owned(), json!("float32"));
    write_json(&out.join("config.json"), &Value::Object(config))?;
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        if base.join(name).exists() {
            write_json(&out.join(name), &read_json(&base.join(name))?)?;
        }
    }
    let path = out.join("adaptation.json");
    let report = serde_json::to_value(report)
        .map_err(|error| TrainingError::Unwritable { path: path.clone(), source: std::io::Error::other(error) })?;
    write_json(&path, &report)
}
