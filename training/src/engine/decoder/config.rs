//! `config.json` of a GPT-2.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::directory::read_json;
use crate::error::TrainingError;

/// A decoder's measures, by the keys of transformers' `GPT2Config`.
#[derive(Debug, Clone, Deserialize)]
pub struct DecoderConfig {
    /// Rows of the word table.
    pub vocab_size: usize,
    /// Rows of the position table: the longest sequence.
    pub n_positions: usize,
    /// The width of token states.
    pub n_embd: usize,
    /// How many layers there are.
    pub n_layer: usize,
    /// How many attention heads share the width.
    pub n_head: usize,
    /// The width inside feed-forward blocks; four times `n_embd` where it is not set.
    #[serde(default)]
    pub n_inner: Option<usize>,
    /// Added to variances.
    #[serde(default = "default_epsilon")]
    pub layer_norm_epsilon: f64,
    /// The whole file, for the keys that are handed on.
    #[serde(skip)]
    pub raw: Map<String, Value>,
}

fn default_epsilon() -> f64 {
    1e-5
}

/// What the decoder computes, by key; a file without the key means the same.
fn known() -> [(&'static str, Value); 6] {
    [
        ("model_type", json!("gpt2")),
        ("activation_function", json!("gelu_new")),
        ("tie_word_embeddings", json!(true)),
        ("scale_attn_weights", json!(true)),
        ("scale_attn_by_inverse_layer_idx", json!(false)),
        ("add_cross_attention", json!(false)),
    ]
}

impl DecoderConfig {
    /// Reads `config.json` of a directory.
    pub fn load(directory: &Path) -> Result<Self, TrainingError> {
        let path = directory.join("config.json");
        let refused = |message: String| TrainingError::BaseEncoder { path: path.clone(), message };
        let Value::Object(raw) = read_json(&path)? else { return Err(refused("is no JSON object".to_owned())) };
        Self::of(raw).map_err(refused)
    }

    /// The measures of a model to be made.
    pub fn fresh(vocabulary: usize, positions: usize, layers: usize, width: usize, heads: usize) -> Self {
        let measures = json!({
            "vocab_size": vocabulary, "n_positions": positions, "n_layer": layers, "n_embd": width, "n_head": heads,
            "layer_norm_epsilon": default_epsilon(),
        });
        let mut raw: Map<String, Value> = known().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        raw.extend(measures.as_object().cloned().unwrap_or_default());
        Self {
            vocab_size: vocabulary,
            n_positions: positions,
            n_embd: width,
            n_layer: layers,
            n_head: heads,
            n_inner: None,
            layer_norm_epsilon: default_epsilon(),
            raw,
        }
    }

    fn of(raw: Map<String, Value>) -> Result<Self, String> {
        for (key, only) in known() {
            if let Some(value) = raw.get(key).filter(|value| **value != only) {
                return Err(format!("{key} is {value}; only {only} can be trained"));
            }
        }
        let mut config: Self = serde_json::from_value(Value::Object(raw.clone())).map_err(|error| error.to_string())?;
        if config.n_head == 0 || !config.n_embd.is_multiple_of(config.n_head) {
            return Err("n_embd must be a multiple of n_head".to_owned());
        }
        config.raw = raw;
        Ok(config)
    }

    /// The width inside feed-forward blocks.
    pub(crate) fn inner(&self) -> usize {
        self.n_inner.unwrap_or(4 * self.n_embd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_computed_otherwise_is_refused() {
        let fresh = DecoderConfig::fresh(300, 64, 2, 12, 3);
        assert_eq!(DecoderConfig::of(fresh.raw.clone()).unwrap().inner(), 48);
        let refusal = |key: &str, value: Value| {
            let mut raw = fresh.raw.clone();
            raw.insert(key.to_owned(), value);
            DecoderConfig::of(raw).unwrap_err()
        };
        assert!(refusal("model_type", json!("bert")).contains(r#"only "gpt2""#));
        assert!(refusal("activation_function", json!("relu")).contains("gelu_new"));
        assert!(refusal("scale_attn_by_inverse_layer_idx", json!(true)).contains("only false"));
        assert!(refusal("n_head", json!(5)).contains("multiple of n_head"));
        assert!(refusal("n_layer", json!("two")).contains("two"));
    }
}
