//! What a model classifies: one head for each question, such as sentiment or topic.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One question that a model answers, with the labels it chooses from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The question: `sentiment`, `topic`.
    pub name: Arc<str>,
    /// The answers, in the order of the probabilities.
    pub labels: Vec<Arc<str>>,
}

impl Head {
    /// A head of these labels.
    pub fn new<L: Into<Arc<str>>>(name: impl Into<Arc<str>>, labels: impl IntoIterator<Item = L>) -> Self {
        Self { name: name.into(), labels: labels.into_iter().map(Into::into).collect() }
    }

    /// Where a label stands among the probabilities.
    pub fn position(&self, label: &str) -> Option<usize> {
        self.labels.iter().position(|own| &**own == label)
    }
}

/// The number of logits that these heads take together.
pub(crate) fn width(heads: &[Head]) -> usize {
    heads.iter().map(|head| head.labels.len()).sum()
}
