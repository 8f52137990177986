//! Adafactor (Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018): a matrix' mean squared
//! gradients are kept as one mean a row and one a column. Without momentum, and with absolute rates: `learning_rate` and its
//! schedule mean what they mean to the other optimisers. What is stored as one matrix is factored as one.

use rayon::prelude::*;

use super::STRETCH;
use super::motion::{Motion, Part, Update};
use crate::engine::vector::{add, vectorised};

/// Added to squared gradients.
const EPSILON: f32 = 1e-30;
/// The largest root mean square of a step, before the rate.
const LARGEST_STEP: f64 = 1.0;

/// The state of a parameter of this shape.
pub(super) fn start(shape: &[usize]) -> Box<dyn Motion> {
    match *shape {
        [rows, columns] => Box::new(Factored { rows: vec![0.0; rows], columns: vec![0.0; columns] }),
        _ => Box::new(Whole { squares: vec![0.0; shape.iter().product()] }),
    }
}

/// How much of the means so far a step keeps: nothing at first, so that they need no correction.
fn kept(step: u64) -> f32 {
    1.0 - (step as f32).powf(-0.8)
}

/// The rate for a step whose root mean square over `count` values is made at most [`LARGEST_STEP`].
fn bounded(rate: f64, squares: f64, count: usize) -> f32 {
    let size = (squares / count as f64).sqrt();
    (rate / (size / LARGEST_STEP).max(1.0)) as f32
}

/// A vector's mean squared gradients.
#[derive(Debug)]
struct Whole {
    squares: Vec<f32>,
}

impl Motion for Whole {
    fn advance(&mut self, by: Update, part: Part<'_>) {
        let kept = kept(by.step);
        let mut steps = 0.0;
        for (mean, gradient) in self.squares.iter_mut().zip(&*part.gradient) {
            let square = (gradient * by.clip) * (gradient * by.clip);
            *mean = kept * *mean + (1.0 - kept) * (square + EPSILON);
            steps += f64::from(square / *mean);
        }
        let rate = bounded(by.rate, steps, self.squares.len()) * by.clip;
        part.each_stretch([&mut self.squares], |stretch| {
            let gradient = stretch.gradient.iter().zip(stretch.state[0].iter());
            for (value, (gradient, mean)) in stretch.value.iter_mut().zip(gradient) {
                *value = *value * by.keep - rate * gradient / mean.sqrt();
            }
        });
    }

    fn slices(&mut self) -> Vec<(&'static str, &mut [f32])> {
        vec![("mean_squares", &mut self.squares)]
    }
}

/// A matrix' mean squared gradients, as `rows × columns / mean(rows)`. A table's rows that were never met count nowhere.
#[derive(Debug)]
struct Factored {
    rows: Vec<f32>,
    columns: Vec<f32>,
}

impl Motion for Factored {
    fn advance(&mut self, by: Update, part: Part<'_>) {
        let width = self.columns.len();
        let moving: Vec<usize> = (0..self.rows.len()).filter(|row| part.moves(*row)).collect();
        if moving.is_empty() {
            return;
        }
        let kept = kept(by.step);
        let row_of = |row: usize| &part.gradient[row * width..(row + 1) * width];

        let tasks = moving.par_chunks((STRETCH / width).max(1));
        let sums: Vec<(Vec<f32>, Vec<f32>)> = tasks
            .clone()
            .map(|rows| {
                let mut columns = vec![0.0; width];
                (rows.iter().map(|row| add_squares(row_of(*row), by.clip, &mut columns)).collect(), columns)
            })
            .collect();
        let mut columns = vec![0.0; width];
        sums.iter().for_each(|(_, sums)| add(&mut columns, sums));
        for (mean, sum) in self.columns.iter_mut().zip(columns) {
            *mean = kept * *mean + (1.0 - kept) * (sum / moving.len() as f32 + EPSILON);
        }
        for (row, sum) in moving.iter().zip(sums.iter().flat_map(|(rows, _)| rows)) {
            self.rows[*row] = kept * self.rows[*row] + (1.0 - kept) * (sum / width as f32 + EPSILON);
        }

        let mean = moving.iter().map(|row| f64::from(self.rows[*row])).sum::<f64>() / moving.len() as f64;
        let of_row = |row: usize| (mean / f64::from(self.rows[row])).sqrt() as f32;
        let of_column: Vec<f32> = self.columns.iter().map(|mean| 1.0 / mean.sqrt()).collect();
        let steps: Vec<f64> = tasks
            .map(|rows| {
                let of_one = |row: &usize| f64::from(scaled_squares(row_of(*row), by.clip * of_row(*row), &of_column));
                rows.iter().map(of_one).sum()
            })
            .collect();
        let rate = bounded(by.rate, steps.iter().sum(), moving.len() * width) * by.clip;
        part.each_stretch([], |stretch| {
            let rows = stretch.value.chunks_exact_mut(width).zip(stretch.gradient.chunks_exact(width));
            for (row, (value, gradient)) in rows.enumerate() {
                move_row(by.keep, rate * of_row(stretch.place / width + row), value, gradient, &of_column);
            }
        });
    }

    fn slices(&mut self) -> Vec<(&'static str, &mut [f32])> {
        vec![("row_squares", &mut self.rows), ("column_squares", &mut self.columns)]
    }
}

vectorised! {
    /// Adds a row's squares to the columns' sums; their sum.
    fn add_squares(gradient: &[f32], clip: f32, columns: &mut [f32]) -> f32 {
        let mut sum = 0.0;
        for (gradient, column) in gradient.iter().zip(columns.iter_mut()) {
            let square = (gradient * clip) * (gradient * clip);
            *column += square;
            sum += square;
        }
        sum
    }
}

vectorised! {
    /// The sum of a row's squared steps.
    fn scaled_squares(gradient: &[f32], of_row: f32, of_column: &[f32]) -> f32 {
        gradient.iter().zip(of_column).map(|(gradient, column)| (gradient * of_row * column).powi(2)).sum()
    }
}

vectorised! {
    fn move_row(keep: f32, rate: f32, value: &mut [f32], gradient: &[f32], of_column: &[f32]) {
        for ((value, gradient), column) in value.iter_mut().zip(gradient).zip(of_column) {
            *value = value.mul_add(keep, -rate * gradient * column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, run, settings, weight};
    use super::super::{Optimizer, OptimizerKind};
    use crate::engine::parameter::{Parameter, Role};
    use crate::run::Hyperparameters;

    fn adafactor() -> Hyperparameters {
        Hyperparameters { optimizer: OptimizerKind::Adafactor, ..settings() }
    }

    #[test]
    fn steps_follow_the_paper() {
        let gradients = [[0.5f32, -2.0, 0.25, 1.0, -1.0, 0.125], [1.0, 0.25, -3.0, 0.5, 4.0, 0.1]];
        let start = [1.0f32, -1.0, 0.5, 2.0, -0.5, 0.25];
        let weight = weight(&[3, 2], &start);
        run(&weight, &adafactor(), &gradients);

        let (mut rows, mut columns) = ([0.0f64; 3], [0.0f64; 2]);
        let mut expected = start.map(f64::from);
        for (step, gradient) in gradients.iter().enumerate() {
            let kept = 1.0 - ((step + 1) as f64).powf(-0.8);
            let square = |row: usize, column: usize| f64::from(gradient[row * 2 + column]).powi(2);
            // The paper's sums, R and C.
            for (row, sum) in rows.iter_mut().enumerate() {
                *sum = kept * *sum + (1.0 - kept) * (square(row, 0) + square(row, 1));
            }
            for (column, sum) in columns.iter_mut().enumerate() {
                *sum = kept * *sum + (1.0 - kept) * (0..3).map(|row| square(row, column)).sum::<f64>();
            }
            let total: f64 = rows.iter().sum();
            let unit =
                |place: usize| f64::from(gradient[place]) / (rows[place / 2] * columns[place % 2] / total).sqrt();
            let size = ((0..6).map(|place| unit(place).powi(2)).sum::<f64>() / 6.0).sqrt();
            for (place, value) in expected.iter_mut().enumerate() {
                *value -= 0.01 * (0.1 * *value + unit(place) / size.max(1.0));
            }
        }
        assert_close(&weight, &expected);
    }

    #[test]
    fn a_vector_is_not_factored_and_a_first_step_goes_as_far_everywhere() {
        let bias = Parameter::new("p", &[3], Role::Offset, 0, vec![0.0; 3]);
        run(&bias, &adafactor(), &[[0.5f32, -1e-3, 700.0]]);
        assert_close(&bias, &[-0.01, 0.01, -0.01]);
    }

    #[test]
    fn a_matrix_takes_a_number_a_row_and_a_column() {
        let (matrix, bias) = (weight(&[5, 7], &[0.0; 35]), Parameter::new("b", &[5], Role::Offset, 0, vec![0.0; 5]));
        let settings = Hyperparameters { weight_average: 0.0, ..adafactor() };
        let parameters = [&matrix, &bias];
        let mut optimizer = Optimizer::new(&parameters, &settings);
        let state = optimizer.state(&parameters);
        assert_eq!(state.slices.iter().map(|(_, values)| values.len()).sum::<usize>(), 5 + 7 + 5);
    }

    #[test]
    fn rows_never_met_count_nowhere() {
        let moved = |rows: usize| {
            let table = Parameter::new("t", &[rows, 2], Role::Table, 0, vec![1.0; rows * 2]);
            table.gradient().values[..4].copy_from_slice(&[1.0, 2.0, -3.0, 0.5]);
            table.gradient().met_rows.as_mut().unwrap()[..2].fill(true);
            Optimizer::new(&[&table], &adafactor()).step(&[&table], 0.01);
            let values = table.value().clone();
            assert!(values[4..].iter().all(|value| *value == 1.0));
            values[..4].to_vec()
        };
        assert_eq!(moved(2), moved(60));
    }
}
