//! What a training run leaves: files, a report, and the weights themselves, for the proof that an export changed nothing.

use std::path::PathBuf;
use std::sync::Arc;

use inference::TextTokenizer;
use ndarray::Array2;

use super::EVALUATION_ROWS;
use super::reading::Reading;
use crate::dataset::TaskData;
use crate::engine::{Classifier, Mode, PackedBatch};
use crate::error::TrainingError;
use crate::report::TrainingReport;
use crate::run::TaskKind;

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
    /// The trainer's own logits, one row a text, or one for each of its words that the encoder sees; the columns are the labels
    /// of all heads in order.
    pub fn logits(&self, texts: &[&str]) -> Result<Array2<f32>, TrainingError> {
        let tasks = &self.report.tasks;
        let kind = tasks.first().map_or_else(TaskKind::default, |task| task.kind);
        let mut all: Vec<f32> = Vec::new();
        for texts in texts.chunks(EVALUATION_ROWS) {
            let reading = |text: &&str| Reading::of(text, kind, &self.tokenizer, &self.staging);
            let readings = texts.iter().map(reading).collect::<Result<Vec<_>, _>>()?;
            let packed = Arc::new(PackedBatch::read_at(readings.iter().map(Reading::sequence)));
            if packed.read().is_empty() {
                continue;
            }
            let states = self.classifier.encode(&packed, Mode::Evaluation)?;
            let heads = (0..tasks.len()).map(|head| self.classifier.logits(&states, head)?.to_vec2::<f32>());
            let heads = heads.collect::<Result<Vec<_>, _>>()?;
            (0..packed.read().len()).for_each(|row| all.extend(heads.iter().flat_map(|head| &head[row])));
        }
        let columns = tasks.iter().map(|task| task.labels.len()).sum::<usize>();
        let rows = all.len().checked_div(columns).unwrap_or(0);
        Ok(Array2::from_shape_fn((rows, columns), |(row, column)| all[row * columns + column]))
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
