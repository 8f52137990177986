//! Whether two models differ on the same rows: McNemar's test.

use serde::Serialize;

use super::chi_square;

/// From this many discordant rows on the chi-square distribution stands in for the binomial.
const LARGE: u64 = 25;

/// The outcome of the test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// How it was reckoned.
    pub method: McNemarMethod,
    /// The chi-square statistic, one degree of freedom; none if exact.
    pub statistic: Option<f64>,
    /// The chance of a difference as large or larger, either way, between models that are equally often right alone.
    pub p_value: f64,
}

/// How a p-value was reckoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum McNemarMethod {
    /// Two-sided binomial.
    Exact,
    /// Chi-square with continuity correction.
    ChiSquare,
}

/// Tests rows that only the first model answers rightly against rows that only the second does; the others tell nothing.
/// Exact below 25 such rows; else chi-square with continuity correction.
///
/// McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", Psychometrika
/// 12 (1947); the correction is Edwards's, Psychometrika 13 (1948). For classifiers: Dietterich, Neural Computation 10 (1998).
pub fn mcnemar(only_first: u64, only_second: u64) -> McNemar {
    let discordant = only_first + only_second;
    if discordant < LARGE {
        let p_value = (2.0 * binomial_tail(discordant, only_first.min(only_second))).min(1.0);
        return McNemar { method: McNemarMethod::Exact, statistic: None, p_value };
    }
    let gap = only_first.abs_diff(only_second).saturating_sub(1) as f64;
    let statistic = gap * gap / discordant as f64;
    McNemar { method: McNemarMethod::ChiSquare, statistic: Some(statistic), p_value: chi_square::survival(statistic) }
}

/// The chance of at most `most` heads in `tosses` of a fair coin.
fn binomial_tail(tosses: u64, most: u64) -> f64 {
    let mut ways = 1.0;
    let mut sum = ways;
    for heads in 1..=most {
        ways *= (tosses - heads + 1) as f64 / heads as f64;
        sum += ways;
    }
    sum / 2f64.powf(tosses as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(only_first: u64, only_second: u64, method: McNemarMethod, p_value: f64) {
        for test in [mcnemar(only_first, only_second), mcnemar(only_second, only_first)] {
            assert_eq!(test.method, method);
            assert!((test.p_value - p_value).abs() < 1e-10, "{only_first}, {only_second}: {test:?}");
        }
    }

    #[test]
    fn few_rows_are_tested_exactly() {
        check(0, 0, McNemarMethod::Exact, 1.0);
        check(0, 5, McNemarMethod::Exact, 2.0 / 32.0);
        // 2 (1 + 6) / 2⁶.
        check(1, 5, McNemarMethod::Exact, 14.0 / 64.0);
        // More than half of the distribution on either side.
        check(3, 3, McNemarMethod::Exact, 1.0);
        // 2 (1 + 24 + 276) / 2²⁴.
        check(2, 22, McNemarMethod::Exact, 602.0 / 16_777_216.0);
    }

    #[test]
    fn many_rows_are_tested_by_chi_square() {
        // (|10 - 30| - 1)² / 40 = 9.025.
        check(10, 30, McNemarMethod::ChiSquare, 0.002_663_119_259_138_554);
        assert_eq!(mcnemar(10, 30).statistic, Some(9.025));
        check(86, 150, McNemarMethod::ChiSquare, 4.114_562_281_345_941_5e-5);
        check(20, 20, McNemarMethod::ChiSquare, 1.0);
    }
}
