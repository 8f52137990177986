//! What a ranking run tells of itself: `ranking.json`.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::RankingSettings;
use crate::directory::write_json;
use crate::error::TrainingError;
use crate::export::ParityReport;
use crate::metrics::RetrievalReport;
use crate::unlabelled::Measured;

pub(super) const VERSION: u32 = 1;

/// How a ranking run went. Every query is measured against all answers of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankingReport {
    /// The version of this layout: 1.
    pub version: u32,
    /// What the base encoder is called.
    pub base: String,
    /// The seed.
    pub seed: u64,
    /// The settings.
    pub settings: RankingSettings,
    /// Distinct queries.
    pub queries: usize,
    /// Distinct answers.
    pub answers: usize,
    /// Pairs learned from.
    pub pairs: usize,
    /// Rows without a query or an answer, and pairs whose answer is right for a query that is measured.
    pub left_out: usize,
    /// SHA-256 over the distinct pairs.
    pub data_digest: String,
    /// The test side by the base encoder as it is, its token vectors' mean.
    pub before: RetrievalReport,
    /// The test side by the trained encoder.
    pub after: RetrievalReport,
    /// The validation side before the first step, then after each epoch.
    pub measured: Vec<RankingEpoch>,
    /// The epoch whose encoder is kept; 0 for the base as it was.
    pub best_epoch: usize,
    /// How far the back ends are from the trainer.
    pub parity: ParityReport,
    /// Pairs learned from a second of training steps.
    pub pairs_per_second: f64,
    /// The whole run.
    pub seconds: f64,
}

/// One pass over the pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RankingEpoch {
    /// Epochs before it.
    pub epoch: usize,
    /// The mean loss of the last one's steps; none before the first.
    pub loss: Option<f64>,
    /// The validation side after it.
    pub validation: RetrievalReport,
}

impl RankingReport {
    pub(super) fn write(&self, out: &Path) -> Result<(), TrainingError> {
        let path = out.join("ranking.json");
        let report = serde_json::to_value(self).map_err(std::io::Error::other);
        write_json(&path, &report.map_err(|source| TrainingError::Unwritable { path: path.clone(), source })?)
    }
}

impl Measured for RankingEpoch {
    fn loss(&self) -> f64 {
        1.0 - self.validation.reciprocal_rank
    }
}

impl fmt::Display for RankingEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loss, validation, .. } = self;
        let loss = loss.map(|loss| format!("loss {loss:.3}, ")).unwrap_or_default();
        write!(f, "{loss}validation {validation}")
    }
}

impl fmt::Display for RankingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, queries, answers, pairs, left_out, before, after, best_epoch, .. } = self;
        writeln!(
            f,
            "{base}: {pairs} pairs of {queries} queries and {answers} answers, {:.0}/s, {:.0} s; {left_out} left out",
            self.pairs_per_second, self.seconds
        )?;
        self.measured.iter().try_for_each(|measured| writeln!(f, "  epoch {}: {measured}", measured.epoch))?;
        writeln!(f, "epoch {best_epoch} is kept; {} test queries, {} candidates", after.queries, after.candidates)?;
        writeln!(f, "  before  {before}")?;
        writeln!(f, "  after   {after}")
    }
}
