//! Prompt tuning.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use serde::{Deserialize, Serialize};

use super::{Adapter, Host, LONGEST, normal};
use crate::engine::operation::{Block, tensor, values, with_values};
use crate::engine::packing::PackedBatch;
use crate::engine::parameter::{Parameter, Role};
use crate::engine::vector::add;

/// The spread of new vectors, about that of what a layer norm gives.
const DEVIATION: f64 = 0.5;

/// Prompt tuning (Lester and others, "The Power of Scale for Parameter-Efficient Prompt Tuning", 2021): `length` trained vectors
/// stand before each text's own, in what the first layer takes. They have no positions, so that a text keeps its own. Of all
/// methods it learns the fewest values and asks for the highest rate. It cannot be merged, so that only our own exports have it;
/// transformers refuses such a model.
///
/// ```toml
/// [hyperparameters]
/// learning_rate = 1e-2
/// adapter = { kind = "prompt", length = 20 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prompt {
    /// Vectors before each text.
    pub length: usize,
}

impl Default for Prompt {
    fn default() -> Self {
        Self { length: 20 }
    }
}

impl Prompt {
    pub(super) fn fault(&self) -> Option<&'static str> {
        (!(1..=LONGEST).contains(&self.length)).then_some("length must be 1 to 512")
    }

    pub(super) fn build(&self, host: &mut Host<'_>) -> PromptAdapter {
        let values = normal(self.length * host.hidden, DEVIATION, host.random);
        PromptAdapter(Arc::new(Parameter::new("prompt", &[self.length, host.hidden], Role::Weight, 0, values)))
    }
}

/// The vectors: `[length, hidden]`.
#[derive(Debug)]
pub(super) struct PromptAdapter(Arc<Parameter>);

impl Adapter for PromptAdapter {
    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.0]
    }

    fn prompt(&self) -> Option<&Arc<Parameter>> {
        Some(&self.0)
    }
}

/// Puts the vectors before each sequence's states.
#[derive(Debug)]
pub(in crate::engine) struct PromptBlock {
    pub(in crate::engine) prompt: Arc<Parameter>,
    /// The batch with room for them.
    pub(in crate::engine) batch: Arc<PackedBatch>,
}

impl Block for PromptBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.prompt]
    }
}

impl CustomOp1 for PromptBlock {
    fn name(&self) -> &'static str {
        "prompt"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut rest = values(input, layout)?;
        let (prompt, width) = (self.prompt.value(), self.prompt.shape()[1]);
        let places: usize = self.batch.spans().map(|span| span.len()).sum();
        let mut output = Vec::with_capacity(places * width);
        for span in self.batch.spans() {
            let (own, others) = rest.split_at(span.len() * width - prompt.len());
            output.extend_from_slice(&prompt);
            output.extend_from_slice(own);
            rest = others;
        }
        Ok((CpuStorage::F32(output), Shape::from((places, width))))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (width, length) = (self.prompt.shape()[1], self.prompt.len());
        let mut input_gradient = Vec::with_capacity(input.elem_count());
        with_values(gradient, |gradient| {
            let learns = self.prompt.learns();
            for span in self.batch.spans() {
                let (prompt, own) = gradient[span.start * width..span.end * width].split_at(length);
                if learns {
                    add(&mut self.prompt.gradient().values, prompt);
                }
                input_gradient.extend_from_slice(own);
            }
        })?;
        tensor(input_gradient, input.dims()).map(Some)
    }
}
