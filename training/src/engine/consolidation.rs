//! Elastic weight consolidation: weights that an old task depends on are pulled back to where it left them.

use rayon::prelude::*;

use super::parameter::{Gradient, Parameter, Role};

/// Values that one task works on.
const STRETCH: usize = 1 << 14;

/// The penalty `λ/2 Σ F (θ - θ*)²`, where θ* are the weights that the old task left and F, the diagonal of its Fisher
/// information, is how much its answers depend on each (Kirkpatrick and others, "Overcoming Catastrophic Forgetting in Neural
/// Networks", 2017).
#[derive(Debug)]
pub struct Consolidation {
    strength: f64,
    /// One for each parameter; empty for one that does not learn.
    weights: Vec<Option<Consolidated>>,
    rows: usize,
}

/// One parameter's θ*, and the sum of its squared slopes.
#[derive(Debug)]
struct Consolidated {
    old: Vec<f32>,
    squares: Vec<f32>,
}

impl Consolidation {
    /// Takes the parameters' values for the old task's; λ is `strength`.
    pub fn new(parameters: &[&Parameter], strength: f64) -> Self {
        let consolidated = |parameter: &&Parameter| {
            let own = || Consolidated { old: parameter.value().clone(), squares: vec![0.0; parameter.len()] };
            parameter.learns().then(own)
        };
        Self { strength, weights: parameters.iter().map(consolidated).collect(), rows: 0 }
    }

    /// Counts the gradient of one row's log-likelihood, its label drawn from the model's own answer, and clears it.
    pub fn observe(&mut self, parameters: &[&Parameter]) {
        self.rows += 1;
        for (parameter, own) in parameters.iter().zip(&mut self.weights) {
            let Some(Consolidated { squares, .. }) = own else { continue };
            let Gradient { values, met_rows } = &mut *parameter.gradient();
            let width = stretch(parameter);
            let stretches = values.par_chunks_mut(width).zip(squares.par_chunks_mut(width)).enumerate();
            let met = met_rows.as_deref();
            stretches.filter(|(row, _)| met.is_none_or(|met| met[*row])).for_each(|(_, (slopes, squares))| {
                squares.iter_mut().zip(&*slopes).for_each(|(square, slope)| *square += slope * slope);
                slopes.fill(0.0);
            });
            met_rows.iter_mut().for_each(|met| met.fill(false));
        }
    }

    /// Adds the penalty's slopes, `λ F (θ - θ*)`, to the gradients, and returns the penalty.
    pub fn pull(&self, parameters: &[&Parameter]) -> f64 {
        let factor = (self.strength / self.rows.max(1) as f64) as f32;
        let mut penalty = 0.0;
        for (parameter, own) in parameters.iter().zip(&self.weights) {
            let Some(Consolidated { old, squares }) = own else { continue };
            let value = parameter.value();
            let Gradient { values, met_rows } = &mut *parameter.gradient();
            let width = stretch(parameter);
            let slopes = values.par_chunks_mut(width).zip(value.par_chunks(width));
            let anchors = old.par_chunks(width).zip(squares.par_chunks(width));
            let penalties: Vec<f32> = slopes.zip(anchors).map(|(here, there)| pull(factor, here, there)).collect();
            for (row, met) in met_rows.iter_mut().flatten().enumerate() {
                *met |= penalties[row] > 0.0;
            }
            penalty += penalties.into_iter().map(f64::from).sum::<f64>();
        }
        0.5 * penalty
    }
}

/// Adds slopes; returns twice the penalty.
fn pull(factor: f32, (slopes, values): (&mut [f32], &[f32]), (old, squares): (&[f32], &[f32])) -> f32 {
    let mut penalty = 0.0;
    for ((slope, value), (old, square)) in slopes.iter_mut().zip(values).zip(old.iter().zip(squares)) {
        let apart = value - old;
        let back = factor * square * apart;
        *slope += back;
        penalty += back * apart;
    }
    penalty
}

/// A table's stretches are its rows, of which a step meets some.
fn stretch(parameter: &Parameter) -> usize {
    if parameter.role() == Role::Table { parameter.shape()[1] } else { STRETCH }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn give(parameter: &Parameter, slopes: &[f32]) {
        parameter.gradient().values.copy_from_slice(slopes);
    }

    #[test]
    fn the_penalty_and_its_slopes_are_those_counted_by_hand() {
        let weight = Parameter::new("w", &[1, 3], Role::Weight, 0, vec![1.0, 2.0, 3.0]);
        let mut old = Consolidation::new(&[&weight], 10.0);
        for slopes in [[1.0, 0.0, 2.0], [3.0, 0.0, 0.0]] {
            give(&weight, &slopes);
            old.observe(&[&weight]);
            assert!(!weight.has_gradient());
        }
        assert_eq!(old.pull(&[&weight]), 0.0);
        // F is (1 + 9) / 2, 0 and 4 / 2.
        weight.value_mut().copy_from_slice(&[1.5, 7.0, 2.0]);
        give(&weight, &[0.25, 0.25, 0.25]);
        let penalty = old.pull(&[&weight]);
        assert!((penalty - 5.0 * (5.0 * 0.25 + 2.0 * 1.0)).abs() < 1e-5, "{penalty}");
        assert_eq!(weight.gradient().values, [25.25, 0.25, -19.75]);
    }

    #[test]
    fn rows_of_tables_are_met_when_they_are_pulled() {
        let table = Parameter::new("t", &[3, 1], Role::Table, 0, vec![1.0, 2.0, 3.0]);
        let mut old = Consolidation::new(&[&table], 1.0);
        give(&table, &[2.0, 2.0, 0.0]);
        table.gradient().met_rows = Some(vec![true, true, false]);
        old.observe(&[&table]);
        assert_eq!(table.gradient().met_rows.as_deref(), Some(&[false; 3][..]));
        table.value_mut()[1] = 2.5;
        old.pull(&[&table]);
        assert_eq!(table.gradient().met_rows.as_deref(), Some(&[false, true, false][..]));
        assert_eq!(table.gradient().values, [0.0, 2.0, 0.0]);
    }

    #[test]
    fn what_does_not_learn_is_not_pulled() {
        let weight = Parameter::new("w", &[1], Role::Offset, 0, vec![1.0]);
        weight.set_learning(false);
        let mut old = Consolidation::new(&[&weight], 1.0);
        old.observe(&[&weight]);
        weight.value_mut()[0] = 5.0;
        assert_eq!(old.pull(&[&weight]), 0.0);
        assert!(!weight.has_gradient());
    }
}
