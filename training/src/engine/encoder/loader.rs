//! Builds the model's blocks from a checkpoint, by the names that Hugging Face gives their weights.

use crate::engine::activation::gelu_rows;
use crate::engine::attention::Attention;
use crate::engine::checkpoint::{EncoderConfig, Weights};
use crate::engine::embedding::Embedding;
use crate::engine::feed_forward::FeedForward;
use crate::engine::linear::Linear;
use crate::engine::parameter::{Parameter, Role};
use crate::engine::prediction::{HEAD, Prediction};
use crate::engine::residual::{Norm, Residual};
use crate::error::TrainingError;
use crate::random::Random;

/// The spread of new weights, as BERT and GPT-2 were made with.
pub(in crate::engine) const INITIAL_DEVIATION: f64 = 0.02;

/// What attention stacks, by checkpoint name.
pub(super) const PARTS: [&str; 3] = ["query", "key", "value"];

/// Builds blocks from a checkpoint.
pub(in crate::engine) struct Loader<'a> {
    weights: &'a Weights,
    hidden: usize,
    epsilon: f32,
}

impl<'a> Loader<'a> {
    pub(in crate::engine) fn new(config: &EncoderConfig, weights: &'a Weights) -> Self {
        Self { weights, hidden: config.hidden_size, epsilon: config.layer_norm_eps as f32 }
    }

    fn parameter(&self, name: &str, shape: &[usize], role: Role, depth: usize) -> Result<Parameter, TrainingError> {
        Ok(Parameter::new(name, shape, role, depth, self.weights.values(name, shape)?))
    }

    fn norm(&self, name: &str, depth: usize) -> Result<Norm, TrainingError> {
        Ok(Norm {
            scale: self.parameter(&format!("{name}.weight"), &[self.hidden], Role::Offset, depth)?,
            shift: self.parameter(&format!("{name}.bias"), &[self.hidden], Role::Offset, depth)?,
            epsilon: self.epsilon,
        })
    }

    fn residual(&self, name: &str, depth: usize) -> Result<Residual, TrainingError> {
        Ok(Residual {
            bias: self.parameter(&format!("{name}.dense.bias"), &[self.hidden], Role::Offset, depth)?,
            norm: Some(self.norm(&format!("{name}.LayerNorm"), depth)?),
        })
    }

    pub(in crate::engine) fn linear(&self, name: &str, outputs: usize, depth: usize) -> Result<Linear, TrainingError> {
        Ok(Linear {
            weight: self.parameter(&format!("{name}.weight"), &[outputs, self.hidden], Role::Weight, depth)?,
            bias: self.parameter(&format!("{name}.bias"), &[outputs], Role::Offset, depth)?,
        })
    }

    /// The head of a masked language model; a new one where the checkpoint has none.
    pub(in crate::engine) fn prediction(
        &self,
        config: &EncoderConfig,
        depth: usize,
        seed: u64,
    ) -> Result<Prediction, TrainingError> {
        let (dense, norm) = ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm");
        if self.weights.has(HEAD) {
            return Ok(Prediction {
                dense: self.linear(dense, self.hidden, depth)?,
                norm: self.norm(norm, depth)?,
                bias: self.parameter(HEAD, &[config.vocab_size], Role::Offset, depth)?,
            });
        }
        let offset = |name: &str, value: f32, length: usize| {
            Parameter::new(name, &[length], Role::Offset, depth, vec![value; length])
        };
        Ok(Prediction {
            dense: new_linear(dense, self.hidden, self.hidden, depth, &mut Random::new(seed, "weights")),
            norm: Norm {
                scale: offset(&format!("{norm}.weight"), 1.0, self.hidden),
                shift: offset(&format!("{norm}.bias"), 0.0, self.hidden),
                epsilon: self.epsilon,
            },
            bias: offset(HEAD, 0.0, config.vocab_size),
        })
    }

    pub(super) fn embedding(&self, config: &EncoderConfig) -> Result<Embedding, TrainingError> {
        let table = |name: &str, rows: usize| {
            self.parameter(&format!("embeddings.{name}_embeddings.weight"), &[rows, self.hidden], Role::Table, 0)
        };
        Ok(Embedding {
            words: table("word", config.vocab_size)?,
            positions: table("position", config.max_position_embeddings)?,
            types: self.types(config)?,
            norm: self.norm("embeddings.LayerNorm", 0)?,
        })
    }

    /// The table of token types. Words' shapes that the checkpoint does not know begin as words of type 0.
    fn types(&self, config: &EncoderConfig) -> Result<Parameter, TrainingError> {
        let name = "embeddings.token_type_embeddings.weight";
        let shape = [config.type_vocab_size, self.hidden];
        let values = match self.weights.shape(name) {
            Some([rows, _]) if config.word_shapes && *rows != config.type_vocab_size => {
                self.weights.values(name, &[*rows, self.hidden])?[..self.hidden].repeat(config.type_vocab_size)
            }
            _ => self.weights.values(name, &shape)?,
        };
        Ok(Parameter::new(name, &shape, Role::Table, 0, values))
    }

    pub(super) fn attention(&self, config: &EncoderConfig, layer: usize) -> Result<Attention, TrainingError> {
        let prefix = format!("encoder.layer.{layer}.attention");
        let stacked = |kind: &str, shape: &[usize], role: Role| -> Result<Parameter, TrainingError> {
            let mut values = Vec::new();
            for part in PARTS {
                values.extend(self.weights.values(&format!("{prefix}.self.{part}.{kind}"), shape)?);
            }
            let mut stacked = shape.to_vec();
            stacked[0] *= PARTS.len();
            Ok(Parameter::new(format!("{prefix}.self.*.{kind}"), &stacked, role, layer + 1, values))
        };
        let heads = config.pruned_heads.left(layer, config.num_attention_heads).len();
        let width = heads * (self.hidden / config.num_attention_heads);
        let outer = [self.hidden, width];
        Ok(Attention {
            inner: stacked("weight", &[width, self.hidden], Role::Weight)?,
            inner_bias: stacked("bias", &[width], Role::Offset)?,
            outer: self.parameter(&format!("{prefix}.output.dense.weight"), &outer, Role::Weight, layer + 1)?,
            residual: self.residual(&format!("{prefix}.output"), layer + 1)?,
            heads,
            causal: false,
        })
    }

    pub(super) fn feed_forward(&self, config: &EncoderConfig, layer: usize) -> Result<FeedForward, TrainingError> {
        let prefix = format!("encoder.layer.{layer}");
        let wide = config.intermediate_size;
        let inner = format!("{prefix}.intermediate.dense");
        let outer = format!("{prefix}.output");
        Ok(FeedForward {
            inner: self.parameter(&format!("{inner}.weight"), &[wide, self.hidden], Role::Weight, layer + 1)?,
            inner_bias: self.parameter(&format!("{inner}.bias"), &[wide], Role::Offset, layer + 1)?,
            outer: self.parameter(&format!("{outer}.dense.weight"), &[self.hidden, wide], Role::Weight, layer + 1)?,
            gelu: gelu_rows,
            residual: self.residual(&outer, layer + 1)?,
        })
    }
}

/// A layer that no checkpoint has.
pub(in crate::engine) fn new_linear(
    name: &str,
    outputs: usize,
    inputs: usize,
    depth: usize,
    random: &mut Random,
) -> Linear {
    let values = (0..outputs * inputs).map(|_| (random.normal() * INITIAL_DEVIATION) as f32).collect();
    Linear {
        weight: Parameter::new(format!("{name}.weight"), &[outputs, inputs], Role::Weight, depth, values),
        bias: Parameter::new(format!("{name}.bias"), &[outputs], Role::Offset, depth, vec![0.0; outputs]),
    }
}
