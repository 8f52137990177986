//! Any model measured on any labelled rows.
//!
//! ```text
//! rows ── predict ──► Predictions ──► Evaluation: report, intervals, ranking, calibration
//!                          ├────────► Slice: the same by the values of a column
//!                          ├────────► Comparison: a second model on the same rows
//!                          └────────► Robustness: the same rows with typos, fewer words, other letters
//! ```
//!
//! [`predict()`] runs the model; everything else is a pure function of [`Predictions`]. So much is told of heads that choose one
//! label; [`measure()`] measures those of other kinds, too, and [`find_entities()`] models that label words, each in figures of
//! their own.

mod average_precision;
mod bootstrap;
mod brier;
mod calibration;
mod chi_square;
mod comparison;
mod cross_validation;
mod entities;
mod log_loss;
mod mcnemar;
mod measured;
mod predict;
mod predictions;
mod presentation;
mod ranking;
mod robustness;
mod roc_auc;
mod slices;
pub(crate) mod table;
mod temperature;
mod ties;

use serde::Serialize;

use crate::metrics::EvaluationReport;

pub use average_precision::average_precision;
pub use bootstrap::{Intervals, bootstrap};
pub use brier::brier_score;
pub use calibration::{Calibration, CalibrationBin};
pub use comparison::Comparison;
pub use cross_validation::{CrossValidation, FoldFigures, FoldedEvaluation, FoldedReports, Spread};
pub use entities::find_entities;
pub use log_loss::log_loss;
pub use mcnemar::{McNemar, McNemarMethod, mcnemar};
pub use measured::{Measured, kind_of, measure};
pub(crate) use predict::choose_head;
pub use predict::{predict, predict_against};
pub use predictions::Predictions;
pub use ranking::{LabelRanking, Ranking};
pub use robustness::{Perturbation, Robustness};
pub use roc_auc::roc_auc;
pub use slices::{Slice, SliceValue};
pub use temperature::Temperature;

/// The seed of the bootstrap: an evaluation of the same rows says the same.
const SEED: u64 = 1;

/// Everything that is measured of one head. In JSON the report's fields stand beside the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Labels and confusion matrix.
    #[serde(flatten)]
    pub report: EvaluationReport,
    /// Confidence intervals of accuracy and macro F1.
    pub intervals: Intervals,
    /// Each label against the rest.
    pub ranking: Ranking,
    /// See [`log_loss()`]: nats, 0 is perfect.
    pub log_loss: f64,
    /// See [`brier_score()`]: 0 to 2, 0 is perfect.
    pub brier_score: f64,
    /// How far confidence is from accuracy.
    pub calibration: Calibration,
    /// What would mend the confidence; none if no temperature is best.
    pub temperature: Option<Temperature>,
    /// The same rows by the values of columns; none unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Slice>,
    /// The same rows disturbed, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robustness: Option<Robustness>,
    /// A second model on the same rows, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Comparison>,
}

impl Evaluation {
    /// Measures everything but slices, robustness and a second model.
    pub fn of(predictions: &Predictions) -> Self {
        let pairs: Vec<(usize, usize)> = predictions.pairs().collect();
        Self {
            intervals: bootstrap(&pairs, predictions.labels().len(), SEED),
            report: EvaluationReport::from_pairs(predictions.head(), predictions.labels(), pairs),
            ranking: Ranking::of(predictions),
            log_loss: log_loss(predictions),
            brier_score: brier_score(predictions),
            calibration: Calibration::of(predictions),
            temperature: Temperature::fit(predictions),
            slices: Vec::new(),
            robustness: None,
            against: None,
        }
    }
}
