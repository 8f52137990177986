//! What a model answers: one head for each question, such as sentiment or topic.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What an answer is, and so how a head's logits become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// One of the labels.
    #[default]
    SingleLabel,
    /// For each word, one of the labels.
    Tokens,
}

impl TaskKind {
    /// The name that files have for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SingleLabel => "single-label",
            Self::Tokens => "tokens",
        }
    }

    /// Whether it is the kind of a head that names none.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One question that a model answers, with the labels it chooses from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The question: `sentiment`, `topic`.
    pub name: Arc<str>,
    /// What an answer is.
    #[serde(default, skip_serializing_if = "TaskKind::is_default")]
    pub kind: TaskKind,
    /// The answers, in the order of the probabilities.
    pub labels: Vec<Arc<str>>,
}

impl Head {
    /// A head of these labels, one of which is the answer.
    pub fn new<L: Into<Arc<str>>>(name: impl Into<Arc<str>>, labels: impl IntoIterator<Item = L>) -> Self {
        Self { name: name.into(), kind: TaskKind::default(), labels: labels.into_iter().map(Into::into).collect() }
    }

    /// The same head with answers of another kind.
    pub fn of_kind(self, kind: TaskKind) -> Self {
        Self { kind, ..self }
    }

    /// Where a label stands among the probabilities.
    pub fn position(&self, label: &str) -> Option<usize> {
        self.labels.iter().position(|own| &**own == label)
    }
}

/// Whether the heads label words; then there is one.
pub(crate) fn label_words(heads: &[Head]) -> bool {
    heads.iter().any(|head| head.kind == TaskKind::Tokens)
}

/// The number of logits that these heads take together.
pub(crate) fn width(heads: &[Head]) -> usize {
    heads.iter().map(|head| head.labels.len()).sum()
}
