//! A model that is pruned step by step, in a folder that gets its name only when everything is checked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;
use training::export::export;
use training::pruning::{CARD_VERSION, Measures, PruningCard, PruningReport, PruningStep};
use training::{EvaluationReport, Row, TrainingError};

use crate::derived::compare_backends;

const CARD: &str = "pruning.json";

/// The model so far.
pub(super) struct Staged<'a> {
    /// Holds the model after each step.
    folder: TempDir,
    /// The model after the last step.
    pub(super) path: PathBuf,
    /// Whether it answers anything, and so has an ONNX file; a base encoder does not.
    answers: bool,
    rows: &'a [Row],
    head: Option<String>,
    pub(super) card: PruningCard,
    /// The figures of the last step.
    pub(super) report: Option<EvaluationReport>,
}

impl<'a> Staged<'a> {
    /// Measures the model as it is, and makes a folder under `parent`.
    pub(super) fn begin(
        model: String,
        directory: &Path,
        parent: &Path,
        answers: bool,
        rows: &'a [Row],
        head: Option<String>,
    ) -> anyhow::Result<Self> {
        let (before, report) = Measures::of(directory, rows, head.as_deref())?;
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        let folder = tempfile::Builder::new()
            .prefix(".pruning-")
            .tempdir_in(parent)
            .with_context(|| format!("cannot write into {}", parent.display()))?;
        let card = PruningCard { version: CARD_VERSION, model, before, steps: Vec::new(), parity: None };
        // Every step is measured by the head that the first measurement found.
        let head = head.or_else(|| report.as_ref().map(|report| report.head.clone()));
        Ok(Self { folder, path: directory.to_owned(), answers, rows, head, card, report })
    }

    /// Goes on by one way of pruning, from one folder to another.
    pub(super) fn step(
        &mut self,
        way: impl FnOnce(&Path, &Path) -> Result<PruningReport, TrainingError>,
    ) -> anyhow::Result<()> {
        let target = self.folder.path().join(self.card.steps.len().to_string());
        let done = way(&self.path, &target)?;
        if self.answers {
            export(&target)?;
        }
        let (after, report) = Measures::of(&target, self.rows, self.head.as_deref())?;
        self.card.steps.push(PruningStep { done, after });
        (self.path, self.report) = (target, report);
        Ok(())
    }

    /// Checks the result, and writes its card into it.
    pub(super) fn finish(&mut self, texts: &[String]) -> anyhow::Result<()> {
        if self.answers {
            self.card.parity = Some(compare_backends(&self.path, texts)?);
        }
        let path = self.path.join(CARD);
        let text = serde_json::to_string_pretty(&self.card).context("the card cannot be written as JSON")?;
        fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}
