//! How a model's answers move with the word vectors that it reads.

use std::sync::Arc;

use candle_core::{Device, Result, Var};

use super::classifier::Classifier;
use super::encoder::Mode;
use super::loss::{log_softmax, sigmoid};
use super::packing::PackedBatch;
use crate::run::TaskKind;

/// One of the answers that a model gives to a text: a label's probability, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The head's index.
    pub(crate) head: usize,
    /// What its answers are.
    pub(crate) kind: TaskKind,
    /// The label's index among the head's.
    pub(crate) label: usize,
}

/// Answers to the sequences of a batch, and their slopes.
#[derive(Debug)]
pub(crate) struct Sensitivity {
    /// `[rows]`.
    pub(crate) answers: Vec<f32>,
    /// Of each row's answer with respect to its own tokens' word vectors, `[tokens, hidden]`.
    pub(crate) slopes: Vec<f32>,
}

impl Classifier {
    /// The answers to the sequences of a batch with `offsets`, `[tokens, hidden]`, added to their word vectors. Cheapest where
    /// nothing learns.
    pub(crate) fn sensitivity(&self, batch: &PackedBatch, offsets: Vec<f32>, answer: Answer) -> Result<Sensitivity> {
        let tokens = batch.tokens().len();
        let offsets = Var::from_vec(offsets, (tokens, self.hidden()), &Device::Cpu)?;
        let batch = Arc::new(batch.moved(offsets.clone()));
        let states = self.encode(&batch, Mode::Training { seed: 0, step: 0, dropout: 0.0 })?;
        let logits = self.logits(&states, answer.head)?;
        let answers = match answer.kind {
            TaskKind::SingleLabel | TaskKind::Tokens => log_softmax(&logits)?.exp()?,
            TaskKind::MultiLabel => sigmoid(&logits)?,
            TaskKind::Regression => logits,
        };
        let answers = answers.narrow(1, answer.label, 1)?;
        // A row's answer depends on its own tokens alone, so that the sum's gradient is each row's.
        let mut gradients = answers.sum_all()?.backward()?;
        let slopes = match gradients.remove(&offsets) {
            Some(slopes) => slopes.flatten_all()?.to_vec1()?,
            None => vec![0.0; tokens * self.hidden()],
        };
        Ok(Sensitivity { answers: answers.flatten_all()?.to_vec1()?, slopes })
    }
}
