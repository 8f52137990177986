//! Temperature scaling: the one number that mends over- or under-confidence without changing any answer.

use serde::Serialize;

use super::log_loss::LEAST_PROBABILITY;
use super::{Calibration, Predictions, log_loss};

/// The highest temperature looked for; the lowest is its inverse.
const HIGHEST: f64 = 20.0;
/// How closely the logarithm of the temperature is found.
const TOLERANCE: f64 = 1e-7;

/// The temperature that fits the measured rows best, and what it would make of them. It is fitted on the rows that it is
/// measured on, so that both figures are a little too good.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Temperature {
    /// What logits are divided by; above 1 the model is too sure of itself.
    pub value: f64,
    /// The log loss at it, in nats.
    pub log_loss: f64,
    /// The expected calibration error at it.
    pub calibration_error: f64,
}

impl Temperature {
    /// Minimises the negative log likelihood over the temperature; none if there is no minimum from 1/20 to 20, as when every
    /// row is right, or no row.
    ///
    /// Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (ICML 2017). The logits are the logarithms of
    /// the probabilities, which differ from the model's by a constant that softmax drops. The likelihood has one peak in
    /// the temperature, found by golden-section search: Kiefer, "Sequential minimax search for a maximum", Proceedings of
    /// the AMS 4 (1953).
    pub fn fit(predictions: &Predictions) -> Option<Self> {
        let rows: Vec<(usize, Vec<f64>)> =
            predictions.rows().map(|(truth, probabilities)| (truth, logits(probabilities))).collect();
        let loss = |logarithm: f64| {
            let scale = (-logarithm).exp();
            rows.iter().map(|(truth, logits)| loss_of(*truth, logits, scale)).sum::<f64>()
        };
        let end = HIGHEST.ln();
        let logarithm = golden_section(-end, end, loss);
        if logarithm.abs() > end - 1e-3 {
            return None;
        }
        let value = logarithm.exp();
        let cooled = predictions.map(|probabilities| cooled(probabilities, value));
        Some(Self { value, log_loss: log_loss(&cooled), calibration_error: Calibration::of(&cooled).error })
    }
}

/// A row's probabilities as they would be with logits divided by the temperature.
fn cooled(probabilities: &[f64], temperature: f64) -> Vec<f64> {
    let scaled: Vec<f64> = logits(probabilities).iter().map(|logit| logit / temperature).collect();
    let norm = log_sum_exp(scaled.iter().copied());
    scaled.into_iter().map(|logit| (logit - norm).exp()).collect()
}

fn logits(probabilities: &[f64]) -> Vec<f64> {
    probabilities.iter().map(|probability| probability.max(LEAST_PROBABILITY).ln()).collect()
}

fn loss_of(truth: usize, logits: &[f64], scale: f64) -> f64 {
    log_sum_exp(logits.iter().map(|logit| logit * scale)) - logits[truth] * scale
}

fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let highest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    highest + values.map(|value| (value - highest).exp()).sum::<f64>().ln()
}

/// Where a function with one valley is lowest between two points.
fn golden_section(mut low: f64, mut high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (function(left), function(right));
    while high - low > TOLERANCE {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = function(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = function(right);
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::predictions::rows_of;

    #[test]
    fn the_valley_is_found() {
        for lowest in [-2.5, 0.0, 1.25] {
            let found = golden_section(-3.0, 3.0, |at| (at - lowest).powi(2));
            assert!((found - lowest).abs() < 1e-6, "{found} is not {lowest}");
        }
    }

    #[test]
    fn temperature_makes_confidence_what_accuracy_is() {
        // Confidence 0.9 and 3 of 4 right: logit(0.9) / T = logit(0.75), so T = ln 9 / ln 3 = 2.
        let sure = [0.9, 0.1];
        let temperature = Temperature::fit(&rows_of(&[(0, sure), (0, sure), (0, sure), (1, sure)])).unwrap();
        assert!((temperature.value - 2.0).abs() < 1e-5, "{temperature:?}");
        assert!(temperature.calibration_error < 1e-5, "{temperature:?}");
        // The entropy of 3 : 1.
        let entropy = -(0.75 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        assert!((temperature.log_loss - entropy).abs() < 1e-9, "{temperature:?}");
    }

    #[test]
    fn honest_confidence_needs_no_temperature() {
        let rows = [(0, [0.75, 0.25]), (0, [0.75, 0.25]), (0, [0.75, 0.25]), (1, [0.75, 0.25])];
        assert!((Temperature::fit(&rows_of(&rows)).unwrap().value - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_likelihood_without_a_peak_has_no_temperature() {
        assert_eq!(Temperature::fit(&rows_of(&[(0, [0.9, 0.1]), (1, [0.2, 0.8])])), None);
        assert_eq!(Temperature::fit(&rows_of(&[(1, [0.9, 0.1]), (0, [0.2, 0.8])])), None);
        assert_eq!(Temperature::fit(&rows_of::<2>(&[])), None);
    }
}
