//! Stochastic gradient descent with momentum, after Polyak (1964) or Nesterov (Sutskever and others, 2013). Decay is decoupled
//! here too (SGDW: Loshchilov and Hutter, 2019).

use super::motion::{Motion, Part, Update};
use crate::engine::vector::vectorised;

/// A parameter's velocity: the sum of its gradients, each step's by the momentum less than the next one's.
#[derive(Debug)]
pub(super) struct Velocity {
    velocity: Vec<f32>,
    momentum: f32,
    nesterov: bool,
}

/// A step's constants. The way is `ahead · velocity + now · gradient`.
#[derive(Clone, Copy)]
struct Step {
    by: Update,
    momentum: f32,
    ahead: f32,
    now: f32,
}

impl Velocity {
    pub(super) fn new(length: usize, momentum: f64, nesterov: bool) -> Self {
        Self { velocity: vec![0.0; length], momentum: momentum as f32, nesterov }
    }
}

impl Motion for Velocity {
    fn advance(&mut self, by: Update, part: Part<'_>) {
        let (ahead, now) = if self.nesterov { (self.momentum, 1.0) } else { (1.0, 0.0) };
        let step = Step { by, momentum: self.momentum, ahead, now };
        part.each_stretch([&mut self.velocity], |stretch| {
            update(step, stretch.value, stretch.gradient, stretch.state[0]);
        });
    }

    fn slices(&mut self) -> Vec<(&'static str, &mut [f32])> {
        vec![("velocity", &mut self.velocity)]
    }
}

vectorised! {
    fn update(step: Step, value: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
        let rate = step.by.rate as f32;
        for ((value, gradient), velocity) in value.iter_mut().zip(gradient).zip(velocity.iter_mut()) {
            let slope = gradient * step.by.clip;
            *velocity = velocity.mul_add(step.momentum, slope);
            *value = value.mul_add(step.by.keep, -rate * velocity.mul_add(step.ahead, step.now * slope));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::OptimizerKind;
    use super::super::tests::{assert_close, run, settings, weight};
    use crate::run::Hyperparameters;

    fn moved(nesterov: bool) -> f64 {
        let weight = weight(&[1, 2], &[1.0, 0.0]);
        let settings =
            Hyperparameters { optimizer: OptimizerKind::Sgd, momentum: 0.5, nesterov, weight_decay: 0.0, ..settings() };
        run(&weight, &settings, &[[1.0, 0.0], [2.0, 0.0]]);
        f64::from(1.0 - weight.value()[0]) / 0.01
    }

    #[test]
    fn momentum_is_that_counted_by_hand() {
        // Velocities 1 and 2.5; Nesterov's ways 0.5 + 1 and 1.25 + 2.
        assert!((moved(false) - 3.5).abs() < 1e-4, "{}", moved(false));
        assert!((moved(true) - 4.75).abs() < 1e-4, "{}", moved(true));
    }

    #[test]
    fn decay_is_decoupled() {
        let weight = weight(&[1, 2], &[1.0, -2.0]);
        run(&weight, &Hyperparameters { optimizer: OptimizerKind::Sgd, ..settings() }, &[[0.0, 0.0]]);
        assert_close(&weight, &[0.999, -1.998]);
    }
}
