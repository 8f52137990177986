//! What training makes small: a head's loss against what it should answer, and R-Drop's distance between two runs of one row.

mod binary_cross_entropy;
mod class_balanced;
mod cross_entropy;
mod distilled;
mod divergence;
mod focal;
mod info_nce;
mod multiple_negatives;
mod squared_error;

use std::fmt::Debug;

use candle_core::{D, Device, Result, Tensor};
use serde::{Deserialize, Serialize};

use divergence::divergence;

use crate::dataset::Target;
use crate::run::TaskKind;

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use class_balanced::{ClassBalanced, Weighted};
pub use cross_entropy::CrossEntropy;
pub use distilled::Distilled;
pub use focal::{BinaryFocal, Focal};
pub use info_nce::InfoNce;
pub use multiple_negatives::MultipleNegatives;
pub(crate) use multiple_negatives::unit;
pub use squared_error::SquaredError;

/// How far a head's answers are from what they should be.
///
/// That of labels is linear in what is wanted: a mixed or smoothed target's loss is the mix of its parts' losses.
pub trait Loss: Debug + Send + Sync {
    /// The mean over rows. Both tensors are `[rows, labels]`; a row of `wanted` is a distribution over the labels, each one's
    /// own probability, or a number, by the task's kind.
    fn mean(&self, logits: &Tensor, wanted: &Tensor) -> Result<Tensor>;
}

/// A task's loss, as its run names it: `loss = { kind = "focal", gamma = 2.0 }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LossKind {
    /// Every row and label counts alike. Each of many labels has a binary cross-entropy, and a number its squared error.
    CrossEntropy {},
    /// What is answered well already counts less; not for numbers.
    Focal(Focal),
    /// Labels that stand in few rows count more; only where a row has one label.
    ClassBalanced(ClassBalanced),
}

impl Default for LossKind {
    fn default() -> Self {
        Self::CrossEntropy {}
    }
}

impl LossKind {
    /// The loss of a task of this kind whose labels have these numbers of rows.
    pub fn build(&self, kind: TaskKind, rows: &[usize]) -> Box<dyn Loss> {
        match (kind, self) {
            (TaskKind::Regression, _) => Box::new(SquaredError),
            (TaskKind::MultiLabel, Self::Focal(focal)) => Box::new(BinaryFocal(*focal)),
            (TaskKind::MultiLabel, _) => Box::new(BinaryCrossEntropy),
            (TaskKind::SingleLabel | TaskKind::Tokens, Self::CrossEntropy {}) => Box::new(CrossEntropy),
            (TaskKind::SingleLabel | TaskKind::Tokens, Self::Focal(focal)) => Box::new(*focal),
            (TaskKind::SingleLabel | TaskKind::Tokens, Self::ClassBalanced(balanced)) => Box::new(balanced.over(rows)),
        }
    }

    /// What is wrong with its values, or with it in a task of this kind.
    pub(crate) fn fault(&self, kind: TaskKind) -> Option<&'static str> {
        match self {
            Self::Focal(_) | Self::ClassBalanced(_) if kind == TaskKind::Regression => {
                Some("must not be set: a regression has the squared error, and no labels to weigh")
            }
            Self::ClassBalanced(_) if kind == TaskKind::MultiLabel => {
                Some("must be cross-entropy or focal where rows have several labels")
            }
            Self::Focal(Focal { gamma }) if !(0.0..=10.0).contains(gamma) => Some("gamma must be 0 to 10"),
            Self::ClassBalanced(ClassBalanced { beta }) if !(0.0..1.0).contains(beta) => {
                Some("beta must be 0 to below 1")
            }
            _ => None,
        }
    }
}

/// What is made small for one head.
#[derive(Debug)]
pub struct Objective {
    /// What an answer is.
    pub kind: TaskKind,
    /// The share of each target that is spread evenly: over all labels, or over a label's yes and no. Numbers stay what they are.
    pub label_smoothing: f64,
    /// The weight of half the symmetric Kullback-Leibler divergence between a row's two runs. Above 0 the logits must be those of
    /// the rows, then of the same rows again (Liang and others, "R-Drop", 2021).
    pub r_drop: f64,
    /// How far an answer is from its target.
    pub loss: Box<dyn Loss>,
}

impl Objective {
    /// How often each row is run.
    pub fn runs(&self) -> usize {
        if self.r_drop > 0.0 { 2 } else { 1 }
    }

    /// What the head should answer, `[runs * rows, labels]`; `targets` holds one for each of the rows, or the tags of some of
    /// them, which are words then.
    pub fn wanted(&self, targets: &[&Target], labels: usize) -> Result<Tensor> {
        let mut wanted = Vec::with_capacity(targets.len() * self.runs() * labels);
        for target in targets.iter().cycle().take(targets.len() * self.runs()) {
            wanted.extend(self.wanted_of(target, labels));
        }
        let rows = wanted.len() / labels;
        Tensor::from_vec(wanted, (rows, labels), &Device::Cpu)
    }

    fn wanted_of(&self, target: &Target, labels: usize) -> Vec<f32> {
        match target {
            Target::Label(_) | Target::Tags(_) => {
                let given = target.labels();
                let mut wanted = vec![(self.label_smoothing / labels as f64) as f32; given.len() * labels];
                for (row, label) in wanted.chunks_exact_mut(labels).zip(given) {
                    row[*label] += (1.0 - self.label_smoothing) as f32;
                }
                wanted
            }
            // Annotators' votes as the target: Peterson and others, "Human Uncertainty Makes Classification More Robust", 2019.
            Target::Contested { label, agreement } => {
                let spread = self.label_smoothing / labels as f64;
                let other = (1.0 - agreement) / (labels.max(2) - 1) as f64;
                let wanted = |at| if at == *label { *agreement } else { other };
                (0..labels).map(|at| (spread + (1.0 - self.label_smoothing) * wanted(at)) as f32).collect()
            }
            Target::Labels(own) => {
                let mut wanted = vec![(self.label_smoothing / 2.0) as f32; labels];
                own.iter().for_each(|label| wanted[*label] = (1.0 - self.label_smoothing / 2.0) as f32);
                wanted
            }
            Target::Value(value) => vec![*value as f32; labels],
        }
    }

    /// The mean loss of logits `[runs * rows, labels]`.
    pub fn loss(&self, logits: &Tensor, wanted: &Tensor) -> Result<Tensor> {
        let loss = self.loss.mean(logits, wanted)?;
        if self.runs() == 1 {
            return Ok(loss);
        }
        let rows = logits.dim(0)? / self.runs();
        let (first, second) = (logits.narrow(0, 0, rows)?, logits.narrow(0, rows, rows)?);
        loss + (divergence(self.kind, &first, &second)? * (self.r_drop / rows as f64))?
    }
}

/// The mean over rows of their summed terms, which are at most zero, as a loss.
fn mean(terms: &Tensor) -> Result<Tensor> {
    terms.sum_all()? * (-1.0 / terms.dim(0)? as f64)
}

/// In operations that autograd knows: candle's fused ones cut the gradient silently.
pub(super) fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let highest = logits.max_keepdim(D::Minus1)?.detach();
    let shifted = logits.broadcast_sub(&highest)?;
    let total = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    shifted.broadcast_sub(&total)
}

/// The logarithm of a sigmoid's denominator, `ln (1 + eᶻ)`, without overflow.
fn softplus(logits: &Tensor) -> Result<Tensor> {
    let highest = logits.relu()?.detach();
    highest.clone() + ((logits - &highest)?.exp()? + highest.neg()?.exp()?)?.log()?
}

pub(super) fn sigmoid(logits: &Tensor) -> Result<Tensor> {
    (logits - softplus(logits)?)?.exp()
}

#[cfg(test)]
mod tests;
