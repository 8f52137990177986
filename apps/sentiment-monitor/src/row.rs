//! The row that a scored message becomes, and what the evaluator reads of it.

use std::sync::Arc;

use alerting::{Mention, Observation};
use clickhouse::Row;
use foundation::EventTime;
use serde::{Deserialize, Serialize};
use storage::{Migration, columns};

/// The table of scored messages.
pub const TABLE: &str = "sentiment_scores";

/// Under this name the monitor's tables stand in `schema_migrations`.
pub const COMPONENT: &str = "sentiment-monitor";

/// The monitor's schema.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "sentiment scores", sql: include_str!("../migrations/0001_sentiment_scores.sql") },
    Migration { version: 2, name: "entity hourly", sql: include_str!("../migrations/0002_entity_hourly.sql") },
    Migration { version: 3, name: "gravity", sql: include_str!("../migrations/0003_gravity.sql") },
];

/// One row of `sentiment_scores`: one message of one feed, scored once.
#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
pub struct ScoreRow {
    /// Kafka topic, or the file of a backtest.
    pub topic: Arc<str>,
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset, or the row number in a file.
    pub offset: i64,
    /// The feed's own id of the message.
    pub id: String,
    /// When the message says that it happened.
    #[serde(with = "columns::event_time")]
    pub event_time: EventTime,
    /// When Kafka took the record.
    #[serde(with = "columns::event_time")]
    pub record_time: EventTime,
    /// When the model scored it.
    #[serde(with = "columns::event_time")]
    pub scored_at: EventTime,
    /// The feed's source field, or empty.
    pub source: String,
    /// Companies named, most relevant first.
    pub entities: Vec<Arc<str>>,
    /// Relevance of each entity, 0 to 1.
    pub relevance: Vec<f32>,
    /// Label of the model's topic head, or empty.
    pub subject: Arc<str>,
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
    /// Probability that the news, if it is bad, is grave; 1 where the model does not tell.
    pub gravity: f32,
    /// 1 − similarity to what the partition brought in the last 24 hours.
    pub novelty: f32,
    /// Name of the model in the registry.
    pub model: Arc<str>,
    /// Its version.
    pub model_version: Arc<str>,
    /// Title, or empty.
    pub title: String,
    /// Text as cleaned for scoring.
    pub text: Arc<str>,
}

/// What the evaluator reads of a row.
#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// Kafka topic.
    pub topic: Arc<str>,
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset.
    pub offset: i64,
    /// When the message says that it happened.
    #[serde(with = "columns::event_time")]
    pub event_time: EventTime,
    /// Companies named.
    pub entities: Vec<Arc<str>>,
    /// Relevance of each.
    pub relevance: Vec<f32>,
    /// Label of the topic head, or empty.
    pub subject: Arc<str>,
    /// Source, or empty.
    pub source: Arc<str>,
    /// Probability of positive.
    pub positive: f32,
    /// Probability of negative.
    pub negative: f32,
    /// `positive - negative`.
    pub score: f32,
    /// Probability of grave.
    pub gravity: f32,
    /// Title where there is one, else text.
    pub headline: Arc<str>,
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
            source: row.source.into(),
            positive: row.positive,
            negative: row.negative,
            score: row.score,
            gravity: row.gravity,
            headline: if row.title.is_empty() { row.text } else { row.title.into() },
        }
    }
}

impl From<EvaluationRow> for Observation {
    fn from(row: EvaluationRow) -> Self {
        let some = |text: Arc<str>| (!text.is_empty()).then_some(text);
        let mentions = row.entities.into_iter().zip(row.relevance);
        Self {
            topic: row.topic,
            partition: row.partition,
            offset: row.offset,
            time: row.event_time,
            entities: mentions.map(|(name, relevance)| Mention { name, relevance }).collect(),
            label_topic: some(row.subject),
            positive: row.positive,
            negative: row.negative,
            score: row.score,
            gravity: row.gravity,
            title_or_text: row.headline,
            source: some(row.source),
        }
    }
}
