//! What a training run leaves: files, a report, and the weights themselves, for the proof that an export changed nothing.

use std::path::PathBuf;
use std::sync::Arc;

use inference::TextTokenizer;
use ndarray::Array2;

use super::EVALUATION_ROWS;
use crate::dataset::TaskData;
use crate::engine::{Classifier, Mode, PackedBatch};
use crate::error::TrainingError;
use crate::report::TrainingReport;

/// Texts that an export is checked on.
const SAMPLE_TEXTS: usize = 64;

/// What [`train`](super::train) leaves.
pub struct TrainedModel {
    /// The model directory: `model.safetensors`, `config.json`, `tokenizer.json`, `tokenizer_config.json`, `report.json`.
    pub staging: PathBuf,
    /// What `report.json` holds.
    pub report: TrainingReport,
    /// Texts of all tasks' test sides, the longest among them: what an export is checked on.
    pub sample: Vec<String>,
    pub(super) classifier: Classifier,
    pub(super) tokenizer: TextTokenizer,
}

impl TrainedModel {
    /// The trainer's own logits, one row a text; the columns are the labels of all heads in order.
    pub fn logits(&self, texts: &[&str]) -> Result<Array2<f32>, TrainingError> {
        let heads: Vec<usize> = self.report.tasks.iter().map(|task| task.labels.len()).collect();
        let mut all = Array2::zeros((texts.len(), heads.iter().sum()));
        for (block, texts) in texts.chunks(EVALUATION_ROWS).enumerate() {
            let tokens = texts.iter().map(|text| self.tokenizer.encode(text)).collect::<Result<Vec<_>, _>>()?;
            let packed = Arc::new(PackedBatch::new(tokens.iter().map(|tokens| tokens.ids())));
            let pooled = self.classifier.encode(&packed, Mode::Evaluation)?;
            let mut first = 0;
            for (head, labels) in heads.iter().enumerate() {
                let rows = self.classifier.logits(&pooled, head)?.to_vec2::<f32>()?;
                for (row, logits) in rows.into_iter().enumerate() {
                    for (label, logit) in logits.into_iter().enumerate() {
                        all[(block * EVALUATION_ROWS + row, first + label)] = logit;
                    }
                }
                first += labels;
            }
        }
        Ok(all)
    }
}

/// Texts of every task: half of them the longest, where padding and positions matter most, half as they come.
pub(super) fn sample(data: &[TaskData]) -> Vec<String> {
    let share = (SAMPLE_TEXTS / data.len().max(1)).max(2);
    let of_task = |task: &TaskData| -> Vec<String> {
        let mut longest: Vec<&str> = task.test.iter().map(|example| example.text.as_str()).collect();
        let mut chosen: Vec<String> = longest.iter().take(share / 2).map(|text| (*text).to_owned()).collect();
        longest.sort_by_key(|text| std::cmp::Reverse(text.len()));
        chosen.extend(longest.into_iter().take(share / 2).map(str::to_owned));
        chosen
    };
    data.iter().flat_map(of_task).collect()
}
