//! How much the loss would miss a value.

use crate::engine::parameter::{Parameter, Role};

/// What the running means keep from step to step, β₁ and β₂.
const KEPT: f32 = 0.85;

/// A parameter's sensitivity `|value · gradient|`, smoothed over batches, and how far it strays from that.
#[derive(Debug)]
pub(super) struct Importance {
    mean: Parameter,
    spread: Parameter,
}

impl Importance {
    /// That of a parameter which no batch has met.
    pub(super) fn of(parameter: &Parameter) -> Self {
        let record = |part: &str| {
            let name = format!("{}.{part}", parameter.name());
            Parameter::new(name, parameter.shape(), Role::Record, parameter.depth(), vec![0.0; parameter.len()])
        };
        Self { mean: record("sensitivity"), spread: record("uncertainty") }
    }

    pub(super) fn parameters(&self) -> [&Parameter; 2] {
        [&self.mean, &self.spread]
    }

    /// Takes in a step's gradient.
    pub(super) fn meet(&self, parameter: &Parameter) {
        let (value, gradient) = (parameter.value(), parameter.gradient());
        let (mut mean, mut spread) = (self.mean.value_mut(), self.spread.value_mut());
        let running = mean.iter_mut().zip(spread.iter_mut());
        for ((value, gradient), (mean, spread)) in value.iter().zip(&gradient.values).zip(running) {
            let sensitivity = (value * gradient).abs();
            *mean = KEPT * *mean + (1.0 - KEPT) * sensitivity;
            *spread = KEPT * *spread + (1.0 - KEPT) * (sensitivity - *mean).abs();
        }
    }

    /// The mean of each of so many rows.
    pub(super) fn rows(&self, count: usize) -> Vec<f32> {
        let scores = self.scores();
        let width = scores.len() / count;
        scores.chunks_exact(width).map(|row| row.iter().sum::<f32>() / width as f32).collect()
    }

    /// The mean of each of `count` columns, which have `length` values.
    pub(super) fn columns(&self, count: usize, length: usize) -> Vec<f32> {
        let scores = self.scores();
        let column = |at: usize| scores.iter().skip(at).step_by(count).sum::<f32>() / length as f32;
        (0..count).map(column).collect()
    }

    fn scores(&self) -> Vec<f32> {
        self.mean.value().iter().zip(&*self.spread.value()).map(|(mean, spread)| mean * spread).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn importance_is_what_it_is_counted_by_hand() {
        let parameter = Parameter::new("p", &[2, 2], Role::Weight, 0, vec![1.0, -2.0, 0.0, 4.0]);
        let importance = Importance::of(&parameter);
        parameter.gradient().values.copy_from_slice(&[0.5, 0.5, 9.0, -0.25]);
        importance.meet(&parameter);
        // |w·g| is 0.5, 1, 0, 1; a first mean is 0.15 of it, a first spread 0.15 · 0.85 of it.
        let score = |sensitivity: f32| 0.15 * sensitivity * 0.15 * 0.85 * sensitivity;
        let close = |own: Vec<f32>, expected: [f32; 2]| {
            assert!(own.iter().zip(expected).all(|(own, expected)| (own - expected).abs() < 1e-6), "{own:?}");
        };
        close(importance.rows(2), [(score(0.5) + score(1.0)) / 2.0, score(1.0) / 2.0]);
        close(importance.columns(2, 2), [score(0.5) / 2.0, (score(1.0) + score(1.0)) / 2.0]);
        // A second step: the mean goes on from the first.
        parameter.gradient().values.fill(0.0);
        importance.meet(&parameter);
        let second = |sensitivity: f32| {
            let (mean, spread) = (0.15 * sensitivity, 0.15 * 0.85 * sensitivity);
            0.85 * mean * (0.85 * spread + 0.15 * 0.85 * mean)
        };
        close(importance.rows(2), [(second(0.5) + second(1.0)) / 2.0, second(1.0) / 2.0]);
    }
}
