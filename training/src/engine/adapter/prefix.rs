//! Prefix tuning.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Adapter, Host, LONGEST, normal};
use crate::engine::parameter::{Parameter, Role};

/// The spread of new keys and values.
const DEVIATION: f64 = 0.02;

/// Prefix tuning (Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for Generation", 2021; on encoders: Liu and
/// others, "P-Tuning v2", 2022): each layer's attention sees `length` keys and values of its own before those of the text. They
/// are trained as they are, without the network that the paper makes them of. They cannot be merged, so that only our own
/// exports have them; transformers refuses such a model.
///
/// ```toml
/// [hyperparameters]
/// learning_rate = 5e-3
/// adapter = { kind = "prefix", length = 16 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prefix {
    /// Keys and values of each layer.
    pub length: usize,
}

impl Default for Prefix {
    fn default() -> Self {
        Self { length: 16 }
    }
}

impl Prefix {
    pub(super) fn fault(&self) -> Option<&'static str> {
        (!(1..=LONGEST).contains(&self.length)).then_some("length must be 1 to 512")
    }

    pub(super) fn build(&self, host: &mut Host<'_>) -> PrefixAdapter {
        let of_layer = |layer: usize| {
            let name = format!("encoder.layer.{layer}.attention.self.prefix");
            let width = host.layers[layer].0.outer.shape()[1];
            let (shape, count) = ([self.length, 2 * width], self.length * 2 * width);
            Arc::new(Parameter::new(name, &shape, Role::Weight, layer + 1, normal(count, DEVIATION, host.random)))
        };
        PrefixAdapter((0..host.layers.len()).map(of_layer).collect())
    }
}

/// Each layer's keys and values: `[length, 2 width]`, with the width of the layer's heads.
#[derive(Debug)]
pub(super) struct PrefixAdapter(Vec<Arc<Parameter>>);

impl Adapter for PrefixAdapter {
    fn parameters(&self) -> Vec<&Parameter> {
        self.0.iter().map(|prefix| &**prefix).collect()
    }

    fn prefix(&self, layer: usize) -> Option<Arc<Parameter>> {
        self.0.get(layer).cloned()
    }
}
