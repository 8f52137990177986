//! The row that a scored message becomes, and what the evaluator reads of it.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

/// The table of scored messages.
pub const TABLE: &str = "sentiment_scores";

/// One row of `sentiment_scores`: one message of one feed, scored once. Times are milliseconds since the epoch, UTC.
#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
pub struct ScoreRow {
    /// Kafka topic, or the file of a backtest.
    pub topic: String,
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset, or the row number in a file.
    pub offset: i64,
    /// The feed's own id of the message.
    pub id: String,
    /// Event time.
    pub event_time: i64,
    /// When Kafka took the record.
    pub record_time: i64,
    /// When the model scored it.
    pub scored_at: i64,
    /// The feed's source field, or empty.
    pub source: String,
    /// Companies named, most relevant first.
    pub entities: Vec<String>,
    /// Relevance of each entity, 0 to 1.
    pub relevance: Vec<f32>,
    /// Label of the topic head, or empty.
    pub subject: String,
    /// Probability of that label.
    pub subject_probability: f32,
    /// Probability of each sentiment; the three add up to 1.
    pub positive: f32,
    /// See `positive`.
    pub neutral: f32,
    /// See `positive`.
    pub negative: f32,
    /// `positive - negative`, -1 to 1.
    pub score: f32,
    /// 1 − similarity to what the partition brought in the last 24 hours.
    pub novelty: f32,
    /// Name of the model in the registry.
    pub model: String,
    /// Its version.
    pub model_version: String,
    /// Title, or empty.
    pub title: String,
    /// Text as cleaned for scoring.
    pub text: String,
}

/// What the evaluator reads of a row.
#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// Kafka topic.
    pub topic: String,
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset.
    pub offset: i64,
    /// Event time, milliseconds.
    pub event_time: i64,
    /// Companies named.
    pub entities: Vec<String>,
    /// Relevance of each.
    pub relevance: Vec<f32>,
    /// Label of the topic head, or empty.
    pub subject: String,
    /// Source, or empty.
    pub source: String,
    /// Probability of positive.
    pub positive: f32,
    /// Probability of negative.
    pub negative: f32,
    /// `positive - negative`.
    pub score: f32,
    /// Title where there is one, else text.
    pub headline: String,
}

impl From<ScoreRow> for EvaluationRow {
    fn from(row: ScoreRow) -> Self {
        Self {
            topic: row.topic,
            partition: row.partition,
            offset: row.offset,
            event_time: row.event_time,
            entities: row.entities,
            relevance: row.relevance,
            subject: row.subject,
            source: row.source,
            positive: row.positive,
            negative: row.negative,
            score: row.score,
            headline: if row.title.is_empty() { row.text } else { row.title },
        }
    }
}
