//! The exact GELU, `x Φ(x)`, its approximation by the hyperbolic tangent, and their derivatives.

use super::vector::{exp, vectorised};

/// One of [`gelu_rows`] and [`tanh_gelu_rows`].
pub(super) type GeluRows = fn(&mut [f32], &mut [f32], &[f32]);

/// `x Φ(x)` and its derivative `Φ(x) + x φ(x)`, which share one exponential.
///
/// Φ by Abramowitz and Stegun 7.1.26: off by less than 1e-7.
#[inline(always)]
fn gelu(x: f32) -> (f32, f32) {
    const INVERSE_SQRT_TAU: f32 = 0.398_942_3;
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2).mul_add(x.abs(), 1.0);
    let mut series = 1.061_405_4f32;
    for factor in [-1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6] {
        series = series.mul_add(t, factor);
    }
    let tail = 0.5 * series * t * bell;
    let area = if x < 0.0 { tail } else { 1.0 - tail };
    (x * area, (x * INVERSE_SQRT_TAU).mul_add(bell, area))
}

/// GPT-2's GELU (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016), and its derivative.
///
/// `½ (1 + tanh u)` is the logistic function of `2u`.
#[inline(always)]
fn tanh_gelu(x: f32) -> (f32, f32) {
    const CUBIC: f32 = 0.044_715;
    const TWICE_ROOT: f32 = 1.595_769;
    let square = x * x;
    let area = 1.0 / (1.0 + exp(-TWICE_ROOT * x * square.mul_add(CUBIC, 1.0)));
    let inner = TWICE_ROOT * square.mul_add(3.0 * CUBIC, 1.0);
    (x * area, (x * area * (1.0 - area)).mul_add(inner, area))
}

vectorised! {
    /// [`gelu_rows`] by the hyperbolic tangent.
    pub(super) fn tanh_gelu_rows(slope: &mut [f32], active: &mut [f32], bias: &[f32]) {
        let width = bias.len();
        for (slope, active) in slope.chunks_exact_mut(width).zip(active.chunks_exact_mut(width)) {
            for column in 0..width {
                (active[column], slope[column]) = tanh_gelu(slope[column] + bias[column]);
            }
        }
    }
}

vectorised! {
    /// Adds `bias` to each row of `slope`, and turns the sums into GELU's values and slopes.
    pub(super) fn gelu_rows(slope: &mut [f32], active: &mut [f32], bias: &[f32]) {
        let width = bias.len();
        for (slope, active) in slope.chunks_exact_mut(width).zip(active.chunks_exact_mut(width)) {
            for column in 0..width {
                (active[column], slope[column]) = gelu(slope[column] + bias[column]);
            }
        }
    }
}

vectorised! {
    /// Multiplies `gradient` by GELU's slopes, and adds each row of the result to `sums`.
    pub(super) fn gelu_rows_backward(gradient: &mut [f32], slope: &[f32], sums: &mut [f32]) {
        let width = sums.len();
        for (gradient, slope) in gradient.chunks_exact_mut(width).zip(slope.chunks_exact(width)) {
            for column in 0..width {
                gradient[column] *= slope[column];
                sums[column] += gradient[column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Φ by Simpson's rule.
    fn area(x: f64) -> f64 {
        let steps = 2000;
        let width = x / f64::from(steps);
        let bell = |at: f64| (-0.5 * at * at).exp() / std::f64::consts::TAU.sqrt();
        let inner: f64 =
            (1..steps).map(|step| bell(f64::from(step) * width) * if step % 2 == 0 { 2.0 } else { 4.0 }).sum();
        0.5 + width / 3.0 * (bell(0.0) + inner + bell(x))
    }

    #[test]
    fn agrees_with_the_integral() {
        for step in -60..=60 {
            let x = f64::from(step) / 10.0;
            let (value, slope) = gelu(x as f32);
            let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            assert!((f64::from(value) - x * area(x)).abs() < 2e-6, "gelu({x}) = {value}");
            assert!((f64::from(slope) - (area(x) + x * density)).abs() < 2e-6, "gelu'({x}) = {slope}");
        }
    }

    #[test]
    fn the_approximation_is_what_its_formula_says() {
        let plain =
            |x: f64| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh());
        for step in -120..=120 {
            let x = f64::from(step) / 10.0;
            let (value, slope) = tanh_gelu(x as f32);
            let expected = (plain(x + 1e-5) - plain(x - 1e-5)) / 2e-5;
            assert!((f64::from(value) - plain(x)).abs() < 2e-6, "gelu({x}) = {value}");
            assert!((f64::from(slope) - expected).abs() < 2e-6, "gelu'({x}) = {slope}, not {expected}");
        }
    }
}
