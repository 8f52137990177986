//! An encoder that learns to find answers by queries.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use inference::{TextTokenizer, Tokens};

use super::pairs::Pairs;
use super::{RankingEpoch, RankingRun};
use crate::engine::{
    Classifier, EncoderConfig, Mode, MultipleNegatives, PackedBatch, Parameter, Pooling, ScheduleKind, Weights,
};
use crate::error::TrainingError;
use crate::random::Random;
use crate::unlabelled::{Learner, Plan};

/// An encoder that learns to find answers by queries.
pub(super) struct RankingLearner<'a> {
    run: &'a RankingRun,
    pub(super) pairs: &'a Pairs,
    pub(super) config: EncoderConfig,
    /// Without heads: its pooled states are what it answers.
    pub(super) model: Classifier,
    pub(super) queries: Vec<Tokens>,
    pub(super) answers: Vec<Tokens>,
    /// What is learned from, in the epoch's order.
    learned: Vec<(usize, usize)>,
}

impl<'a> RankingLearner<'a> {
    pub(super) fn new(run: &'a RankingRun, base: &Path, pairs: &'a Pairs) -> Result<Self, TrainingError> {
        let mut config = EncoderConfig::load(base)?;
        config.pooling = Some(Pooling::Mean);
        let path = base.join("tokenizer.json");
        let longest = run.settings.max_tokens.min(config.max_position_embeddings);
        let tokenizer = TextTokenizer::open_cutting_at(&path, longest)?;
        if tokenizer.vocabulary_size() > config.vocab_size {
            let message = "knows more tokens than config.json's vocab_size".to_owned();
            return Err(TrainingError::BaseEncoder { path, message });
        }
        let tokens = |texts: &[String]| -> Result<Vec<Tokens>, TrainingError> {
            texts.iter().map(|text| Ok(tokenizer.encode(text)?)).collect()
        };
        let (queries, answers) = (tokens(&pairs.queries)?, tokens(&pairs.answers)?);
        let model = Classifier::new(&config, &Weights::load(base)?, &[], run.seed)?;
        Ok(Self { run, pairs, config, model, queries, answers, learned: pairs.train.clone() })
    }

    pub(super) fn plan(&self) -> Plan {
        let RankingRun { seed, settings, .. } = self.run;
        Plan {
            title: "training the encoder",
            unit: "pairs",
            seed: *seed,
            epochs: settings.epochs,
            batch_size: settings.batch_size,
            learning_rate: settings.learning_rate,
            schedule: ScheduleKind::Linear,
            warmup: settings.warmup,
            dropout: settings.dropout,
            // All epochs are run, and the best one's weights kept.
            patience: Some(settings.epochs),
        }
    }

    /// The means of texts' token vectors, `[texts, hidden]`.
    pub(super) fn vectors<'t>(
        &self,
        texts: impl Iterator<Item = &'t Tokens>,
        mode: Mode,
    ) -> Result<Tensor, TrainingError> {
        Ok(self.model.encode(&Arc::new(PackedBatch::new(texts.map(Tokens::ids))), mode)?)
    }
}

impl Learner for RankingLearner<'_> {
    type Measured = RankingEpoch;

    fn parameters(&self) -> Vec<&Parameter> {
        self.model.parameters()
    }

    fn pieces(&self) -> usize {
        self.learned.len()
    }

    fn amount(&self, pieces: Range<usize>) -> usize {
        pieces.len()
    }

    fn shuffle(&mut self, order: &mut Random) {
        order.shuffle(&mut self.learned);
    }

    fn loss(&mut self, pieces: Range<usize>, mode: Mode) -> Result<Option<Tensor>, TrainingError> {
        let batch = &self.learned[pieces];
        if batch.len() < 2 {
            // A pair that is left over alone has nothing to be told from.
            return Ok(None);
        }
        let queries = batch.iter().map(|(query, _)| &self.queries[*query]);
        let vectors = self.vectors(queries.chain(batch.iter().map(|(_, answer)| &self.answers[*answer])), mode)?;
        let loss = MultipleNegatives { temperature: self.run.settings.temperature };
        let right = |row: usize, column: usize| self.pairs.is_right(batch[row].0, batch[column].1);
        let (queries, answers) = (vectors.narrow(0, 0, batch.len())?, vectors.narrow(0, batch.len(), batch.len())?);
        Ok(Some(loss.mean(&queries, &answers, right)?))
    }

    fn measure(&self, epoch: usize, loss: Option<f64>) -> Result<RankingEpoch, TrainingError> {
        let [validation] = self.rank([&self.pairs.validation])?;
        Ok(RankingEpoch { epoch, loss, validation })
    }
}
