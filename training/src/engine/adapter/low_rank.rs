//! A change of a frozen matrix by a product of two thin ones: what LoRA and AdaLoRA have in common.
//!
//! The matrix that blocks see is put together before each forward pass, `W + s · U · diag(g) · D`, so that every block stays as
//! it is and what is trained is already merged. Backward passes never make the matrix' own gradient: what a block would add to
//! it is a product itself, and is taken through the thin matrices from both sides.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::attention::Attention;
use crate::engine::feed_forward::FeedForward;
use crate::engine::matrix::{Matrix, MatrixMut, Target as Into, Threads, multiply};
use crate::engine::parameter::{Parameter, Role};
use crate::engine::vector::vectorised;

/// A matrix of every layer, as a run names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// What attention asks with.
    Query,
    /// What attention is answered by.
    Key,
    /// What attention gathers.
    Value,
    /// Attention's last product.
    AttentionOutput,
    /// The product that widens.
    Intermediate,
    /// The product that narrows.
    Output,
}

/// The change of some rows of a matrix.
#[derive(Debug)]
pub(in crate::engine) struct LowRank {
    /// The rows.
    rows: Range<usize>,
    /// What they are without the change.
    base: Vec<f32>,
    /// `[rank, inputs]`.
    pub(super) down: Parameter,
    /// `[outputs, rank]`.
    pub(super) up: Parameter,
    /// What each direction counts; 1 where there are none.
    pub(super) gains: Option<Gains>,
    scale: f32,
}

/// What each direction of a change counts.
#[derive(Debug)]
pub(super) struct Gains {
    /// `[rank]`.
    pub(super) values: Parameter,
    /// 1 for a direction that takes part, else 0: `[rank]`.
    pub(super) gates: Parameter,
}

/// What a change starts from.
pub(super) struct Start<'a> {
    /// The name of what is changed, which those of the parameters begin with.
    pub(super) name: &'a str,
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    pub(super) depth: usize,
}

impl Start<'_> {
    /// A parameter of the change.
    pub(super) fn parameter(&self, part: &str, shape: &[usize], role: Role, value: Vec<f32>) -> Parameter {
        Parameter::new(format!("{}.{part}", self.name), shape, role, self.depth, value)
    }
}

/// A change's own parameters.
pub(super) struct Thin {
    pub(super) down: Parameter,
    pub(super) up: Parameter,
    pub(super) gains: Option<Gains>,
}

/// Changes the targets of all layers, each by what `make` gives for it. `scale` is what the products are multiplied by.
pub(super) fn change(
    layers: &[(Arc<Attention>, Arc<FeedForward>)],
    targets: &[Target],
    scale: f32,
    mut make: impl FnMut(Start<'_>) -> Thin,
) -> Vec<Arc<LowRank>> {
    let mut all = Vec::new();
    for (attention, feed_forward) in layers {
        let weights = [&attention.inner, &attention.outer, &feed_forward.inner, &feed_forward.outer];
        for (place, weight) in weights.into_iter().enumerate() {
            let own = targets.iter().filter(|target| target.weight() == place);
            let changes: Vec<_> = own.map(|target| Arc::new(LowRank::of(weight, *target, scale, &mut make))).collect();
            all.extend(changes.iter().cloned());
            weight.change(changes);
        }
    }
    all
}

/// What is wrong with a rank, the weight of a change and its targets.
pub(super) fn fault(rank: usize, alpha: f64, targets: &[Target]) -> Option<&'static str> {
    if rank == 0 {
        return Some("rank must be at least 1");
    }
    if !(alpha > 0.0 && alpha <= 1e4) {
        return Some("alpha must be above 0 and at most 10000");
    }
    let repeated = (1..targets.len()).any(|place| targets[..place].contains(&targets[place]));
    (targets.is_empty() || repeated).then_some("targets must name at least one matrix, and none twice")
}

impl Target {
    /// Every matrix of a layer.
    pub(super) const ALL: [Self; 6] =
        [Self::Query, Self::Key, Self::Value, Self::AttentionOutput, Self::Intermediate, Self::Output];

    /// Which of a layer's four parameters it is in.
    fn weight(self) -> usize {
        match self {
            Self::Query | Self::Key | Self::Value => 0,
            Self::AttentionOutput => 1,
            Self::Intermediate => 2,
            Self::Output => 3,
        }
    }

    /// Its third of a stacked parameter, and the third's name.
    fn part(self) -> Option<(usize, &'static str)> {
        match self {
            Self::Query => Some((0, "query")),
            Self::Key => Some((1, "key")),
            Self::Value => Some((2, "value")),
            Self::AttentionOutput | Self::Intermediate | Self::Output => None,
        }
    }
}

impl LowRank {
    fn of(weight: &Parameter, target: Target, scale: f32, make: &mut impl FnMut(Start<'_>) -> Thin) -> Self {
        let (all, inputs) = (weight.shape()[0], weight.shape()[1]);
        let plain = weight.name().trim_end_matches(".weight");
        let (rows, name) = match target.part() {
            Some((third, part)) => (third * all / 3..(third + 1) * all / 3, plain.replace('*', part)),
            None => (0..all, plain.to_owned()),
        };
        let base = weight.value()[rows.start * inputs..rows.end * inputs].to_vec();
        let start = Start { name: &name, outputs: rows.len(), inputs, depth: weight.depth() };
        let Thin { down, up, gains } = make(start);
        Self { rows, base, down, up, gains, scale }
    }

    /// Every parameter of its own, in an order that is always the same.
    pub(super) fn parameters(&self) -> Vec<&Parameter> {
        let gains = self.gains.iter().flat_map(|gains| [&gains.values, &gains.gates]);
        [&self.down, &self.up].into_iter().chain(gains).collect()
    }

    pub(in crate::engine) fn learns(&self) -> bool {
        self.up.learns()
    }

    fn rank(&self) -> usize {
        self.down.shape()[0]
    }

    /// What each direction counts now.
    pub(super) fn counts(&self) -> Vec<f32> {
        match &self.gains {
            Some(Gains { values, gates }) => {
                values.value().iter().zip(&*gates.value()).map(|(value, gate)| value * gate).collect()
            }
            None => vec![1.0; self.rank()],
        }
    }

    /// Writes its rows of the whole matrix.
    pub(in crate::engine) fn compose(&self, whole: &mut [f32]) {
        let (inputs, rank) = (self.down.shape()[1], self.rank());
        let rows = &mut whole[self.rows.start * inputs..self.rows.end * inputs];
        rows.copy_from_slice(&self.base);
        let mut up = self.up.value().clone();
        if self.gains.is_some() {
            scale_columns(&mut up, &self.counts());
        }
        let (up, down) = (Matrix::new(&up, rank), self.down.value());
        multiply(
            &mut MatrixMut::new(rows, inputs),
            Into::Add,
            up,
            Matrix::new(&down, inputs),
            self.scale,
            Threads::All,
        );
    }

    /// Adds up the gradients that follow from `left · right` being the whole matrix' gradient.
    pub(in crate::engine) fn add_product(&self, left: Matrix<'_>, right: Matrix<'_>) {
        if !self.learns() {
            return;
        }
        let (left, rank, tokens) = (left.rows(self.rows.clone()), self.rank(), left.columns());
        let (up, down) = (self.up.value(), self.down.value());
        let mut above = vec![0.0; tokens * rank];
        let mut target = MatrixMut::new(&mut above, rank);
        multiply(&mut target, Into::Set, left.transposed(), Matrix::new(&up, rank), self.scale, Threads::All);
        let mut below = vec![0.0; tokens * rank];
        let across = Matrix::new(&down, right.columns()).transposed();
        multiply(&mut MatrixMut::new(&mut below, rank), Into::Set, right, across, 1.0, Threads::All);
        drop((up, down));
        let counts = self.counts();
        if let Some(Gains { values, gates }) = &self.gains {
            let (mut products, gates) = (vec![0.0; rank], gates.value());
            add_products(&mut products, &above, &below);
            let slopes = products.iter().zip(&*gates).map(|(product, gate)| product * gate);
            values.gradient().values.iter_mut().zip(slopes).for_each(|(gradient, slope)| *gradient += slope);
            scale_columns(&mut above, &counts);
        }
        scale_columns(&mut below, &counts.iter().map(|count| count * self.scale).collect::<Vec<f32>>());
        self.down.add_product(Matrix::new(&above, rank).transposed(), right);
        self.up.add_product(left, Matrix::new(&below, rank));
    }
}

vectorised! {
    fn scale_columns(rows: &mut [f32], factors: &[f32]) {
        for row in rows.chunks_exact_mut(factors.len()) {
            for (value, factor) in row.iter_mut().zip(factors) {
                *value *= factor;
            }
        }
    }
}

vectorised! {
    /// Adds the products of each column's values to `sums`.
    fn add_products(sums: &mut [f32], left: &[f32], right: &[f32]) {
        let width = sums.len();
        for (left, right) in left.chunks_exact(width).zip(right.chunks_exact(width)) {
            for column in 0..width {
                sums[column] = left[column].mul_add(right[column], sums[column]);
            }
        }
    }
}
