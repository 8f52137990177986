//! What is told of a pruned model: `pruning.json` in its folder.

use std::fmt;
use std::path::Path;

use inference::{BackendConfig, EncoderModel, ModelDirectory};
use serde::Serialize;

use super::files::ModelFiles;
use super::{HeadsReport, LayersReport, VocabularyReport};
use crate::dataset::Row;
use crate::error::TrainingError;
use crate::evaluation::predict;
use crate::export::ParityReport;
use crate::metrics::EvaluationReport;

/// The version of `pruning.json`.
pub const CARD_VERSION: u32 = 1;

/// What was left out of a model, step by step, and what each step saves and costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PruningCard {
    /// The version of this layout: 1.
    pub version: u32,
    /// The model that it was made from: `news@3`.
    pub model: String,
    /// That model.
    pub before: Measures,
    /// What was done, in order.
    pub steps: Vec<PruningStep>,
    /// How far the back ends are apart; none for a base encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parity: Option<ParityReport>,
}

/// One way of pruning, and the model after it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PruningStep {
    /// What was done.
    pub done: PruningReport,
    /// The model then.
    pub after: Measures,
}

/// What a way of pruning reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PruningReport {
    /// Tokens were left out.
    Vocabulary(VocabularyReport),
    /// Layers were left out.
    Layers(LayersReport),
    /// Attention heads were left out.
    Heads(HeadsReport),
}

/// A model's size and, where there are labelled rows, its quality.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measures {
    /// Values of its weights.
    pub parameters: usize,
    /// The size of `model.safetensors`.
    pub bytes: u64,
    /// The labelled rows' figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
}

/// How well one head answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// The head.
    pub head: String,
    /// The rows measured.
    pub rows: usize,
    /// The share of rows that are right.
    pub accuracy: f64,
    /// The mean of the labels' F1.
    pub macro_f1: f64,
}

impl fmt::Display for PruningReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vocabulary(VocabularyReport { tokens, kept_share, before, after, .. }) => {
                let share = 100.0 * kept_share;
                write!(
                    f,
                    "vocabulary: {after} of {before} tokens, {share:.2} % of the {tokens} in the texts as they were"
                )
            }
            Self::Layers(LayersReport { before, kept }) => {
                let kept: Vec<String> = kept.iter().map(usize::to_string).collect();
                write!(f, "layers: {} of {before} ({})", kept.len(), kept.join(", "))
            }
            Self::Heads(HeadsReport { rows, heads }) => {
                let left = heads.iter().filter(|head| !head.pruned).count();
                write!(f, "heads: {left} of {}, weighed on {rows} rows", heads.len())
            }
        }
    }
}

impl Measures {
    /// Measures a directory; without rows, its size alone. The directory needs a `model.onnx` only where there are rows. Without a
    /// name, the head is the first one that knows every label.
    pub fn of(
        directory: &Path,
        rows: &[Row],
        head: Option<&str>,
    ) -> Result<(Self, Option<EvaluationReport>), TrainingError> {
        let files = ModelFiles::read(directory)?;
        let parameters = files.tensors.iter().map(|tensor| tensor.values.len()).sum();
        let report = match rows {
            [] => None,
            rows => {
                let directory = ModelDirectory::open(directory)?;
                let found = predict(&mut EncoderModel::load(&directory, "", &BackendConfig::default())?, rows, head)?;
                Some(EvaluationReport::from_pairs(found.head(), found.labels(), found.pairs()))
            }
        };
        let figures = report.as_ref().map(|report| Figures {
            head: report.head.clone(),
            rows: report.rows,
            accuracy: report.accuracy,
            macro_f1: report.macro_f1,
        });
        Ok((Self { parameters, bytes: files.bytes()?, figures }, report))
    }
}
