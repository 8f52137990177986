//! The chi-square distribution with one degree of freedom.

use std::f64::consts::PI;

/// Where the continued fraction takes over from the series.
const SPLIT: f64 = 2.5;

/// The chance that a chi-square variable with one degree of freedom is at least `statistic` (0 or more): the complementary
/// error function of `√(statistic / 2)`.
///
/// Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 26.4.
pub(super) fn survival(statistic: f64) -> f64 {
    erfc((statistic / 2.0).sqrt())
}

/// The complementary error function of a number of 0 or more, to about 13 digits: Abramowitz and Stegun, 7.1.6 and 7.1.14.
fn erfc(x: f64) -> f64 {
    let density = (-x * x).exp() / PI.sqrt();
    if x < SPLIT {
        let (mut term, mut sum) = (x, x);
        for step in 1..60 {
            term *= 2.0 * x * x / f64::from(2 * step + 1);
            sum += term;
        }
        1.0 - 2.0 * density * sum
    } else {
        let fraction = (1..=60).rev().fold(x, |rest, step| x + f64::from(step) / 2.0 / rest);
        density / fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erfc_is_that_of_the_tables() {
        let table = [
            (0.0, 1.0),
            (0.5, 0.479_500_122_186_953_5),
            (2.0, 0.004_677_734_981_047_265),
            (2.5, 0.000_406_952_017_444_959),
            (3.0, 2.209_049_699_858_544e-5),
            (5.0, 1.537_459_794_428_035e-12),
        ];
        for (x, expected) in table {
            assert!((erfc(x) / expected - 1.0).abs() < 1e-11, "erfc({x}) is {}", erfc(x));
        }
    }

    #[test]
    fn critical_values_are_those_of_the_tables() {
        for (statistic, expected) in
            [(0.0, 1.0), (2.705_543, 0.1), (3.841_459, 0.05), (6.634_897, 0.01), (10.827_566, 0.001)]
        {
            assert!((survival(statistic) - expected).abs() < 1e-7, "{statistic}: {}", survival(statistic));
        }
    }
}
