//! What the evaluator is fed.

use std::sync::Arc;

use foundation::EventTime;
use serde::{Deserialize, Serialize};

/// An entity that a message speaks of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mention {
    /// The entity's name, as the dictionary gives it.
    pub name: Arc<str>,
    /// How much the message is about it, from 0 to 1.
    pub relevance: f32,
}

/// One scored message.
///
/// (topic, partition, offset) is its identity: offering it twice counts once while it is in a buffer or a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Kafka topic, or file name.
    pub topic: Arc<str>,
    /// Partition of the topic.
    pub partition: i32,
    /// Offset in the partition, or row of the file.
    pub offset: i64,
    /// When it happened.
    pub time: EventTime,
    /// The entities that it mentions; one named twice counts with its higher relevance.
    pub entities: Vec<Mention>,
    /// The model's topic label.
    pub label_topic: Option<Arc<str>>,
    /// Probability of the positive class.
    pub positive: f32,
    /// Probability of the negative class.
    pub negative: f32,
    /// p(positive) − p(negative).
    pub score: f32,
    /// Probability that the news, if it is bad, is grave: a threat to what it is about. 1 where the model does not tell.
    #[serde(default = "certain")]
    pub gravity: f32,
    /// The headline, or the text where there is none: evidence, and what near-duplicates are told by.
    pub title_or_text: Arc<str>,
    /// Who published it.
    pub source: Option<Arc<str>>,
}

/// What states that were saved before the model told mean.
fn certain() -> f32 {
    1.0
}

impl Observation {
    /// The order of evaluation among observations of one instant, and the identity.
    pub(crate) fn position(&self) -> (&Arc<str>, i32, i64) {
        (&self.topic, self.partition, self.offset)
    }
}
