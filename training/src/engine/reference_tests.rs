//! The encoder against a plain, slow one in f64, written from the definition of BERT.

use super::samples::{batch, classifier, config, pairs, weights};
use super::{Mode, PackedBatch, Weights};
use std::sync::Arc;

type Rows = Vec<Vec<f64>>;

struct Reference {
    weights: Weights,
    hidden: usize,
    wide: usize,
    heads: usize,
    layers: usize,
    epsilon: f64,
}

impl Reference {
    fn new() -> Self {
        let config = config();
        Self {
            weights: weights(&config),
            hidden: config.hidden_size,
            wide: config.intermediate_size,
            heads: config.num_attention_heads,
            layers: config.num_hidden_layers,
            epsilon: config.layer_norm_eps,
        }
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Vec<f64> {
        self.weights.values(name, shape).unwrap().into_iter().map(f64::from).collect()
    }

    fn linear(&self, name: &str, rows: &Rows, outputs: usize) -> Rows {
        let inputs = rows[0].len();
        let weight = self.tensor(&format!("{name}.weight"), &[outputs, inputs]);
        let bias = self.tensor(&format!("{name}.bias"), &[outputs]);
        let value = |row: &Vec<f64>, output: usize| {
            bias[output] + (0..inputs).map(|input| row[input] * weight[output * inputs + input]).sum::<f64>()
        };
        rows.iter().map(|row| (0..outputs).map(|output| value(row, output)).collect()).collect()
    }

    fn norm(&self, name: &str, rows: &Rows) -> Rows {
        let scale = self.tensor(&format!("{name}.weight"), &[self.hidden]);
        let shift = self.tensor(&format!("{name}.bias"), &[self.hidden]);
        let count = self.hidden as f64;
        rows.iter()
            .map(|row| {
                let mean = row.iter().sum::<f64>() / count;
                let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
                let normal = |value: &f64| (value - mean) / (variance + self.epsilon).sqrt();
                row.iter()
                    .zip(scale.iter().zip(&shift))
                    .map(|(value, (scale, shift))| normal(value) * scale + shift)
                    .collect()
            })
            .collect()
    }

    fn attention(&self, prefix: &str, rows: &Rows) -> Rows {
        let part = |name: &str| self.linear(&format!("{prefix}.attention.self.{name}"), rows, self.hidden);
        let (query, key, value) = (part("query"), part("key"), part("value"));
        let size = self.hidden / self.heads;
        let mut context = vec![vec![0.0; self.hidden]; rows.len()];
        for head in 0..self.heads {
            let span = head * size..(head + 1) * size;
            for (row, context) in context.iter_mut().enumerate() {
                let product = |other: &Vec<f64>| span.clone().map(|at| query[row][at] * other[at]).sum::<f64>();
                let weights: Vec<f64> = key.iter().map(|key| (product(key) / (size as f64).sqrt()).exp()).collect();
                let total: f64 = weights.iter().sum();
                for (weight, value) in weights.iter().zip(&value) {
                    for at in span.clone() {
                        context[at] += weight / total * value[at];
                    }
                }
            }
        }
        let output = self.linear(&format!("{prefix}.attention.output.dense"), &context, self.hidden);
        self.norm(&format!("{prefix}.attention.output.LayerNorm"), &sum(rows, &output))
    }

    /// Of tokens the first so many of which have type 0.
    fn pooled(&self, tokens: &[u32], first: usize) -> Vec<f64> {
        let config = config();
        let table = |name: &str, rows: usize| {
            self.tensor(&format!("embeddings.{name}_embeddings.weight"), &[rows, self.hidden])
        };
        let words = table("word", config.vocab_size);
        let positions = table("position", config.max_position_embeddings);
        let types = table("token_type", config.type_vocab_size);
        let row = |place: usize, token: usize| -> Vec<f64> {
            (0..self.hidden)
                .map(|at| {
                    words[token * self.hidden + at]
                        + positions[place * self.hidden + at]
                        + types[usize::from(place >= first) * self.hidden + at]
                })
                .collect()
        };
        let rows = tokens.iter().enumerate().map(|(place, token)| row(place, *token as usize)).collect();
        let mut rows = self.norm("embeddings.LayerNorm", &rows);
        for layer in 0..self.layers {
            let prefix = format!("encoder.layer.{layer}");
            rows = self.attention(&prefix, &rows);
            let mut inner = self.linear(&format!("{prefix}.intermediate.dense"), &rows, self.wide);
            inner.iter_mut().flatten().for_each(|value| *value = gelu(*value));
            let outer = self.linear(&format!("{prefix}.output.dense"), &inner, self.hidden);
            rows = self.norm(&format!("{prefix}.output.LayerNorm"), &sum(&rows, &outer));
        }
        rows.truncate(1);
        self.linear("pooler.dense", &rows, self.hidden).remove(0).into_iter().map(f64::tanh).collect()
    }
}

fn sum(left: &Rows, right: &Rows) -> Rows {
    left.iter()
        .zip(right)
        .map(|(left, right)| left.iter().zip(right).map(|(left, right)| left + right).collect())
        .collect()
}

/// `x Φ(x)`, with Φ as the sum of its Taylor series.
fn gelu(x: f64) -> f64 {
    let mut term = x;
    let mut series = x;
    for order in 1..200 {
        let order = f64::from(order);
        term *= -x * x / (2.0 * order);
        series += term / (2.0 * order + 1.0);
    }
    x * (0.5 + series / std::f64::consts::TAU.sqrt())
}

#[test]
fn the_encoder_agrees_with_a_plain_slow_one() {
    let (reference, texts) = (Reference::new(), batch());
    for (batch, firsts) in [(texts, [usize::MAX; 4]), (pairs(), [2, 1, 20, 3])] {
        let pooled: Vec<Vec<f32>> = classifier().encode(&batch, Mode::Evaluation).unwrap().to_vec2().unwrap();
        assert_eq!(pooled.len(), batch.rows());
        for (row, (pooled, first)) in pooled.iter().zip(firsts).enumerate() {
            for (got, expected) in pooled.iter().zip(reference.pooled(&batch.tokens()[batch.span(row)], first)) {
                assert!((f64::from(*got) - expected).abs() < 2e-5, "row {row}: {got}, not {expected}");
            }
        }
    }
}

#[test]
fn neighbours_in_a_batch_do_not_matter() {
    let (model, batch) = (classifier(), batch());
    let together: Vec<Vec<f32>> = model.encode(&batch, Mode::Evaluation).unwrap().to_vec2().unwrap();
    for (row, together) in together.iter().enumerate() {
        let alone = Arc::new(PackedBatch::new([&batch.tokens()[batch.span(row)]]));
        let alone: Vec<Vec<f32>> = model.encode(&alone, Mode::Evaluation).unwrap().to_vec2().unwrap();
        let close = alone[0].iter().zip(together).all(|(alone, together)| (alone - together).abs() < 1e-6);
        assert!(close, "row {row}");
    }
}

#[test]
fn saved_weights_load_as_the_same_model() {
    let model = classifier();
    let directory = tempfile::tempdir().unwrap();
    model.save(&directory.path().join("model.safetensors")).unwrap();
    let loaded = Weights::load(directory.path()).unwrap();
    for name in ["embeddings.word_embeddings.weight", "encoder.layer.1.attention.self.key.bias", "pooler.dense.weight"]
    {
        assert!(loaded.has(name), "{name}");
    }
    assert_eq!(loaded.values("classifier.weight", &[7, 18]).unwrap().len(), 126);
    let again = super::Classifier::new(&config(), &loaded, &[3, 4], 6).unwrap();
    let pooled = |model: &super::Classifier| -> Vec<Vec<f32>> {
        model.encode(&batch(), Mode::Evaluation).unwrap().to_vec2().unwrap()
    };
    assert_eq!(pooled(&model), pooled(&again));
}

#[test]
fn a_missing_or_misshapen_tensor_is_named() {
    let config = config();
    let weights = weights(&config);
    let message = weights.values("encoder.layer.9.output.dense.bias", &[18]).unwrap_err().to_string();
    assert!(message.contains("encoder.layer.9.output.dense.bias"), "{message}");
    let message = weights.values("pooler.dense.bias", &[19]).unwrap_err().to_string();
    assert!(message.contains("[18]") && message.contains("[19]"), "{message}");
}
