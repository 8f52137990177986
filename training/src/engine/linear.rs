//! A linear layer: the pooler's product and the heads.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::matrix::{Matrix, MatrixMut, Target, Threads, multiply};
use super::operation::{Block, tensor, values, with_values};
use super::parameter::Parameter;
use super::residual::add_row_sums;
use super::vector::add_to_rows;

/// The layer's parameters.
#[derive(Debug)]
pub(super) struct Linear {
    /// `[outputs, inputs]`.
    pub(super) weight: Parameter,
    /// `[outputs]`.
    pub(super) bias: Parameter,
}

/// One application of the layer.
#[derive(Debug)]
pub(super) struct LinearLayer(pub(super) Arc<Linear>);

impl Block for LinearLayer {
    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.0.weight, &self.0.bias]
    }
}

impl CustomOp1 for LinearLayer {
    fn name(&self) -> &'static str {
        "linear layer"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(input, layout)?;
        let Linear { weight, bias } = &*self.0;
        let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
        let rows = input.len() / inputs;
        let mut output = vec![0.0; rows * outputs];
        let weight = weight.value();
        let weight = Matrix::new(&weight, inputs).transposed();
        let mut target = MatrixMut::new(&mut output, outputs);
        multiply(&mut target, Target::Set, Matrix::new(input, inputs), weight, 1.0, Threads::All);
        let bias = bias.value();
        add_to_rows(&mut output, &bias);
        Ok((CpuStorage::F32(output), Shape::from((rows, outputs))))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let Linear { weight, bias } = &*self.0;
        let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
        let mut input_gradient = vec![0.0; input.elem_count()];
        with_values(gradient, |gradient| {
            add_row_sums(gradient, bias);
            let gradient = Matrix::new(gradient, outputs);
            let mut target = MatrixMut::new(&mut input_gradient, inputs);
            multiply(&mut target, Target::Set, gradient, Matrix::new(&weight.value(), inputs), 1.0, Threads::All);
            with_values(input, |input| weight.add_product(gradient.transposed(), Matrix::new(input, inputs)))
        })??;
        tensor(input_gradient, input.dims()).map(Some)
    }
}
