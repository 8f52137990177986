//! Layer norm, and the end that attention and feed-forward blocks share: bias, dropout, residual sum, layer norm.

use rayon::prelude::*;

use super::buffer::Buffer;
use super::parameter::Parameter;
use super::vector::{add, dot, sum, vectorised};
use crate::random::Dropout;

/// Rows that one task works on; fixed, so that sums over rows do not depend on the number of threads.
pub(super) const ROWS: usize = 32;

/// The end of a block: `layer_norm(input + dropout(branch + bias))`.
#[derive(Debug)]
pub(super) struct Residual {
    /// Added to the branch.
    pub(super) bias: Parameter,
    /// The layer norm.
    pub(super) norm: Norm,
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
    pub(super) fn parameters(&self) -> [&Parameter; 3] {
        [&self.bias, &self.norm.scale, &self.norm.shift]
    }

    /// Writes the block's output. `kept.unit` comes in as the branch's product and goes out normalised.
    pub(super) fn forward(&self, input: &[f32], kept: &mut Normalised, dropout: Dropout, output: &mut [f32]) {
        let (bias, scale, shift) = (self.bias.value(), self.norm.scale.value(), self.norm.shift.value());
        let width = bias.len();
        let size = ROWS * width;
        let tasks = kept.unit.par_chunks_mut(size).zip(kept.inverse.par_chunks_mut(ROWS));
        let tasks = tasks.zip(output.par_chunks_mut(size)).zip(input.par_chunks(size)).enumerate();
        tasks.for_each(|(task, (((unit, inverse), output), input))| {
            vectorised(|| {
                for (row, inverse) in inverse.iter_mut().enumerate() {
                    let at = row * width..(row + 1) * width;
                    let (unit, input) = (&mut unit[at.clone()], &input[at.clone()]);
                    let first = (task * size + row * width) as u32;
                    for column in 0..width {
                        let branch = (unit[column] + bias[column]) * dropout.factor(first + column as u32);
                        unit[column] = input[column] + branch;
                    }
                    *inverse = normalise(unit, self.norm.epsilon);
                    scale_and_shift(unit, &scale, &shift, &mut output[at]);
                }
            });
        });
    }

    /// Turns the output's gradient into the input's (the residual path only) and the branch product's, and adds up those of
    /// the parameters.
    pub(super) fn backward(
        &self,
        gradient: &[f32],
        kept: &Normalised,
        dropout: Dropout,
        input: &mut [f32],
        branch: &mut [f32],
    ) {
        let scale = self.norm.scale.value();
        let width = scale.len();
        let size = ROWS * width;
        let tasks = gradient.par_chunks(size).zip(kept.unit.par_chunks(size)).zip(kept.inverse.par_chunks(ROWS));
        let tasks = tasks.zip(input.par_chunks_mut(size)).zip(branch.par_chunks_mut(size)).enumerate();
        let partial: Vec<Vec<f32>> = tasks
            .map(|(task, ((((gradient, unit), inverse), input), branch))| {
                let mut sums = vec![0.0; 3 * width];
                let (scale_sum, rest) = sums.split_at_mut(width);
                let (shift_sum, bias_sum) = rest.split_at_mut(width);
                vectorised(|| {
                    for (row, inverse) in inverse.iter().enumerate() {
                        let at = row * width..(row + 1) * width;
                        let (gradient, unit) = (&gradient[at.clone()], &unit[at.clone()]);
                        let (input, branch) = (&mut input[at.clone()], &mut branch[at]);
                        normalise_backward(gradient, unit, *inverse, &scale, input);
                        add_norm_gradients(gradient, unit, scale_sum, shift_sum);
                        let first = (task * size + row * width) as u32;
                        for column in 0..width {
                            branch[column] = input[column] * dropout.factor(first + column as u32);
                        }
                        add(bias_sum, branch);
                    }
                });
                sums
            })
            .collect();
        add_partial(&partial, [&self.norm.scale, &self.norm.shift, &self.bias]);
    }
}

impl Norm {
    /// `layer_norm(unit)`, then dropout. `kept.unit` comes in raw and goes out normalised.
    pub(super) fn forward(&self, kept: &mut Normalised, dropout: Dropout, output: &mut [f32]) {
        let (scale, shift) = (self.scale.value(), self.shift.value());
        let width = scale.len();
        let size = ROWS * width;
        let tasks = kept.unit.par_chunks_mut(size).zip(kept.inverse.par_chunks_mut(ROWS));
        tasks.zip(output.par_chunks_mut(size)).enumerate().for_each(|(task, ((unit, inverse), output))| {
            vectorised(|| {
                for (row, inverse) in inverse.iter_mut().enumerate() {
                    let at = row * width..(row + 1) * width;
                    let (unit, output) = (&mut unit[at.clone()], &mut output[at]);
                    *inverse = normalise(unit, self.epsilon);
                    scale_and_shift(unit, &scale, &shift, output);
                    let first = (task * size + row * width) as u32;
                    for (column, value) in output.iter_mut().enumerate() {
                        *value *= dropout.factor(first + column as u32);
                    }
                }
            });
        });
    }

    /// Turns the output's gradient into the input's, and adds up those of the parameters.
    pub(super) fn backward(&self, gradient: &[f32], kept: &Normalised, dropout: Dropout, input: &mut [f32]) {
        let scale = self.scale.value();
        let width = scale.len();
        let size = ROWS * width;
        let tasks = gradient.par_chunks(size).zip(kept.unit.par_chunks(size)).zip(kept.inverse.par_chunks(ROWS));
        let partial: Vec<Vec<f32>> = tasks
            .zip(input.par_chunks_mut(size))
            .enumerate()
            .map(|(task, (((gradient, unit), inverse), input))| {
                let mut sums = vec![0.0; 2 * width];
                let mut dropped = vec![0.0; width];
                let (scale_sum, shift_sum) = sums.split_at_mut(width);
                vectorised(|| {
                    for (row, inverse) in inverse.iter().enumerate() {
                        let at = row * width..(row + 1) * width;
                        let (gradient, unit) = (&gradient[at.clone()], &unit[at.clone()]);
                        let first = (task * size + row * width) as u32;
                        for column in 0..width {
                            dropped[column] = gradient[column] * dropout.factor(first + column as u32);
                        }
                        normalise_backward(&dropped, unit, *inverse, &scale, &mut input[at]);
                        add_norm_gradients(&dropped, unit, scale_sum, shift_sum);
                    }
                });
                sums
            })
            .collect();
        add_partial(&partial, [&self.scale, &self.shift]);
    }
}

/// Adds each row of `values` to a bias' gradient.
pub(super) fn add_rows(values: &[f32], bias: &Parameter) {
    let width = bias.len();
    let partial: Vec<Vec<f32>> = values
        .par_chunks(ROWS * width)
        .map(|rows| {
            let mut sums = vec![0.0; width];
            vectorised(|| rows.chunks_exact(width).for_each(|row| add(&mut sums, row)));
            sums
        })
        .collect();
    add_partial(&partial, [bias]);
}

/// Adds up tasks' sums, which hold one stretch for each of the parameters.
pub(super) fn add_partial<const N: usize>(partial: &[Vec<f32>], parameters: [&Parameter; N]) {
    for (index, parameter) in parameters.into_iter().enumerate() {
        let width = parameter.len();
        let mut gradient = parameter.gradient();
        for sums in partial {
            add(&mut gradient.values, &sums[index * width..(index + 1) * width]);
        }
    }
}

#[inline(always)]
fn normalise(row: &mut [f32], epsilon: f32) -> f32 {
    let count = row.len() as f32;
    let mean = sum(row) / count;
    for value in row.iter_mut() {
        *value -= mean;
    }
    let inverse = 1.0 / (dot(row, row) / count + epsilon).sqrt();
    for value in row.iter_mut() {
        *value *= inverse;
    }
    inverse
}

#[inline(always)]
fn scale_and_shift(unit: &[f32], scale: &[f32], shift: &[f32], output: &mut [f32]) {
    for column in 0..unit.len() {
        output[column] = unit[column].mul_add(scale[column], shift[column]);
    }
}

#[inline(always)]
fn normalise_backward(gradient: &[f32], unit: &[f32], inverse: f32, scale: &[f32], input: &mut [f32]) {
    let count = gradient.len() as f32;
    for column in 0..gradient.len() {
        input[column] = gradient[column] * scale[column];
    }
    let mean = sum(input) / count;
    let along = dot(input, unit) / count;
    for column in 0..gradient.len() {
        input[column] = inverse * (input[column] - mean - unit[column] * along);
    }
}

#[inline(always)]
fn add_norm_gradients(gradient: &[f32], unit: &[f32], scale: &mut [f32], shift: &mut [f32]) {
    for column in 0..gradient.len() {
        scale[column] = gradient[column].mul_add(unit[column], scale[column]);
        shift[column] += gradient[column];
    }
}
