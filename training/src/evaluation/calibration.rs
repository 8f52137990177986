//! Whether confidence can be believed: expected calibration error.

use serde::Serialize;

use super::Predictions;
use super::predictions::likeliest;

/// Bins of equal width from 0 to 1.
const BINS: usize = 15;

/// How far confidence is from the share of right answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// The expected calibration error: the bins' gaps between accuracy and mean confidence, weighed by rows; 0 to 1.
    pub error: f64,
    /// The bins that have rows, by confidence: a reliability diagram.
    pub bins: Vec<CalibrationBin>,
}

/// Rows of about the same confidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// Confidence is above this (0 itself belongs to the first bin).
    pub above: f64,
    /// Confidence is at most this.
    pub up_to: f64,
    /// Rows in it.
    pub rows: usize,
    /// The mean confidence, which is the likeliest label's probability.
    pub confidence: f64,
    /// The share of rows whose likeliest label is the true one.
    pub accuracy: f64,
}

impl Calibration {
    /// Compares confidence and accuracy in 15 bins of equal width, as Guo, Pleiss, Sun and Weinberger do in "On calibration
    /// of modern neural networks" (ICML 2017); the measure is Naeini, Cooper and Hauskrecht's (AAAI 2015).
    pub fn of(predictions: &Predictions) -> Self {
        let mut bins = [(0usize, 0.0, 0.0); BINS];
        for (truth, probabilities) in predictions.rows() {
            let (label, confidence) = likeliest(probabilities);
            let (rows, sum, right) = &mut bins[bin(confidence)];
            *rows += 1;
            *sum += confidence;
            *right += if label == truth { 1.0 } else { 0.0 };
        }
        let filled = bins.iter().enumerate().filter(|(_, (rows, _, _))| *rows > 0);
        let bins: Vec<CalibrationBin> = filled
            .map(|(index, &(rows, sum, right))| CalibrationBin {
                above: index as f64 / BINS as f64,
                up_to: (index + 1) as f64 / BINS as f64,
                rows,
                confidence: sum / rows as f64,
                accuracy: right / rows as f64,
            })
            .collect();
        let gaps = bins.iter().map(|bin| bin.rows as f64 * (bin.accuracy - bin.confidence).abs()).sum::<f64>();
        Self { error: if predictions.is_empty() { 0.0 } else { gaps / predictions.len() as f64 }, bins }
    }
}

/// Bin `i` holds what is above `i / BINS`, up to and with `(i + 1) / BINS`.
fn bin(confidence: f64) -> usize {
    ((confidence * BINS as f64).ceil() as usize).saturating_sub(1).min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::predictions::rows_of;

    #[test]
    fn a_bin_holds_its_upper_end() {
        for (confidence, expected) in [(0.0, 0), (1.0 / 15.0, 0), (0.07, 1), (0.5, 7), (0.6, 8), (0.61, 9), (1.0, 14)] {
            assert_eq!(bin(confidence), expected, "{confidence}");
        }
        assert_eq!(bin(1.000_000_1), 14);
    }

    #[test]
    fn the_error_is_that_worked_out_by_hand() {
        // Bin (0.8, 0.867]: confidence 0.85, 1 of 2 right. Bin (0.533, 0.6]: confidence 0.55, 2 of 2 right.
        let predictions = rows_of(&[(0, [0.85, 0.15]), (1, [0.85, 0.15]), (1, [0.44, 0.56]), (0, [0.54, 0.46])]);
        let calibration = Calibration::of(&predictions);
        assert!((calibration.error - (2.0 * 0.35 + 2.0 * 0.45) / 4.0).abs() < 1e-12, "{calibration:?}");
        assert_eq!(calibration.bins.iter().map(|bin| bin.rows).collect::<Vec<_>>(), [2, 2]);
        assert!((calibration.bins[0].confidence - 0.55).abs() < 1e-12);
        assert_eq!((calibration.bins[0].accuracy, calibration.bins[1].accuracy), (1.0, 0.5));
    }

    #[test]
    fn honest_confidence_has_no_error() {
        let rows = [(0, [0.75, 0.25]), (0, [0.75, 0.25]), (0, [0.75, 0.25]), (1, [0.75, 0.25])];
        assert!(Calibration::of(&rows_of(&rows)).error.abs() < 1e-12);
        assert_eq!(Calibration::of(&rows_of::<2>(&[])), Calibration { error: 0.0, bins: Vec::new() });
    }
}
