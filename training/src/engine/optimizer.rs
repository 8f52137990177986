//! AdamW with decoupled weight decay, gradient clipping by global norm, and a running average of the weights.

use rayon::prelude::*;

use super::parameter::{Parameter, Role};
use super::vector::{square_sum, vectorised};

/// Values that one task updates.
const STRETCH: usize = 1 << 14;
const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.999;
const EPSILON: f32 = 1e-8;

/// The learning rate over the steps: up from zero over the warm-up, then down to zero, both in straight lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Steps of the warm-up.
    pub warmup: usize,
    /// All steps.
    pub total: usize,
}

impl Schedule {
    /// What the highest rate is multiplied by at a step, counted from 0.
    pub fn factor(&self, step: usize) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let rest = (self.total - self.warmup.min(self.total)).max(1);
        self.total.saturating_sub(step) as f64 / rest as f64
    }
}

/// The optimiser and its state.
#[derive(Debug)]
pub struct AdamW {
    weight_decay: f64,
    layer_decay: f64,
    largest_norm: f64,
    average_decay: f64,
    steps: i32,
    states: Vec<State>,
}

#[derive(Debug)]
struct State {
    first: Vec<f32>,
    second: Vec<f32>,
    average: Vec<f32>,
}

/// What an optimiser remembers from step to step, laid open to be kept in a checkpoint or brought back from one.
#[derive(Debug)]
pub struct OptimizerState<'a> {
    /// Steps taken.
    pub steps: &'a mut i32,
    /// All the rest, each stretch under a name of its own, in an order that is always the same.
    pub values: Vec<(String, &'a mut [f32])>,
}

/// A step's constants for one parameter.
#[derive(Clone, Copy)]
struct Update {
    clip: f32,
    keep: f32,
    rate: f32,
    second_correction: f32,
    average: f32,
}

impl AdamW {
    /// An optimiser for these parameters, which must be the same in every later call.
    pub fn new(parameters: &[&Parameter], settings: &crate::Hyperparameters) -> Self {
        let averaged = settings.weight_average > 0.0;
        let state = |parameter: &&Parameter| State {
            first: vec![0.0; parameter.len()],
            second: vec![0.0; parameter.len()],
            average: if averaged { parameter.value().clone() } else { Vec::new() },
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
        let (first, second) = (1.0 - FIRST_DECAY.powi(self.steps), 1.0 - SECOND_DECAY.powi(self.steps));
        // The average follows closely at first, when the weights still move far.
        let average = self.average_decay.min(f64::from(1 + self.steps) / f64::from(10 + self.steps));
        for (parameter, state) in parameters.iter().zip(&mut self.states) {
            let rate = rate * self.layer_decay.powi((depth - parameter.depth()) as i32);
            let decay = if parameter.role() == Role::Offset { 0.0 } else { self.weight_decay };
            let update = Update {
                clip,
                keep: (1.0 - rate * decay) as f32,
                rate: (rate / first) as f32,
                second_correction: (1.0 / second.sqrt()) as f32,
                average: average as f32,
            };
            update.apply(parameter, state);
        }
        norm
    }

    /// What a checkpoint must keep beside the parameters.
    pub fn state(&mut self) -> OptimizerState<'_> {
        let stretches = self.states.iter_mut().enumerate().flat_map(|(index, State { first, second, average })| {
            [("first", first), ("second", second), ("average", average)]
                .map(|(name, values)| (format!("{name}.{index}"), values.as_mut_slice()))
        });
        OptimizerState { steps: &mut self.steps, values: stretches.collect() }
    }

    /// Exchanges the weights and their running average; again to go back. Without an average nothing happens.
    pub fn exchange_average(&mut self, parameters: &[&Parameter]) {
        for (parameter, state) in parameters.iter().zip(&mut self.states) {
            if !state.average.is_empty() {
                std::mem::swap(&mut *parameter.value_mut(), &mut state.average);
            }
        }
    }
}

impl Update {
    fn apply(self, parameter: &Parameter, state: &mut State) {
        let width = stretch(parameter);
        let (mut value, mut gradient) = (parameter.value_mut(), parameter.gradient());
        let gradient = &mut *gradient;
        let met = gradient.met_rows.as_deref();
        let stretches = value.par_chunks_mut(width).zip(gradient.values.par_chunks_mut(width));
        let moments = state.first.par_chunks_mut(width).zip(state.second.par_chunks_mut(width));
        let work = stretches.zip(moments).enumerate().filter(|(row, _)| met.is_none_or(|met| met[*row]));
        work.for_each(|(_, ((value, gradient), (first, second)))| update(self, value, gradient, (first, second)));
        let averages = value.par_chunks(width).zip(state.average.par_chunks_mut(width)).enumerate();
        averages
            .filter(|(row, _)| met.is_none_or(|met| met[*row]))
            .for_each(|(_, (value, average))| follow(self.average, value, average));
    }
}

vectorised! {
    /// Moves a stretch of a parameter, and clears its gradient.
    fn update(by: Update, value: &mut [f32], gradient: &mut [f32], moments: (&mut [f32], &mut [f32])) {
        const FIRST: f32 = FIRST_DECAY as f32;
        const SECOND: f32 = SECOND_DECAY as f32;
        let moments = moments.0.iter_mut().zip(moments.1.iter_mut());
        for ((value, gradient), (first, second)) in value.iter_mut().zip(gradient.iter_mut()).zip(moments) {
            let slope = *gradient * by.clip;
            *gradient = 0.0;
            *first = (*first - slope).mul_add(FIRST, slope);
            *second = (*second - slope * slope).mul_add(SECOND, slope * slope);
            let scale = second.sqrt().mul_add(by.second_correction, EPSILON);
            *value = value.mul_add(by.keep, -by.rate * *first / scale);
        }
    }
}

vectorised! {
    /// Moves a running average towards the values.
    fn follow(decay: f32, value: &[f32], average: &mut [f32]) {
        for (average, value) in average.iter_mut().zip(value) {
            *average = (*average - value).mul_add(decay, *value);
        }
    }
}

/// The norm of all gradients together; met rows alone count in tables, the others being zero.
fn global_norm(parameters: &[&Parameter]) -> f64 {
    let squares = parameters.iter().map(|parameter| {
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

fn stretch(parameter: &Parameter) -> usize {
    if parameter.role() == Role::Table { parameter.shape()[1] } else { STRETCH }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hyperparameters;

    fn settings() -> Hyperparameters {
        Hyperparameters { weight_decay: 0.1, gradient_norm: 1e9, ..Hyperparameters::default() }
    }

    fn parameter(role: Role, value: &[f32]) -> Parameter {
        Parameter::new("p", &[value.len() / 2, 2], role, 0, value.to_vec())
    }

    #[test]
    fn steps_follow_the_paper() {
        let gradients = [[0.5f32, -2.0], [1.0, 0.25], [-0.125, 0.5]];
        let weight = parameter(Role::Weight, &[1.0, -1.0]);
        let mut optimizer = AdamW::new(&[&weight], &settings());
        let (mut expected, mut first, mut second) = ([1.0f64, -1.0], [0.0f64; 2], [0.0f64; 2]);
        for (step, gradient) in gradients.iter().enumerate() {
            weight.gradient().values.copy_from_slice(gradient);
            optimizer.step(&[&weight], 0.01);
            for at in 0..2 {
                let slope = f64::from(gradient[at]);
                first[at] = 0.9 * first[at] + 0.1 * slope;
                second[at] = 0.999 * second[at] + 0.001 * slope * slope;
                let power = step as i32 + 1;
                let (mean, square) =
                    (first[at] / (1.0 - 0.9f64.powi(power)), second[at] / (1.0 - 0.999f64.powi(power)));
                expected[at] -= 0.01 * 0.1 * expected[at] + 0.01 * mean / (square.sqrt() + 1e-8);
            }
            assert!(weight.gradient().values.iter().all(|value| *value == 0.0), "gradients must be cleared");
        }
        for (value, expected) in weight.value().iter().zip(expected) {
            assert!((f64::from(*value) - expected).abs() < 1e-6, "{value}, not {expected}");
        }
    }

    #[test]
    fn offsets_do_not_decay_and_rows_never_met_stay() {
        let (offset, weight) = (parameter(Role::Offset, &[1.0, 1.0]), parameter(Role::Weight, &[1.0, 1.0]));
        let table = parameter(Role::Table, &[1.0, 1.0, 1.0, 1.0]);
        table.gradient().values[2] = 1.0;
        table.gradient().met_rows.as_mut().unwrap()[1] = true;
        let all = [&offset, &weight, &table];
        AdamW::new(&all, &settings()).step(&all, 0.01);
        assert_eq!(*offset.value(), [1.0, 1.0]);
        assert!(weight.value().iter().all(|value| *value < 1.0));
        assert_eq!(table.value()[..2], [1.0, 1.0]);
        assert!(table.value()[2] < table.value()[3] && table.value()[3] < 1.0);
    }

    #[test]
    fn clipping_bounds_the_global_norm() {
        let (left, right) = (parameter(Role::Offset, &[0.0, 0.0]), parameter(Role::Offset, &[0.0, 0.0]));
        left.gradient().values.copy_from_slice(&[3.0, 0.0]);
        right.gradient().values.copy_from_slice(&[0.0, 4.0]);
        let settings = Hyperparameters { gradient_norm: 1.0, ..settings() };
        let mut optimizer = AdamW::new(&[&left, &right], &settings);
        assert!((optimizer.step(&[&left, &right], 0.1) - 5.0).abs() < 1e-9);
        assert!((optimizer.states[0].first[0] - 0.1 * 0.6).abs() < 1e-6);
        assert!((optimizer.states[1].first[1] - 0.1 * 0.8).abs() < 1e-6);
    }

    #[test]
    fn a_gradient_that_is_no_number_changes_nothing() {
        let weight = parameter(Role::Weight, &[1.0, 1.0]);
        weight.gradient().values[0] = f32::NAN;
        let norm = AdamW::new(&[&weight], &settings()).step(&[&weight], 0.1);
        assert!(norm.is_nan() && *weight.value() == [1.0, 1.0]);
    }

    #[test]
    fn lower_layers_move_less_with_layer_decay() {
        let low = Parameter::new("low", &[1, 1], Role::Offset, 0, vec![0.0]);
        let high = Parameter::new("high", &[1, 1], Role::Offset, 2, vec![0.0]);
        low.gradient().values[0] = 1.0;
        high.gradient().values[0] = 1.0;
        let settings = Hyperparameters { layer_decay: 0.5, ..settings() };
        AdamW::new(&[&low, &high], &settings).step(&[&low, &high], 0.1);
        assert!((low.value()[0] / high.value()[0] - 0.25).abs() < 1e-5);
    }

    #[test]
    fn the_average_lags_behind_and_can_be_exchanged() {
        let weight = parameter(Role::Offset, &[0.0, 0.0]);
        let settings = Hyperparameters { weight_average: 0.9, ..settings() };
        let mut optimizer = AdamW::new(&[&weight], &settings);
        for _ in 0..20 {
            weight.gradient().values.fill(1.0);
            optimizer.step(&[&weight], 0.1);
        }
        let last = weight.value()[0];
        optimizer.exchange_average(&[&weight]);
        let average = weight.value()[0];
        assert!(last < average && average < 0.0, "{last} {average}");
        optimizer.exchange_average(&[&weight]);
        assert_eq!(weight.value()[0], last);
    }

    #[test]
    fn the_rate_rises_and_falls_in_straight_lines() {
        let schedule = Schedule { warmup: 4, total: 12 };
        let factors: Vec<f64> = (0..12).map(|step| schedule.factor(step)).collect();
        assert_eq!(factors[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert_eq!(factors[8], 0.5);
        assert!(factors[11] > 0.0 && schedule.factor(12) == 0.0);
        assert_eq!(Schedule { warmup: 0, total: 2 }.factor(0), 1.0);
    }
}
