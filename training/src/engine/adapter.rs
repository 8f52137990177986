//! Parameter-efficient fine-tuning: the encoder stays as it is, and a small part that is added to it learns, beside the pooler
//! and the heads.
//!
//! What changes matrices (LoRA, AdaLoRA) is merged into them, so that what is written is a plain BERT.

mod adalora;
mod bottleneck;
mod lora;
mod low_rank;
mod prefix;
mod prompt;

use std::fmt::Debug;
use std::sync::Arc;

use candle_core::Tensor;
use foundation::configuration::ConfigurationError;
use serde::{Deserialize, Serialize};

use super::attention::Attention;
use super::encoder::Mode;
use super::feed_forward::FeedForward;
use super::parameter::Parameter;
use crate::random::Random;
pub use adalora::AdaLora;
pub use bottleneck::Bottleneck;
pub use lora::Lora;
pub(super) use low_rank::LowRank;
pub use low_rank::Target;
pub use prefix::Prefix;
pub use prompt::Prompt;
pub(super) use prompt::PromptBlock;

/// The longest prefix or prompt that makes sense.
const LONGEST: usize = 512;

/// What learns in the encoder's stead, as a run names it: `adapter = { kind = "lora", rank = 8 }`.
///
/// New parts begin far from where they end, so that their rates are some ten times those of whole encoders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AdapterKind {
    /// A thin product is added to matrices.
    Lora(Lora),
    /// The same, where matrices share a budget of directions.
    AdaLora(AdaLora),
    /// A narrow network stands after each block.
    Bottleneck(Bottleneck),
    /// Attention sees keys and values that no text has.
    Prefix(Prefix),
    /// Vectors stand before each text's own.
    Prompt(Prompt),
}

/// A part that is added to a frozen encoder.
pub(super) trait Adapter: Debug + Send + Sync {
    /// Every parameter of its own, in an order that is always the same.
    fn parameters(&self) -> Vec<&Parameter> {
        Vec::new()
    }

    /// Whether the encoder's own weights hold what it learned.
    fn is_merged(&self) -> bool {
        false
    }

    /// The keys and values, `[length, 2 width]`, that a layer's attention sees before those of a text.
    fn prefix(&self, _layer: usize) -> Option<Arc<Parameter>> {
        None
    }

    /// The vectors, `[length, hidden]`, that stand before a text's own.
    fn prompt(&self) -> Option<&Arc<Parameter>> {
        None
    }

    /// What becomes of a block's output.
    fn follow(&self, _layer: usize, _block: Followed, states: Tensor, _mode: Mode) -> candle_core::Result<Tensor> {
        Ok(states)
    }

    /// What is to be done when a step's gradients are added up.
    fn before_step(&self) {}

    /// What is to be done when the step of this number, from 0, of `total` has moved the weights.
    fn after_step(&self, _step: usize, _total: usize) {}
}

/// A block, as seen by what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    Attention,
    FeedForward,
}

/// Nothing is added.
#[derive(Debug)]
pub(super) struct Unadapted;

impl Adapter for Unadapted {}

/// The encoder that a part is added to.
pub(super) struct Host<'a> {
    pub(super) layers: &'a [(Arc<Attention>, Arc<FeedForward>)],
    pub(super) hidden: usize,
    pub(super) random: &'a mut Random,
}

impl AdapterKind {
    /// What is wrong with its values.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Lora(lora) => lora.fault(),
            Self::AdaLora(adalora) => adalora.fault(),
            Self::Bottleneck(bottleneck) => bottleneck.fault(),
            Self::Prefix(prefix) => prefix.fault(),
            Self::Prompt(prompt) => prompt.fault(),
        }
    }

    /// Whether what it learned becomes part of the encoder's own weights when they are written.
    pub fn is_merged(&self) -> bool {
        matches!(self, Self::Lora(_) | Self::AdaLora(_))
    }

    /// Refuses what does not fit an encoder of this width.
    pub(crate) fn check(&self, hidden: usize) -> Result<(), ConfigurationError> {
        match self {
            Self::Lora(Lora { rank, .. }) | Self::AdaLora(AdaLora { rank, .. }) if *rank > hidden => {
                let message = format!("rank is {rank}, but the encoder is {hidden} wide: a smaller rank can say all");
                Err(ConfigurationError::invalid("hyperparameters.adapter", message))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn build(&self, host: &mut Host<'_>) -> Box<dyn Adapter> {
        match self {
            Self::Lora(lora) => Box::new(lora.build(host)),
            Self::AdaLora(adalora) => Box::new(adalora.build(host)),
            Self::Bottleneck(bottleneck) => Box::new(bottleneck.build(host)),
            Self::Prefix(prefix) => Box::new(prefix.build(host)),
            Self::Prompt(prompt) => Box::new(prompt.build(host)),
        }
    }
}

/// New values around zero.
fn normal(count: usize, deviation: f64, random: &mut Random) -> Vec<f32> {
    (0..count).map(|_| (random.normal() * deviation) as f32).collect()
}

#[cfg(test)]
mod tests;
