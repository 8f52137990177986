//! Layer norm, and the end that attention and feed-forward blocks share: bias, dropout, residual sum, layer norm.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::buffer::Buffer;
use super::parameter::Parameter;
use super::vector::{add, add_rows, add_to_rows, dot, run, sum};
use crate::random::Dropout;

/// Rows that one task works on; fixed, so that sums over rows do not depend on the number of threads.
pub(super) const ROWS: usize = 32;

/// The end of a block: `layer_norm(input + dropout(branch + bias))`, or `dropout(branch + bias)` where the layer norm stands
/// before the block and the sum is the caller's.
#[derive(Debug)]
pub(super) struct Residual {
    /// Added to the branch.
    pub(super) bias: Parameter,
    /// The layer norm.
    pub(super) norm: Option<Norm>,
}

/// A layer norm's parameters.
#[derive(Debug)]
pub(super) struct Norm {
    /// γ.
    pub(super) scale: Parameter,
    /// β.
    pub(super) shift: Parameter,
    /// Added to the variance.
    pub(super) epsilon: f32,
}

/// What a layer norm keeps for its backward pass.
#[derive(Debug)]
pub(super) struct Normalised {
    /// Rows with mean 0 and variance 1.
    pub(super) unit: Buffer,
    /// One over each row's standard deviation.
    pub(super) inverse: Buffer,
}

impl Residual {
    /// Its parameters, in an order that is always the same.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let norm = self.norm.iter().flat_map(|norm| [&norm.scale, &norm.shift]);
        std::iter::once(&self.bias).chain(norm)
    }

    /// Writes the block's output. `kept.unit` comes in as the branch's product and goes out normalised.
    pub(super) fn forward(&self, input: &[f32], kept: &mut Normalised, dropout: Dropout, output: &mut [f32]) {
        let bias = self.bias.value();
        let size = ROWS * bias.len();
        let Some(norm) = &self.norm else {
            let work = kept.unit.par_chunks(size).zip(output.par_chunks_mut(size)).enumerate();
            return work.for_each(|(task, (unit, output))| {
                output.copy_from_slice(unit);
                add_to_rows(output, &bias);
                run(Mask { dropout, first: task * size }.over(output));
            });
        };
        let (scale, shift) = (norm.scale.value(), norm.shift.value());
        let work = kept.unit.par_chunks_mut(size).zip(kept.inverse.par_chunks_mut(ROWS));
        let work = work.zip(output.par_chunks_mut(size)).zip(input.par_chunks(size)).enumerate();
        work.for_each(|(task, (((unit, inverse), output), input))| {
            let mask = Mask { dropout, first: task * size };
            run(Join { unit, input, bias: &bias, mask });
            run(Forward { unit, inverse, output, scale: &scale, shift: &shift, epsilon: norm.epsilon });
        });
    }

    /// Turns the output's gradient into the input's (the residual path only; nothing without a layer norm) and the branch product's, and adds up those of
    /// the parameters.
    pub(super) fn backward(
        &self,
        gradient: &[f32],
        kept: &Normalised,
        dropout: Dropout,
        input: &mut [f32],
        branch: &mut [f32],
    ) {
        let width = self.bias.len();
        let size = ROWS * width;
        let Some(norm) = &self.norm else {
            branch.copy_from_slice(gradient);
            drop_rows(branch, width, dropout);
            return add_row_sums(branch, &self.bias);
        };
        let scale = norm.scale.value();
        let work = gradient.par_chunks(size).zip(kept.unit.par_chunks(size)).zip(kept.inverse.par_chunks(ROWS));
        let work = work.zip(input.par_chunks_mut(size)).zip(branch.par_chunks_mut(size)).enumerate();
        let partial: Vec<Vec<f32>> = work
            .map(|(task, ((((gradient, unit), inverse), input), branch))| {
                let mut sums = vec![0.0; 3 * width];
                let (of_norm, bias) = sums.split_at_mut(2 * width);
                run(Backward { gradient, unit, inverse, scale: &scale, input, sums: of_norm });
                branch.copy_from_slice(input);
                run(Mask { dropout, first: task * size }.over(branch));
                add_rows(bias, branch);
                sums
            })
            .collect();
        add_partial(&partial, [&norm.scale, &norm.shift, &self.bias]);
    }
}

impl Norm {
    /// `dropout(layer_norm(unit))`. `kept.unit` comes in raw and goes out normalised.
    pub(super) fn forward(&self, kept: &mut Normalised, dropout: Dropout, output: &mut [f32]) {
        let (scale, shift) = (self.scale.value(), self.shift.value());
        let size = ROWS * scale.len();
        let work = kept.unit.par_chunks_mut(size).zip(kept.inverse.par_chunks_mut(ROWS));
        work.zip(output.par_chunks_mut(size)).enumerate().for_each(|(task, ((unit, inverse), output))| {
            run(Forward { unit, inverse, output, scale: &scale, shift: &shift, epsilon: self.epsilon });
            run(Mask { dropout, first: task * size }.over(output));
        });
    }

    /// Turns the output's gradient into the input's, and adds up those of the parameters.
    pub(super) fn backward(&self, gradient: &[f32], kept: &Normalised, dropout: Dropout, input: &mut [f32]) {
        let scale = self.scale.value();
        let width = scale.len();
        let size = ROWS * width;
        let work = gradient.par_chunks(size).zip(kept.unit.par_chunks(size)).zip(kept.inverse.par_chunks(ROWS));
        let partial: Vec<Vec<f32>> = work
            .zip(input.par_chunks_mut(size))
            .enumerate()
            .map(|(task, (((gradient, unit), inverse), input))| {
                let mut dropped = gradient.to_vec();
                run(Mask { dropout, first: task * size }.over(&mut dropped));
                let mut sums = vec![0.0; 2 * width];
                run(Backward { gradient: &dropped, unit, inverse, scale: &scale, input, sums: &mut sums });
                sums
            })
            .collect();
        add_partial(&partial, [&self.scale, &self.shift]);
    }
}

/// Applies a dropout mask to rows of this width.
pub(super) fn drop_rows(values: &mut [f32], width: usize, dropout: Dropout) {
    let size = ROWS * width;
    let work = values.par_chunks_mut(size).enumerate();
    work.for_each(|(task, rows)| run(Mask { dropout, first: task * size }.over(rows)));
}

/// Adds each row of `values` to a bias' gradient.
pub(super) fn add_row_sums(values: &[f32], bias: &Parameter) {
    let width = bias.len();
    let partial: Vec<Vec<f32>> = values
        .par_chunks(ROWS * width)
        .map(|rows| {
            let mut sums = vec![0.0; width];
            add_rows(&mut sums, rows);
            sums
        })
        .collect();
    add_partial(&partial, [bias]);
}

/// Adds up tasks' sums, which hold one stretch for each of the parameters, for those that learn.
pub(super) fn add_partial<const N: usize>(partial: &[Vec<f32>], parameters: [&Parameter; N]) {
    for (index, parameter) in parameters.into_iter().enumerate().filter(|(_, parameter)| parameter.learns()) {
        let width = parameter.len();
        let mut gradient = parameter.gradient();
        for sums in partial {
            add(&mut gradient.values, &sums[index * width..(index + 1) * width]);
        }
    }
}

/// A dropout mask, from a place on.
#[derive(Clone, Copy)]
struct Mask {
    dropout: Dropout,
    first: usize,
}

impl Mask {
    fn over(self, values: &mut [f32]) -> Masked<'_> {
        Masked { mask: self, values }
    }
}

/// Kernel: applies a mask.
struct Masked<'a> {
    mask: Mask,
    values: &'a mut [f32],
}

impl NullaryFnOnce for Masked<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Mask { dropout, first } = self.mask;
        if dropout.is_off() {
            return;
        }
        let first = first as u32;
        for place in 0..self.values.len() {
            self.values[place] *= dropout.factor(first + place as u32);
        }
    }
}

/// Kernel: `unit = input + mask(unit + bias)`.
struct Join<'a> {
    unit: &'a mut [f32],
    input: &'a [f32],
    bias: &'a [f32],
    mask: Mask,
}

impl NullaryFnOnce for Join<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.bias.len();
        let rows = self.unit.chunks_exact_mut(width).zip(self.input.chunks_exact(width));
        for (row, (unit, input)) in rows.enumerate() {
            let first = (self.mask.first + row * width) as u32;
            for column in 0..width {
                let factor = self.mask.dropout.factor(first + column as u32);
                unit[column] = (unit[column] + self.bias[column]).mul_add(factor, input[column]);
            }
        }
    }
}

/// Kernel: layer norm of each row; `unit` goes out normalised.
struct Forward<'a> {
    unit: &'a mut [f32],
    inverse: &'a mut [f32],
    output: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    epsilon: f32,
}

impl NullaryFnOnce for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.scale.len();
        let rows = self.unit.chunks_exact_mut(width).zip(self.output.chunks_exact_mut(width));
        for ((unit, output), inverse) in rows.zip(self.inverse) {
            let mean = sum(unit) / width as f32;
            for value in unit.iter_mut() {
                *value -= mean;
            }
            *inverse = 1.0 / (dot(unit, unit) / width as f32 + self.epsilon).sqrt();
            for column in 0..width {
                unit[column] *= *inverse;
                output[column] = unit[column].mul_add(self.scale[column], self.shift[column]);
            }
        }
    }
}

/// Kernel: layer norm's backward pass. `sums` are those of scale, then shift.
struct Backward<'a> {
    gradient: &'a [f32],
    unit: &'a [f32],
    inverse: &'a [f32],
    scale: &'a [f32],
    input: &'a mut [f32],
    sums: &'a mut [f32],
}

impl NullaryFnOnce for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.scale.len();
        let (scale_sum, shift_sum) = self.sums.split_at_mut(width);
        let rows = self.gradient.chunks_exact(width).zip(self.unit.chunks_exact(width));
        for ((gradient, unit), (input, inverse)) in rows.zip(self.input.chunks_exact_mut(width).zip(self.inverse)) {
            for column in 0..width {
                input[column] = gradient[column] * self.scale[column];
                scale_sum[column] = gradient[column].mul_add(unit[column], scale_sum[column]);
                shift_sum[column] += gradient[column];
            }
            let mean = sum(input) / width as f32;
            let along = dot(input, unit) / width as f32;
            for column in 0..width {
                input[column] = inverse * (input[column] - mean - unit[column] * along);
            }
        }
    }
}
