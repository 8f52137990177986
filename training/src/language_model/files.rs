//! The directory of a language model.

use std::path::Path;

use serde_json::{Value, json};

use super::LanguageModelReport;
use super::fit::TextLearner;
use super::tokenizer::END;
use crate::directory::write_json;
use crate::error::TrainingError;

pub(super) fn write(out: &Path, learner: &TextLearner<'_>, report: &LanguageModelReport) -> Result<(), TrainingError> {
    std::fs::create_dir_all(out).map_err(|source| TrainingError::Unwritable { path: out.to_owned(), source })?;
    learner.model.save(&out.join("model.safetensors"))?;
    let mut config = learner.config.raw.clone();
    config.remove("torch_dtype");
    config.insert("architectures".to_owned(), json!(["GPT2LMHeadModel"]));
    config.insert("dtype".to_owned(), json!("float32"));
    for key in ["bos_token_id", "eos_token_id"] {
        config.insert(key.to_owned(), json!(learner.codec.end()));
    }
    write_json(&out.join("config.json"), &Value::Object(config))?;
    learner.codec.save(&out.join("tokenizer.json"))?;
    let tokens = json!({
        "tokenizer_class": "GPT2Tokenizer", "model_max_length": learner.config.n_positions,
        "bos_token": END, "eos_token": END, "unk_token": END, "add_prefix_space": false,
    });
    write_json(&out.join("tokenizer_config.json"), &tokens)?;
    let path = out.join("language_model.json");
    let report = serde_json::to_value(report)
        .map_err(|error| TrainingError::Unwritable { path: path.clone(), source: std::io::Error::other(error) })?;
    write_json(&path, &report)
}
