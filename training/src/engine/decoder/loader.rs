//! Builds the decoder from a checkpoint, by the names that Hugging Face gives GPT-2's weights, and makes new weights.
//!
//! GPT-2's matrices stand in files as `[inputs, outputs]`, ours are `[outputs, inputs]`.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::embedding::TokenEmbedding;
use super::{DecoderConfig, Layer};
use crate::engine::activation::tanh_gelu_rows;
use crate::engine::attention::Attention;
use crate::engine::checkpoint::Weights;
use crate::engine::encoder::INITIAL_DEVIATION;
use crate::engine::feed_forward::FeedForward;
use crate::engine::parameter::{Parameter, Role};
use crate::engine::residual::{Norm, Residual};
use crate::error::TrainingError;
use crate::random::Random;

/// Builds blocks from a checkpoint.
pub(super) struct Loader<'a> {
    pub(super) config: &'a DecoderConfig,
    pub(super) weights: &'a Weights,
}

impl Loader<'_> {
    fn parameter(&self, name: &str, shape: &[usize], role: Role, depth: usize) -> Result<Parameter, TrainingError> {
        Ok(Parameter::new(name, shape, role, depth, self.weights.values(name, shape)?))
    }

    fn matrix(&self, name: &str, [outputs, inputs]: [usize; 2], depth: usize) -> Result<Parameter, TrainingError> {
        let name = format!("{name}.weight");
        let values = transposed(&self.weights.values(&name, &[inputs, outputs])?, inputs);
        Ok(Parameter::new(name, &[outputs, inputs], Role::Weight, depth, values))
    }

    fn bias(&self, name: &str, length: usize, depth: usize) -> Result<Parameter, TrainingError> {
        self.parameter(&format!("{name}.bias"), &[length], Role::Offset, depth)
    }

    pub(super) fn norm(&self, name: &str, depth: usize) -> Result<Norm, TrainingError> {
        let width = self.config.n_embd;
        Ok(Norm {
            scale: self.parameter(&format!("{name}.weight"), &[width], Role::Offset, depth)?,
            shift: self.bias(name, width, depth)?,
            epsilon: self.config.layer_norm_epsilon as f32,
        })
    }

    pub(super) fn embedding(&self) -> Result<TokenEmbedding, TrainingError> {
        let DecoderConfig { vocab_size, n_positions, n_embd, .. } = *self.config;
        Ok(TokenEmbedding {
            words: self.parameter("wte.weight", &[vocab_size, n_embd], Role::Table, 0)?,
            positions: self.parameter("wpe.weight", &[n_positions, n_embd], Role::Table, 0)?,
        })
    }

    pub(super) fn layer(&self, layer: usize) -> Result<Layer, TrainingError> {
        let (width, wide, depth) = (self.config.n_embd, self.config.inner(), layer + 1);
        let [attention, wide_in, wide_out] =
            ["attn.c_attn", "mlp.c_fc", "mlp.c_proj"].map(|name| format!("h.{layer}.{name}"));
        let gathered = format!("h.{layer}.attn.c_proj");
        let end = |name: &str| Ok::<_, TrainingError>(Residual { bias: self.bias(name, width, depth)?, norm: None });
        Ok(Layer {
            attention_norm: Arc::new(self.norm(&format!("h.{layer}.ln_1"), depth)?),
            attention: Arc::new(Attention {
                inner: self.matrix(&attention, [3 * width, width], depth)?,
                inner_bias: self.bias(&attention, 3 * width, depth)?,
                outer: self.matrix(&gathered, [width, width], depth)?,
                residual: end(&gathered)?,
                heads: self.config.n_head,
                causal: true,
            }),
            feed_forward_norm: Arc::new(self.norm(&format!("h.{layer}.ln_2"), depth)?),
            feed_forward: Arc::new(FeedForward {
                inner: self.matrix(&wide_in, [wide, width], depth)?,
                inner_bias: self.bias(&wide_in, wide, depth)?,
                outer: self.matrix(&wide_out, [width, wide], depth)?,
                gelu: tanh_gelu_rows,
                residual: end(&wide_out)?,
            }),
        })
    }
}

/// Columns for rows.
pub(super) fn transposed(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    (0..values.len()).map(|place| values[place % rows * columns + place / rows]).collect()
}

/// Weights as GPT-2 began: small normal numbers, smaller before each of the sums by the root of how many there are.
pub fn fresh_weights(config: &DecoderConfig, seed: u64) -> Result<Weights, TrainingError> {
    let mut random = Random::new(seed, "weights");
    let mut tensors = HashMap::new();
    let (width, wide) = (config.n_embd, config.inner());
    let mut put = |name: String, shape: &[usize], centre: f64, spread: f64| {
        let values = (0..shape.iter().product()).map(|_| (centre + spread * random.normal()) as f32).collect();
        Ok::<_, TrainingError>(tensors.insert(name, Tensor::from_vec::<_, f32>(values, shape, &Device::Cpu)?))
    };
    put("wte.weight".to_owned(), &[config.vocab_size, width], 0.0, INITIAL_DEVIATION)?;
    put("wpe.weight".to_owned(), &[config.n_positions, width], 0.0, INITIAL_DEVIATION)?;
    let before_sum = INITIAL_DEVIATION / (2.0 * config.n_layer as f64).sqrt();
    let mut norms = vec!["ln_f".to_owned()];
    for layer in 0..config.n_layer {
        let matrices = [
            ("attn.c_attn", [width, 3 * width], INITIAL_DEVIATION),
            ("attn.c_proj", [width, width], before_sum),
            ("mlp.c_fc", [width, wide], INITIAL_DEVIATION),
            ("mlp.c_proj", [wide, width], before_sum),
        ];
        for (name, shape, spread) in matrices {
            put(format!("h.{layer}.{name}.weight"), &shape, 0.0, spread)?;
            put(format!("h.{layer}.{name}.bias"), &shape[1..], 0.0, 0.0)?;
        }
        norms.extend(["ln_1", "ln_2"].map(|name| format!("h.{layer}.{name}")));
    }
    for name in norms {
        put(format!("{name}.weight"), &[width], 1.0, 0.0)?;
        put(format!("{name}.bias"), &[width], 0.0, 0.0)?;
    }
    Ok(Weights::from_tensors(tensors))
}
