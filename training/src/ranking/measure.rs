//! How well the encoder finds answers as it is.

use candle_core::Tensor;
use inference::Tokens;

use super::fit::RankingLearner;
use crate::engine::{Mode, unit};
use crate::error::TrainingError;
use crate::metrics::{RetrievalReport, ranks};

/// Texts that are encoded, and queries that are ranked, together.
const BLOCK: usize = 64;

impl RankingLearner<'_> {
    /// Ranks all answers for the queries of each side.
    pub(super) fn rank<const N: usize>(&self, sides: [&[usize]; N]) -> Result<[RetrievalReport; N], TrainingError> {
        let candidates = self.units(&self.answers.iter().collect::<Vec<_>>())?.t()?;
        let mut reports = [RetrievalReport::default(); N];
        for (report, side) in reports.iter_mut().zip(sides) {
            let mut rankings = Vec::with_capacity(side.len());
            for block in side.chunks(BLOCK) {
                let queries = self.units(&block.iter().map(|query| &self.queries[*query]).collect::<Vec<_>>())?;
                let scores = queries.matmul(&candidates)?.to_vec2::<f32>()?;
                let ranked = block.iter().zip(&scores);
                rankings
                    .extend(ranked.map(|(query, scores)| ranks(scores, |place| self.pairs.is_right(*query, place))));
            }
            *report = RetrievalReport::of(&rankings, self.answers.len());
        }
        Ok(reports)
    }

    /// Texts' vectors of length one, `[texts, hidden]`.
    pub(super) fn units(&self, texts: &[&Tokens]) -> Result<Tensor, TrainingError> {
        let blocks = texts.chunks(BLOCK).map(|block| self.vectors(block.iter().copied(), Mode::Evaluation));
        Ok(unit(&Tensor::cat(&blocks.collect::<Result<Vec<_>, _>>()?, 0)?)?)
    }
}
