//! A layer norm that stands alone, before a block or before the output.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::engine::buffer::Pool;
use crate::engine::operation::{Block, Kept, tensor, values, with_values};
use crate::engine::parameter::Parameter;
use crate::engine::residual::{Norm, Normalised};
use crate::random::Dropout;

/// One application: states to states, `[tokens, hidden]`.
#[derive(Debug)]
pub(super) struct NormBlock {
    pub(super) norm: Arc<Norm>,
    pub(super) pool: Pool,
    pub(super) kept: Kept<Normalised>,
}

impl Block for NormBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.norm.scale, &self.norm.shift]
    }
}

impl CustomOp1 for NormBlock {
    fn name(&self) -> &'static str {
        "layer norm"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(input, layout)?;
        let width = self.norm.scale.len();
        let tokens = input.len() / width;
        let mut kept = Normalised { unit: self.pool.take(input.len()), inverse: self.pool.take(tokens) };
        kept.unit.copy_from_slice(input);
        let mut output = vec![0.0; input.len()];
        self.norm.forward(&mut kept, Dropout::OFF, &mut output);
        self.kept.put(kept);
        Ok((CpuStorage::F32(output), Shape::from((tokens, width))))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.kept.take(self.name())?;
        let mut input_gradient = vec![0.0; input.elem_count()];
        with_values(gradient, |gradient| self.norm.backward(gradient, &kept, Dropout::OFF, &mut input_gradient))?;
        tensor(input_gradient, input.dims()).map(Some)
    }
}
