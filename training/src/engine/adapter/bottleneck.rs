//! Bottleneck adapters.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Adapter, Followed, Host, normal};
use crate::engine::activation::{gelu_rows, gelu_rows_backward};
use crate::engine::buffer::{Buffer, Pool};
use crate::engine::encoder::Mode;
use crate::engine::matrix::{Matrix, MatrixMut, Target, Threads, multiply};
use crate::engine::operation::{Block, Kept, tensor, values, with_values};
use crate::engine::parameter::{Parameter, Role};
use crate::engine::residual::{ROWS, add_partial, add_row_sums};
use crate::engine::vector::{add, add_to_rows};

/// The widest that makes sense.
const WIDEST: usize = 4096;

/// Adapters (Houlsby and others, "Parameter-Efficient Transfer Learning for NLP", 2019): after each attention and each
/// feed-forward block `h + W₂ · GELU(W₁ · h + b₁) + b₂`, of which W₂ begins at zero. They stand after the block's layer norm, so
/// that blocks stay whole. They cannot be merged, so that only our own exports have them; transformers refuses such a model.
///
/// ```toml
/// [hyperparameters]
/// learning_rate = 1e-3
/// adapter = { kind = "bottleneck", size = 32 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bottleneck {
    /// The width between the two products.
    pub size: usize,
}

impl Default for Bottleneck {
    fn default() -> Self {
        Self { size: 32 }
    }
}

impl Bottleneck {
    pub(super) fn fault(&self) -> Option<&'static str> {
        (!(1..=WIDEST).contains(&self.size)).then_some("size must be 1 to 4096")
    }

    pub(super) fn build(&self, host: &mut Host<'_>) -> BottleneckAdapter {
        let mut narrow = |name: String, depth: usize| {
            let (size, hidden) = (self.size, host.hidden);
            let values = normal(size * hidden, 1.0 / (hidden as f64).sqrt(), host.random);
            let parameter = |part: &str, shape: &[usize], role: Role, value: Vec<f32>| {
                Parameter::new(format!("{name}.{part}"), shape, role, depth, value)
            };
            Arc::new(Narrow {
                down: parameter("down.weight", &[size, hidden], Role::Weight, values),
                down_bias: parameter("down.bias", &[size], Role::Offset, vec![0.0; size]),
                up: parameter("up.weight", &[hidden, size], Role::Weight, vec![0.0; hidden * size]),
                up_bias: parameter("up.bias", &[hidden], Role::Offset, vec![0.0; hidden]),
            })
        };
        let of_layer = |layer: usize| {
            let name = format!("encoder.layer.{layer}");
            [narrow(format!("{name}.attention.adapter"), layer + 1), narrow(format!("{name}.adapter"), layer + 1)]
        };
        BottleneckAdapter { layers: (0..host.layers.len()).map(of_layer).collect(), pool: Pool::default() }
    }
}

/// The adapters of all layers: after attention, after feed-forward.
#[derive(Debug)]
pub(super) struct BottleneckAdapter {
    layers: Vec<[Arc<Narrow>; 2]>,
    pool: Pool,
}

impl Adapter for BottleneckAdapter {
    fn parameters(&self) -> Vec<&Parameter> {
        self.layers.iter().flatten().flat_map(|narrow| narrow.parameters()).collect()
    }

    fn follow(&self, layer: usize, block: Followed, states: Tensor, mode: Mode) -> Result<Tensor> {
        let [attention, feed_forward] = &self.layers[layer];
        let parameters = match block {
            Followed::Attention => attention.clone(),
            Followed::FeedForward => feed_forward.clone(),
        };
        mode.apply(&states, BottleneckBlock { parameters, pool: self.pool.clone(), kept: Kept::empty() })
    }
}

/// One adapter's parameters.
#[derive(Debug)]
struct Narrow {
    /// `[size, hidden]`.
    down: Parameter,
    /// `[size]`.
    down_bias: Parameter,
    /// `[hidden, size]`.
    up: Parameter,
    /// `[hidden]`.
    up_bias: Parameter,
}

impl Narrow {
    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.down, &self.down_bias, &self.up, &self.up_bias]
    }
}

/// One application of an adapter.
#[derive(Debug)]
struct BottleneckBlock {
    parameters: Arc<Narrow>,
    pool: Pool,
    kept: Kept<Activations>,
}

/// What the backward pass needs.
#[derive(Debug)]
struct Activations {
    /// GELU's output: `[tokens, size]`.
    active: Buffer,
    /// GELU's derivative: `[tokens, size]`.
    slope: Buffer,
}

impl Block for BottleneckBlock {
    fn parameters(&self) -> Vec<&Parameter> {
        self.parameters.parameters()
    }
}

impl CustomOp1 for BottleneckBlock {
    fn name(&self) -> &'static str {
        "bottleneck adapter"
    }

    fn cpu_fwd(&self, input: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = values(input, layout)?;
        let Narrow { down, down_bias, up, up_bias } = &*self.parameters;
        let (hidden, size) = (up.shape()[0], up.shape()[1]);
        let tokens = input.len() / hidden;
        let mut kept = Activations { active: self.pool.take(tokens * size), slope: self.pool.take(tokens * size) };
        let weight = down.value();
        let weight = Matrix::new(&weight, hidden).transposed();
        let mut target = MatrixMut::new(&mut kept.slope, size);
        multiply(&mut target, Target::Set, Matrix::new(input, hidden), weight, 1.0, Threads::All);
        let bias = down_bias.value();
        let work = kept.slope.par_chunks_mut(ROWS * size).zip(kept.active.par_chunks_mut(ROWS * size));
        work.for_each(|(slope, active)| gelu_rows(slope, active, &bias));

        let mut output = input.to_vec();
        let weight = up.value();
        let weight = Matrix::new(&weight, size).transposed();
        let mut target = MatrixMut::new(&mut output, hidden);
        multiply(&mut target, Target::Add, Matrix::new(&kept.active, size), weight, 1.0, Threads::All);
        add_to_rows(&mut output, &up_bias.value());
        self.kept.put(kept);
        Ok((CpuStorage::F32(output), Shape::from((tokens, hidden))))
    }

    fn bwd(&self, input: &Tensor, _output: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let kept = self.kept.take(self.name())?;
        let Narrow { down, down_bias, up, up_bias } = &*self.parameters;
        let (hidden, size) = (up.shape()[0], up.shape()[1]);
        let mut inner = self.pool.take(kept.active.len());
        let mut input_gradient = vec![0.0; input.elem_count()];
        with_values(gradient, |gradient| {
            add(&mut input_gradient, gradient);
            add_row_sums(gradient, up_bias);
            let gradient = Matrix::new(gradient, hidden);
            up.add_product(gradient.transposed(), Matrix::new(&kept.active, size));
            let weight = up.value();
            let mut target = MatrixMut::new(&mut inner, size);
            multiply(&mut target, Target::Set, gradient, Matrix::new(&weight, size), 1.0, Threads::All);
        })?;
        let work = inner.par_chunks_mut(ROWS * size).zip(kept.slope.par_chunks(ROWS * size));
        let partial: Vec<Vec<f32>> = work
            .map(|(gradient, slope)| {
                let mut sums = vec![0.0; size];
                gelu_rows_backward(gradient, slope, &mut sums);
                sums
            })
            .collect();
        add_partial(&partial, [down_bias]);
        let inner = Matrix::new(&inner, size);
        with_values(input, |input| down.add_product(inner.transposed(), Matrix::new(input, hidden)))?;
        let mut target = MatrixMut::new(&mut input_gradient, hidden);
        multiply(&mut target, Target::Add, inner, Matrix::new(&down.value(), hidden), 1.0, Threads::All);
        tensor(input_gradient, input.dims()).map(Some)
    }
}
