//! What a model answers: one head for each question, such as sentiment or topic.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What an answer is, and so how a head's logits become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// One of the labels: their softmax.
    #[default]
    SingleLabel,
    /// Any number of the labels, none among them: each one's sigmoid.
    MultiLabel,
    /// A number: the logit itself.
    Regression,
    /// For each word, one of the labels.
    Tokens,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::SingleLabel, Self::MultiLabel, Self::Regression, Self::Tokens];

    /// The name that files have for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SingleLabel => "single-label",
            Self::MultiLabel => "multi-label",
            Self::Regression => "regression",
            Self::Tokens => "tokens",
        }
    }

    /// What Transformers calls it, in `problem_type` of `config.json`; none for words, which have a class of their own there.
    pub const fn problem_type(self) -> Option<&'static str> {
        match self {
            Self::SingleLabel => Some("single_label_classification"),
            Self::MultiLabel => Some("multi_label_classification"),
            Self::Regression => Some("regression"),
            Self::Tokens => None,
        }
    }

    /// The kind that Transformers calls so.
    pub fn of_problem_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.problem_type() == Some(name))
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
    /// The answers, in the order of the probabilities; a number's name where it is a regression.
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
