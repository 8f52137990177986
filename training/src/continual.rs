//! Going on from a fine-tuned model without forgetting what it has learned.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::directory::file_digest;
use crate::error::TrainingError;
use crate::source::DataSource;

/// Says that the run's `base` is a fine-tuned model that is gone on from, and what keeps its old answers.
///
/// A task that is called as one of its heads begins with that head's weights, label by label; other tasks, and labels that the head
/// does not have, begin anew. The labels' order may differ.
///
/// ```toml
/// base = "models/news/3"
/// [continual]
/// old = [{ path = "last_year.csv" }]
/// replay = 0.2
/// ewc = 10.0
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Continual {
    /// Labelled files of what the model learned before. Rows that stand on a side of the run's tasks are left out.
    pub old: Vec<DataSource>,
    /// The task that they are labelled for; the first where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The share of each step's rows that is drawn from the old ones, on top of the new ones; 0 for none.
    pub replay: f64,
    /// How strongly elastic weight consolidation pulls weights back to the old ones; 0 for not at all.
    pub ewc: f64,
    /// The most old rows that tell which weights matter, chosen by the seed.
    pub ewc_rows: usize,
}

impl Default for Continual {
    fn default() -> Self {
        Self { old: Vec::new(), task: None, replay: 0.0, ewc: 0.0, ewc_rows: 1000 }
    }
}

impl Continual {
    /// What is wrong with its values: a key, and why.
    pub(crate) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let uses_old = self.replay > 0.0 || self.ewc > 0.0;
        let checks = [
            ("replay", (0.0..1.0).contains(&self.replay), "must be 0 to below 1"),
            ("ewc", self.ewc >= 0.0 && self.ewc.is_finite(), "must be at least 0"),
            ("ewc_rows", self.ewc_rows >= 1, "must be at least 1"),
            ("old", uses_old != self.old.is_empty(), "belongs to `replay` or `ewc`, and these need it"),
        ];
        let wrong = checks.into_iter().find(|(_, holds, _)| !holds).map(|(key, _, message)| (key, message));
        wrong.or_else(|| Some(("old", self.old.iter().find_map(DataSource::fault)?)))
    }

    /// Every path in it.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.old.iter_mut().map(|source| &mut source.path)
    }

    /// The same with digests of files in the place of paths.
    pub(crate) fn by_content(&self) -> Result<Self, TrainingError> {
        let mut own = self.clone();
        for source in &mut own.old {
            source.path = file_digest(source.file()?)?.into();
        }
        Ok(own)
    }
}
