//! How large the values become that a static int8 model multiplies: measured on texts like those that it will score.

mod histogram;
mod range;

use std::collections::BTreeMap;
use std::path::Path;

use foundation::progress::{Progress, Unit};
use inference::ModelDirectory;
use inference::backend::InnerValues;
use inference::onnx::ModelProto;
use serde::{Deserialize, Serialize};

use crate::export::ExportError;
use histogram::Histogram;

pub(super) use range::ValueRange;

/// The fewest texts that ranges may be taken from.
pub const MINIMUM_TEXTS: usize = 16;

/// How a value's range follows from what was seen of it (Nagel et al. 2021, section 3.1.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RangeMethod {
    /// From the smallest to the largest.
    MinMax,
    /// The range with the least mean squared error: rare far values are clipped where that lets the many be finer. Clipping a
    /// fixed share of values is no choice here: with 0.01 % at each end, a fifth of one head's labels changed.
    #[default]
    Mse,
}

/// The ranges of all values that linear layers take.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    method: RangeMethod,
    texts: usize,
    ranges: BTreeMap<String, ValueRange>,
}

impl Calibration {
    /// Runs the f32 model of a directory over the texts, each alone, and looks at what its linear layers take.
    ///
    /// # Errors
    ///
    /// [`ExportError::FewTexts`] below [`MINIMUM_TEXTS`]; [`ExportError::Inference`] if the model does not run.
    pub fn observe(directory: &Path, texts: &[&str], method: RangeMethod) -> Result<Self, ExportError> {
        if texts.len() < MINIMUM_TEXTS {
            return Err(ExportError::FewTexts { found: texts.len(), needed: MINIMUM_TEXTS });
        }
        let directory = ModelDirectory::open(directory)?;
        let names = inputs_of_linear_layers(&ModelProto::read(&directory.onnx_path())?);
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let model = InnerValues::load(&directory.onnx_path(), directory.inputs(), &borrowed)?;
        let mut histograms: Vec<Histogram> = names.iter().map(|_| Histogram::default()).collect();
        let progress = Progress::start("calibrating", Some(texts.len() as u64), Unit::Items("texts"));
        for text in texts {
            for (histogram, values) in histograms.iter_mut().zip(model.of(&directory.tokenizer().encode(text)?)?) {
                histogram.add(&values);
            }
            progress.advance(1);
        }
        progress.finish();
        let range = |histogram: &Histogram| match method {
            RangeMethod::MinMax => histogram.extremes(),
            RangeMethod::Mse => histogram.least_squares(),
        };
        let ranges = names.into_iter().zip(histograms.iter().map(range)).collect();
        Ok(Self { method, texts: texts.len(), ranges })
    }

    /// How the ranges were chosen.
    pub fn method(&self) -> RangeMethod {
        self.method
    }

    /// The number of texts that they were taken from.
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// The range of a value of the graph.
    pub(super) fn range(&self, value: &str) -> Result<ValueRange, ExportError> {
        self.ranges.get(value).copied().ok_or_else(|| ExportError::NotCalibrated { value: value.to_owned() })
    }
}

/// The names of what is multiplied with weights, each once.
fn inputs_of_linear_layers(model: &ModelProto) -> Vec<String> {
    let Some(graph) = &model.graph else { return Vec::new() };
    let is_weight = |name: &String| graph.initializer.iter().any(|weight| weight.name == *name);
    let mut names: Vec<String> = Vec::new();
    for node in graph.node.iter().filter(|node| node.op_type == "MatMul") {
        if let [input, weight] = &*node.input
            && is_weight(weight)
            && !names.contains(input)
        {
            names.push(input.clone());
        }
    }
    names
}
