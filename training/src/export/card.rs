//! What is told of an export: `export.json` in its folder.

use std::path::Path;

use inference::{BackendConfig, EncoderModel, ModelDirectory};
use serde::Serialize;

use crate::dataset::Row;
use crate::error::TrainingError;
use crate::evaluation::{Predictions, predict, predict_against};
use crate::export::{AgreementReport, Calibration, Identity, ParityReport, Precision, RangeMethod};
use crate::metrics::EvaluationReport;

/// The version of `export.json`.
pub const CARD_VERSION: u32 = 1;

/// How an export was made, how it was checked, and what it costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportCard {
    /// The version of this layout: 1.
    pub version: u32,
    /// The model that it was made from: `news@3`.
    pub model: String,
    /// What the weights are stored in.
    pub precision: Precision,
    /// The size of `model.onnx`.
    pub bytes: u64,
    /// The size that it has in fp32.
    pub fp32_bytes: u64,
    /// What it shares with the model that it was made from.
    #[serde(flatten)]
    pub identity: Identity,
    /// How far the back ends are apart in fp32.
    pub parity: ParityReport,
    /// Where ranges came from; only `int8` has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationCard>,
    /// How the compressed model's answers compare with those in fp32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementReport>,
    /// What compression costs on labelled rows, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<AccuracyCost>,
}

/// Where a static model's ranges came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CalibrationCard {
    /// The texts that were looked at.
    pub texts: usize,
    /// How a range follows from its values.
    pub ranges: RangeMethod,
}

impl From<&Calibration> for CalibrationCard {
    fn from(calibration: &Calibration) -> Self {
        Self { texts: calibration.texts(), ranges: calibration.method() }
    }
}

/// One head on labelled rows, in fp32 and compressed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccuracyCost {
    /// The accuracy in fp32.
    pub fp32_accuracy: f64,
    /// The macro F1 in fp32.
    pub fp32_macro_f1: f64,
    /// The accuracy that is lost; below 0 where some is won.
    pub accuracy_lost: f64,
    /// The macro F1 that is lost.
    pub macro_f1_lost: f64,
    /// The compressed model's own figures.
    pub compressed: EvaluationReport,
}

impl AccuracyCost {
    /// Measures one head of both model directories; without a name, the first head that knows every label.
    pub fn measure(full: &Path, compressed: &Path, rows: &[Row], head: Option<&str>) -> Result<Self, TrainingError> {
        let expected = predict(&mut load(full)?, rows, head)?;
        let found = predict_against(&mut load(compressed)?, rows, &expected)?;
        let report = |predictions: &Predictions| {
            EvaluationReport::from_pairs(predictions.head(), predictions.labels(), predictions.pairs())
        };
        let (expected, compressed) = (report(&expected), report(&found));
        Ok(Self {
            fp32_accuracy: expected.accuracy,
            fp32_macro_f1: expected.macro_f1,
            accuracy_lost: expected.accuracy - compressed.accuracy,
            macro_f1_lost: expected.macro_f1 - compressed.macro_f1,
            compressed,
        })
    }
}

fn load(directory: &Path) -> Result<EncoderModel, TrainingError> {
    Ok(EncoderModel::load(&ModelDirectory::open(directory)?, "", &BackendConfig::default())?)
}
