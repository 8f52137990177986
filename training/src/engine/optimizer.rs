//! Moves the weights: what all optimisers share, and one file for each rule that they move by.
//!
//! The optimiser clips the gradient by its global norm, gives each layer its rate, decays weights, leaves out what is frozen
//! and those rows of tables that no batch has met, and keeps a running average of the weights. A rule turns one parameter's
//! gradient into its movement.

mod adafactor;
mod adamw;
mod motion;
mod sgd;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::parameter::{Gradient, Parameter, Role};
use super::vector::{square_sum, vectorised};
use crate::run::Hyperparameters;
use motion::{Motion, Part, Update};

/// Values that one task works on.
const STRETCH: usize = 1 << 14;

/// The rule that weights move by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam with decoupled decay; two moments a weight.
    #[default]
    AdamW,
    /// Stochastic gradient descent with momentum; one moment a weight. Its rates are some hundred times AdamW's.
    Sgd,
    /// Adafactor: for a matrix, two vectors in place of moments.
    Adafactor,
}

/// The optimiser and its state.
#[derive(Debug)]
pub struct Optimizer {
    weight_decay: f64,
    layer_decay: f64,
    largest_norm: f64,
    average_decay: f64,
    steps: u64,
    /// None for a frozen parameter.
    states: Vec<Option<State>>,
}

/// What is kept for one parameter.
#[derive(Debug)]
struct State {
    motion: Box<dyn Motion>,
    /// The running average; empty without one.
    average: Vec<f32>,
    /// For a table: 1 for each row that has ever had a gradient, else 0. A number, so that all state is alike.
    met: Vec<f32>,
}

/// All that an optimiser carries from step to step: what a checkpoint holds, and writes back to go on as if never stopped.
#[derive(Debug)]
pub struct OptimizerState<'a> {
    /// Steps taken.
    pub steps: &'a mut u64,
    /// Named by parameter and part: `encoder.layer.0.output.dense.weight.first_moment`.
    pub slices: Vec<(String, &'a mut [f32])>,
}

impl Optimizer {
    /// An optimiser for these parameters, which must be the same in every later call. Those that do not learn now are left out.
    pub fn new(parameters: &[&Parameter], settings: &Hyperparameters) -> Self {
        let averaged = settings.weight_average > 0.0;
        let state = |parameter: &&Parameter| {
            parameter.learns().then(|| State {
                motion: motion(parameter, settings),
                average: if averaged { parameter.value().clone() } else { Vec::new() },
                met: if parameter.role() == Role::Table { vec![0.0; parameter.shape()[0]] } else { Vec::new() },
            })
        };
        Self {
            weight_decay: settings.weight_decay,
            layer_decay: settings.layer_decay,
            largest_norm: settings.gradient_norm,
            average_decay: settings.weight_average,
            steps: 0,
            states: parameters.iter().map(state).collect(),
        }
    }

    /// Takes one step and sets the gradients to zero. Returns their global norm before clipping; where that is not a number,
    /// nothing is changed.
    pub fn step(&mut self, parameters: &[&Parameter], rate: f64) -> f64 {
        let norm = global_norm(parameters);
        if !norm.is_finite() {
            return norm;
        }
        self.steps += 1;
        let clip = (self.largest_norm / (norm + 1e-6)).min(1.0) as f32;
        let depth = parameters.iter().map(|parameter| parameter.depth()).max().unwrap_or(0);
        // The average follows closely at first, when the weights still move far.
        let average = self.average_decay.min((1 + self.steps) as f64 / (10 + self.steps) as f64) as f32;
        for (parameter, state) in parameters.iter().zip(&mut self.states) {
            let Some(state) = state else { continue };
            let rate = rate * self.layer_decay.powi((depth - parameter.depth()) as i32);
            let decay = if parameter.role() == Role::Offset { 0.0 } else { self.weight_decay };
            state.advance(parameter, Update { clip, keep: (1.0 - rate * decay) as f32, rate, step: self.steps });
            state.follow(parameter, average);
        }
        norm
    }

    /// Exchanges the weights and their running average; again to go back. Without an average nothing happens.
    pub fn exchange_average(&mut self, parameters: &[&Parameter]) {
        for (parameter, state) in parameters.iter().zip(&mut self.states) {
            if let Some(State { average, .. }) = state
                && !average.is_empty()
            {
                std::mem::swap(&mut *parameter.value_mut(), average);
            }
        }
    }

    /// The state by name, to be read or written.
    pub fn state(&mut self, parameters: &[&Parameter]) -> OptimizerState<'_> {
        let mut slices = Vec::new();
        for (parameter, state) in parameters.iter().zip(&mut self.states) {
            let Some(State { motion, average, met }) = state else { continue };
            let mut parts = motion.slices();
            parts.extend([("average", average.as_mut_slice()), ("met_rows", met.as_mut_slice())]);
            parts.retain(|(_, values)| !values.is_empty());
            slices.extend(parts.into_iter().map(|(part, values)| (format!("{}.{part}", parameter.name()), values)));
        }
        OptimizerState { steps: &mut self.steps, slices }
    }
}

impl State {
    /// Moves the parameter and clears its gradient.
    fn advance(&mut self, parameter: &Parameter, by: Update) {
        let (mut value, mut gradient) = (parameter.value_mut(), parameter.gradient());
        let Gradient { values, met_rows } = &mut *gradient;
        if let Some(rows) = met_rows {
            for (ever, now) in self.met.iter_mut().zip(rows) {
                if std::mem::take(now) {
                    *ever = 1.0;
                }
            }
        }
        let met = (!self.met.is_empty()).then_some(self.met.as_slice());
        self.motion.advance(by, Part { shape: parameter.shape(), value: &mut value, gradient: values, met });
    }

    /// Moves the running average towards the values.
    fn follow(&mut self, parameter: &Parameter, decay: f32) {
        let value = parameter.value();
        let width = stretch(parameter);
        let stretches = value.par_chunks(width).zip(self.average.par_chunks_mut(width)).enumerate();
        stretches
            .filter(|(row, _)| self.met.get(*row).is_none_or(|met| *met > 0.0))
            .for_each(|(_, (value, average))| follow(decay, value, average));
    }
}

vectorised! {
    fn follow(decay: f32, value: &[f32], average: &mut [f32]) {
        for (average, value) in average.iter_mut().zip(value) {
            *average = (*average - value).mul_add(decay, *value);
        }
    }
}

fn motion(parameter: &Parameter, settings: &Hyperparameters) -> Box<dyn Motion> {
    match settings.optimizer {
        OptimizerKind::AdamW => Box::new(adamw::Moments::new(parameter.len())),
        OptimizerKind::Sgd => Box::new(sgd::Velocity::new(parameter.len(), settings.momentum, settings.nesterov)),
        OptimizerKind::Adafactor => adafactor::start(parameter.shape()),
    }
}

/// The norm of all gradients together. Of tables, rows that this step has met count, the others being zero.
fn global_norm(parameters: &[&Parameter]) -> f64 {
    let squares = parameters.iter().filter(|parameter| parameter.learns()).map(|parameter| {
        let gradient = parameter.gradient();
        let met = gradient.met_rows.as_deref();
        let stretches = gradient.values.par_chunks(stretch(parameter)).enumerate();
        let sums: Vec<f64> = stretches
            .map(|(row, values)| match met.is_none_or(|met| met[row]) {
                true => f64::from(square_sum(values)),
                false => 0.0,
            })
            .collect();
        sums.iter().sum::<f64>()
    });
    squares.sum::<f64>().sqrt()
}

/// A table's stretches are its rows, of which some are left out.
fn stretch(parameter: &Parameter) -> usize {
    if parameter.role() == Role::Table { parameter.shape()[1] } else { STRETCH }
}

#[cfg(test)]
mod tests;
