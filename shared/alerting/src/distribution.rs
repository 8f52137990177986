//! Tail probabilities of the negative binomial distribution.

/// P(X ≥ x) of a negative binomial variable with this mean and shape, continued to real x by the incomplete beta function.
///
/// Its variance is mean + mean² / shape: the smaller the shape, the more clustered. The mean and the shape must be positive.
pub(crate) fn negative_binomial_tail(x: f64, mean: f64, shape: f64) -> f64 {
    if x <= 0.0 { 1.0 } else { regularized_beta(mean / (mean + shape), x, shape) }
}

/// The x at which the tail probability is `probability`, to a relative precision of 1e-6.
pub(crate) fn negative_binomial_quantile(probability: f64, mean: f64, shape: f64) -> f64 {
    let (mut low, mut high) = (0.0, mean.max(1.0));
    while negative_binomial_tail(high, mean, shape) > probability && high < 1e12 {
        low = high;
        high *= 2.0;
    }
    while high - low > 1e-6 * high {
        let middle = 0.5 * (low + high);
        if negative_binomial_tail(middle, mean, shape) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) and Lentz's method.
fn regularized_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast below the mean; above it, the complement does.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - regularized_beta(1.0 - x, b, a);
    }
    let logarithm = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    (logarithm.exp() / a * beta_fraction(x, a, b)).clamp(0.0, 1.0)
}

fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut numerator = 1.0;
    let mut denominator = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = denominator;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut factor = 1.0;
        for coefficient in [even, odd] {
            denominator = 1.0 / away_from_zero(1.0 + coefficient * denominator);
            numerator = away_from_zero(1.0 + coefficient / numerator);
            factor = numerator * denominator;
            fraction *= factor;
        }
        if (factor - 1.0).abs() < 1e-12 {
            break;
        }
    }
    fraction
}

/// ln Γ(x) for x > 0, by Stirling's series (DLMF 5.11.1) after shifting x beyond 10.
fn ln_gamma(x: f64) -> f64 {
    let mut shifted = x;
    let mut product = 1.0;
    while shifted < 10.0 {
        product *= shifted;
        shifted += 1.0;
    }
    let inverse = 1.0 / shifted;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    let half_ln_two_pi = 0.5 * std::f64::consts::TAU.ln();
    (shifted - 0.5) * shifted.ln() - shifted + half_ln_two_pi + series - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{actual} for {expected}");
    }

    #[test]
    fn ln_gamma_agrees_with_factorials_and_the_half() {
        check(ln_gamma(1.0), 0.0);
        check(ln_gamma(5.0), 24.0_f64.ln());
        check(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln());
        check(ln_gamma(21.0), 2_432_902_008_176_640_000.0_f64.ln());
    }

    #[test]
    fn tails_agree_with_summed_probabilities() {
        for (mean, shape) in [(0.3, 0.5), (2.0, 1.0), (5.0, 4.0), (40.0, 2.0)] {
            let success = mean / (mean + shape);
            let mut probability = (1.0_f64 - success).powf(shape);
            let mut below = 0.0;
            for x in 0..60_u32 {
                check(negative_binomial_tail(f64::from(x), mean, shape), 1.0 - below);
                below += probability;
                probability *= success * (f64::from(x) + shape) / f64::from(x + 1);
            }
        }
    }

    #[test]
    fn quantiles_invert_tails() {
        for (probability, mean, shape) in [(1e-4, 0.02, 0.3), (1e-3, 3.0, 2.0), (0.05, 100.0, 8.0)] {
            let x = negative_binomial_quantile(probability, mean, shape);
            let back = negative_binomial_tail(x, mean, shape);
            assert!((back / probability - 1.0).abs() < 1e-3, "{back} for {probability}");
        }
    }

    #[test]
    fn extreme_arguments_stay_probabilities() {
        for x in [1e-9, 0.5, 10.0, 1e4, 1e7] {
            for mean in [1e-9, 1.0, 1e6] {
                for shape in [1e-3, 1.0, 1e3] {
                    let tail = negative_binomial_tail(x, mean, shape);
                    assert!((0.0..=1.0).contains(&tail), "{tail} at {x}, {mean}, {shape}");
                }
            }
        }
    }
}
