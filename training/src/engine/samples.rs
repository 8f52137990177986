//! A tiny encoder for tests.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::{Classifier, EncoderConfig, PackedBatch, Sequence, Weights};
use crate::random::Random;

/// Measures that are no multiples of a vector register.
pub(crate) const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 18, "intermediate_size": 21,
    "num_attention_heads": 3, "num_hidden_layers": 2, "vocab_size": 13, "max_position_embeddings": 40,
    "type_vocab_size": 2}"#;

/// The same, read.
pub(crate) fn config() -> EncoderConfig {
    serde_json::from_str(CONFIG).unwrap()
}

/// Weights far from zero, so that gradients stand out of rounding.
pub(crate) fn weights(config: &EncoderConfig) -> Weights {
    let mut random = Random::new(11, "sample");
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let mut tensors = HashMap::new();
    let mut put = |name: String, shape: &[usize], centre: f64, spread: f64| {
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| (centre + spread * random.normal()) as f32).collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
    };
    for (name, rows) in [
        ("word", config.vocab_size),
        ("position", config.max_position_embeddings),
        ("token_type", config.type_vocab_size),
    ] {
        put(format!("embeddings.{name}_embeddings.weight"), &[rows, hidden], 0.0, 1.0);
    }
    let mut norms = vec!["embeddings.LayerNorm".to_owned()];
    let mut linears = vec![("pooler.dense".to_owned(), hidden, hidden)];
    for layer in 0..config.num_hidden_layers {
        let prefix = format!("encoder.layer.{layer}");
        let heads = config.num_attention_heads;
        let width = config.pruned_heads.left(layer, heads).len() * hidden / heads;
        for part in ["query", "key", "value"] {
            linears.push((format!("{prefix}.attention.self.{part}"), width, hidden));
        }
        linears.push((format!("{prefix}.attention.output.dense"), hidden, width));
        linears.push((format!("{prefix}.intermediate.dense"), wide, hidden));
        linears.push((format!("{prefix}.output.dense"), hidden, wide));
        norms.extend([format!("{prefix}.attention.output.LayerNorm"), format!("{prefix}.output.LayerNorm")]);
    }
    for (name, outputs, inputs) in linears {
        put(format!("{name}.weight"), &[outputs, inputs], 0.0, 0.35);
        put(format!("{name}.bias"), &[outputs], 0.0, 0.2);
    }
    for name in norms {
        put(format!("{name}.weight"), &[hidden], 1.0, 0.2);
        put(format!("{name}.bias"), &[hidden], 0.0, 0.2);
    }
    Weights::from_tensors(tensors)
}

/// The tiny encoder with a head of three labels and one of four.
pub(crate) fn classifier() -> Classifier {
    let config = config();
    Classifier::new(&config, &weights(&config), &[3, 4], 5).unwrap()
}

/// Sequences of unequal lengths, one of them longer than a task's rows.
pub(crate) fn batch() -> Arc<PackedBatch> {
    let long: Vec<u32> = (0..37).map(|place| (place * 5 + 1) % 13).collect();
    Arc::new(PackedBatch::new([[1u32, 4, 7, 2].as_slice(), &[1, 2], &long, &[1, 12, 12, 3, 2]]))
}

/// The same sequences as pairs of texts.
pub(crate) fn pairs() -> Arc<PackedBatch> {
    let texts = batch();
    let types: Vec<u8> = texts
        .spans()
        .zip([2, 1, 20, 3])
        .flat_map(|(span, first)| (0..span.len()).map(move |place| u8::from(place >= first)))
        .collect();
    let pair =
        |span: Range<usize>| Sequence { tokens: &texts.tokens()[span.clone()], read: &[Some(0)], types: &types[span] };
    Arc::new(PackedBatch::read_at(texts.spans().map(pair)))
}
