//! LoRA.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::low_rank::{self, LowRank, Start, Target, Thin};
use super::{Adapter, Host, normal};
use crate::engine::parameter::{Parameter, Role};

/// Low-rank adaptation (Hu and others, "LoRA: Low-Rank Adaptation of Large Language Models", 2021): to each target a product
/// `alpha / rank · B · A` is added, of which B begins at zero. Merged into the weights, it costs nothing in service.
///
/// ```toml
/// [hyperparameters]
/// learning_rate = 1e-3
/// adapter = { kind = "lora", rank = 8, alpha = 16.0, targets = ["query", "value"] }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lora {
    /// The rows of A and the columns of B.
    pub rank: usize,
    /// What the product counts, times the rank: with another rank the rate can stay.
    pub alpha: f64,
    /// What is changed.
    pub targets: Vec<Target>,
}

impl Default for Lora {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, targets: vec![Target::Query, Target::Value] }
    }
}

impl Lora {
    pub(super) fn fault(&self) -> Option<&'static str> {
        low_rank::fault(self.rank, self.alpha, &self.targets)
    }

    pub(super) fn build(&self, host: &mut Host<'_>) -> LoraAdapter {
        let (rank, scale) = (self.rank, (self.alpha / self.rank as f64) as f32);
        let make = |start: Start<'_>| {
            let Start { inputs, outputs, .. } = start;
            let values = normal(rank * inputs, 1.0 / (inputs as f64).sqrt(), host.random);
            Thin {
                down: start.parameter("lora_a", &[rank, inputs], Role::Weight, values),
                up: start.parameter("lora_b", &[outputs, rank], Role::Weight, vec![0.0; outputs * rank]),
                gains: None,
            }
        };
        LoraAdapter(low_rank::change(host.layers, &self.targets, scale, make))
    }
}

/// The changes of all layers.
#[derive(Debug)]
pub(super) struct LoraAdapter(Vec<Arc<LowRank>>);

impl Adapter for LoraAdapter {
    fn is_merged(&self) -> bool {
        true
    }

    fn parameters(&self) -> Vec<&Parameter> {
        self.0.iter().flat_map(|change| change.parameters()).collect()
    }
}
