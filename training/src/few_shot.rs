//! Learning from a few rows a label.

use serde::{Deserialize, Serialize};

use crate::run::{Hyperparameters, Task, TaskKind};

/// The hottest that makes sense: cosines are -1 to 1, and beyond it all answers are alike.
const HOTTEST: f64 = 10.0;
/// Fewer rows at once have nothing to be told from.
const SMALLEST_BATCH: usize = 4;

/// Says that the encoder learns by contrast and the head apart from it, as SetFit does it (Tunstall and others, "Efficient Few-Shot
/// Learning Without Prompts", 2022). Few rows make many pairs, so this learns from fewer rows than a head on top does.
///
/// Half of a batch are rows, the other half a partner of the same label for each, drawn anew: their vectors are drawn together
/// and pushed away from those of other labels by [`InfoNce`](crate::engine::InfoNce). An epoch goes through all rows once, so
/// that `epochs` is the number of pairs that a row begins. After each epoch, the head is fitted to the vectors that the encoder
/// then has, by logistic regression.
///
/// Vectors are the mean of their tokens' unless `pooling` says otherwise. Of the hyper-parameters, `r_drop` does not apply, and
/// `label_smoothing` to the head alone.
///
/// ```toml
/// [[tasks]]
/// name = "intent"
/// data = [{ path = "train.csv" }]
/// split = { rows_per_label = 10 }          # of a file that has more: learn from ten of each
///
/// [few_shot]
/// temperature = 0.05
///
/// [hyperparameters]
/// epochs = 4
/// batch_size = 128                         # 64 pairs
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FewShot {
    /// What the vectors' cosines are divided by: the lower, the more the nearest rows of other labels count.
    pub temperature: f64,
}

impl Default for FewShot {
    fn default() -> Self {
        Self { temperature: 0.05 }
    }
}

impl FewShot {
    /// What is wrong with its values, or with what stands beside it: a key of the run, and why.
    pub(crate) fn fault(&self, tasks: &[Task], settings: &Hyperparameters) -> Option<(&'static str, &'static str)> {
        let one_label = matches!(tasks, [Task { kind: TaskKind::SingleLabel, .. }]);
        let checks = [
            (
                "few_shot.temperature",
                self.temperature > 0.0 && self.temperature <= HOTTEST,
                "must be above 0 and at most 10",
            ),
            ("few_shot", one_label, "takes a run of one task, and that of kind = \"single-label\""),
            (
                "hyperparameters.batch_size",
                settings.batch_size >= SMALLEST_BATCH,
                "must be at least 4 with `few_shot`: two pairs, to be told from each other",
            ),
            (
                "hyperparameters.mixup",
                settings.mixup == 0.0,
                "must be 0 with `few_shot`: a blend of rows has no label to be paired by",
            ),
            (
                "hyperparameters.soup",
                settings.soup == 1,
                "must be 1 with `few_shot`: a head is fitted to one encoder's vectors",
            ),
        ];
        checks.into_iter().find(|(_, holds, _)| !holds).map(|(key, _, message)| (key, message))
    }
}
