//! Integrated gradients along a path from nothing to a text (Sundararajan, Taly and Yan, "Axiomatic attribution for deep
//! networks", 2017), whatever it is that answers.

use super::quadrature::gauss_legendre;

/// Steps of the first try.
const FEWEST_STEPS: usize = 16;
/// Steps of the last.
const MOST_STEPS: usize = 512;
/// The completeness error with which an integral is good enough.
pub(super) const TOLERANCE: f64 = 0.01;

/// A place on the path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    /// What is answered there.
    pub(super) answer: f64,
    /// For each part that moves along the path, how fast the answer changes with it.
    pub(super) slopes: Vec<f64>,
}

/// What each part does to the answer on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Integral {
    /// The answer at the path's begin.
    pub(super) from: f64,
    /// The answer at its end.
    pub(super) to: f64,
    /// For each part the integral of its slope.
    pub(super) attributions: Vec<f64>,
    /// How many places of the path were looked at.
    pub(super) steps: usize,
    /// By how much the attributions' sum misses `to - from`, as a share of their absolute sum: where large ones cancel out, the
    /// difference itself is no measure.
    pub(super) error: f64,
}

/// The integral with as many steps as it takes to be complete, up to a limit. `path` gives the points at places from 0 to 1.
pub(super) fn integrate<E>(path: impl Fn(&[f64]) -> Result<Vec<Point>, E>) -> Result<Integral, E> {
    let ends: Vec<f64> = path(&[0.0, 1.0])?.iter().map(|point| point.answer).collect();
    let mut steps = FEWEST_STEPS;
    loop {
        let integral = integrate_in(steps, (ends[0], ends[1]), &path)?;
        if integral.is_complete() || steps >= MOST_STEPS {
            return Ok(integral);
        }
        steps *= 2;
    }
}

fn integrate_in<E>(
    steps: usize,
    (from, to): (f64, f64),
    path: impl Fn(&[f64]) -> Result<Vec<Point>, E>,
) -> Result<Integral, E> {
    let nodes = gauss_legendre(steps);
    let points = path(&nodes.iter().map(|node| node.place).collect::<Vec<_>>())?;
    let mut attributions = vec![0.0; points.first().map_or(0, |point| point.slopes.len())];
    for (node, point) in nodes.iter().zip(&points) {
        for (attribution, slope) in attributions.iter_mut().zip(&point.slopes) {
            *attribution += node.weight * slope;
        }
    }
    let sum: f64 = attributions.iter().sum();
    let size: f64 = attributions.iter().map(|attribution| attribution.abs()).sum();
    let gap = (sum - (to - from)).abs();
    let error = if gap > 0.0 { gap / size.max(gap) } else { 0.0 };
    Ok(Integral { from, to, attributions, steps, error })
}

impl Integral {
    /// Whether the attributions add up to what they explain.
    pub(super) fn is_complete(&self) -> bool {
        self.error <= TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A path from 0 to `end` with an answer and its gradient.
    fn path<'a, const N: usize>(
        end: [f64; N],
        answer: impl Fn([f64; N]) -> (f64, [f64; N]) + 'a,
    ) -> impl Fn(&[f64]) -> Result<Vec<Point>, Infallible> + 'a {
        move |places| {
            let point = |place: &f64| {
                let (answer, gradient) = answer(end.map(|value| place * value));
                let slopes = gradient.iter().zip(end).map(|(slope, value)| slope * value).collect();
                Point { answer, slopes }
            };
            Ok(places.iter().map(point).collect())
        }
    }

    #[track_caller]
    fn check(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
        }
    }

    #[test]
    fn a_linear_answer_is_parted_exactly() {
        let Ok(integral) = integrate(path([2.0, -1.0, 5.0], |[x, y, _]| (3.0 * x + 4.0 * y + 7.0, [3.0, 4.0, 0.0])));
        check(&integral.attributions, &[6.0, -4.0, 0.0]);
        check(&[integral.from, integral.to], &[7.0, 9.0]);
        assert!(integral.steps == FEWEST_STEPS && integral.error < 1e-12 && integral.is_complete());
    }

    #[test]
    fn a_product_is_shared_by_its_powers() {
        // Of x yⁿ, which is homogeneous, x gets 1 / (n + 1) and y the rest.
        let Ok(integral) = integrate(path([2.0, 3.0], |[x, y]| (x * y.powi(3), [y.powi(3), 3.0 * x * y * y])));
        check(&integral.attributions, &[54.0 / 4.0, 54.0 * 3.0 / 4.0]);
    }

    /// A probability that leaps from 0 to 1 at a place of the path.
    fn leap(sharpness: f64) -> impl Fn([f64; 2]) -> (f64, [f64; 2]) {
        move |[x, y]| {
            let probability = 1.0 / (1.0 + (-sharpness * (x + 2.0 * y - 1.2)).exp());
            let slope = sharpness * probability * (1.0 - probability);
            (probability, [slope, 2.0 * slope])
        }
    }

    #[test]
    fn more_steps_leave_a_smaller_error() {
        let error =
            |steps| integrate_in(steps, (leap(20.0)([0.0; 2]).0, leap(20.0)([1.0; 2]).0), path([1.0; 2], leap(20.0)));
        let errors = [8, 16, 32, 64].map(|steps| error(steps).unwrap().error);
        assert!(errors.is_sorted_by(|more, less| more > less), "{errors:?}");
        let Ok(integral) = integrate(path([1.0, 1.0], leap(60.0)));
        assert!(integral.steps > FEWEST_STEPS && integral.is_complete(), "{integral:?}");
        // Both move alike, and the second counts twice.
        assert!((integral.attributions[1] / integral.attributions[0] - 2.0).abs() < 1e-9);
    }

    #[test]
    fn an_integral_that_stays_incomplete_says_so() {
        let Ok(integral) = integrate(path([1.0, 1.0], leap(1e7)));
        assert_eq!((integral.steps, integral.is_complete()), (MOST_STEPS, false));
        assert!(integral.error > 0.9, "{integral:?}");
    }

    #[test]
    fn where_nothing_moves_there_is_nothing_to_miss() {
        let Ok(integral) = integrate(path([], |[]| (0.4, [])));
        assert_eq!((integral.error, integral.attributions.len(), integral.is_complete()), (0.0, 0, true));
        // What cancels out is measured by its size.
        let Ok(integral) = integrate(path([1.0, 1.0], |[x, y]| ((x - y).sin(), [(x - y).cos(), -(x - y).cos()])));
        assert!(integral.to == 0.0 && integral.is_complete());
        check(&integral.attributions, &[1.0, -1.0]);
    }
}
