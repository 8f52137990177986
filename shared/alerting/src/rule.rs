//! Alert rules, checked.

mod file;
mod sections;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use foundation::digest;
use foundation::similarity::NoveltyConfig;
use serde::{Deserialize, Serialize};

use crate::error::AlertingError;

/// The rules of one file, in its order.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    novelty: NoveltyConfig,
}

impl RuleSet {
    /// Reads rules from TOML; an error names file, line and column.
    pub fn parse(text: &str, path: &Path) -> Result<Self, AlertingError> {
        let (rules, novelty) = file::parse(text, path)?;
        Ok(Self { rules, novelty })
    }

    /// Reads a rule file.
    pub fn load(path: &Path) -> Result<Self, AlertingError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| AlertingError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// The rules, in the file's order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What counts as a near-duplicate.
    pub fn novelty(&self) -> &NoveltyConfig {
        &self.novelty
    }
}

/// One rule. Only [`RuleSet::parse`] makes one, so its parts go together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Rule {
    /// Unique in its file; the alert's name.
    pub name: Arc<str>,
    /// What one alert is about.
    pub scope: Scope,
    /// How bad it is.
    pub severity: Severity,
    /// Which messages count.
    pub filters: Filters,
    /// When the rule fires.
    pub condition: Condition,
    /// How long the condition must hold before it fires (`for`).
    pub hold: Duration,
    /// After a firing, no other for the same entity or topic for so long.
    pub cool_down: Duration,
    /// How long the condition must be over before the alert is resolved.
    pub resolve_after: Duration,
    /// How near-duplicates count.
    pub duplicates: Duplicates,
    /// Labels that every alert of this rule carries.
    pub labels: BTreeMap<String, String>,
    /// Names of the labels by which notifications are put together.
    pub group_by: BTreeSet<String>,
    /// Messages that an alert carries at most.
    pub evidence: usize,
}

impl Rule {
    /// Changes whenever the rule does: state that was gathered under another rule is not used.
    pub(crate) fn fingerprint(&self) -> String {
        // A struct of plain fields always has a JSON form.
        let mut text = digest::sha256(&serde_json::to_vec(self).unwrap_or_default());
        text.truncate(16);
        text
    }

    /// The length of the rule's window; zero for a message rule.
    pub(crate) fn window(&self) -> Duration {
        match &self.condition {
            Condition::Message(_) => Duration::ZERO,
            Condition::Threshold(threshold) => threshold.window,
            Condition::Surge(surge) => surge.window,
        }
    }
}

/// What one alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Each entity by itself.
    Entity,
    /// Each topic label by itself.
    Topic,
    /// The whole feed.
    All,
}

impl Scope {
    /// As in the rule file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Topic => "topic",
            Self::All => "all",
        }
    }
}

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Critical,
}

impl Severity {
    /// As in the rule file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How near-duplicates of a message count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// A story counts once, however often it is syndicated.
    Once,
    /// Every message counts.
    Each,
}

/// Which messages count; an empty set lets all through. Topics are compared without regard to case.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Filters {
    /// Topic labels.
    pub topics: BTreeSet<String>,
    /// Topic labels that do not count; a message without a label counts.
    pub exclude_topics: BTreeSet<String>,
    /// Entities' names.
    pub entities: BTreeSet<String>,
    /// Publishers.
    pub sources: BTreeSet<String>,
    /// The least relevance of a mention.
    pub min_relevance: f32,
}

/// When a rule fires.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Condition {
    /// On one message.
    Message(MessageCondition),
    /// On a measure over a sliding window.
    Threshold(ThresholdCondition),
    /// On far more negative news than this entity and this hour let expect.
    Surge(SurgeCondition),
}

/// A single message is bad enough.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MessageCondition {
    /// p(positive) − p(negative) is at most this.
    pub max_score: f32,
    /// The probability that the news is grave is at least this.
    pub min_gravity: f32,
    /// The message is at least this new against the last day's: 1 − similarity.
    pub min_novelty: f32,
}

/// A measure over a sliding window passes a bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ThresholdCondition {
    /// What is measured.
    pub metric: Metric,
    /// Length of the window, which is open at its start and closed at its end.
    pub window: Duration,
    /// The bound that fires.
    pub bound: Bound,
    /// The bound that a firing alert must be on the other side of to end; equal to the firing one without hysteresis.
    pub resolve: f64,
    /// Below so many messages the rule does not fire; at least 1.
    pub min_messages: u64,
    /// From this probability of the negative class on a message is negative.
    pub min_negative: f32,
}

/// Which side of a number fires.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Bound {
    /// The measure is this or more.
    AtLeast(f64),
    /// The measure is this or less.
    AtMost(f64),
}

/// A measure over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Messages.
    Count,
    /// Messages whose negative class is likely.
    NegativeCount,
    /// Σ p(negative) · relevance.
    NegativeMass,
    /// Mean of p(positive) − p(negative), weighted by relevance.
    MeanScore,
    /// Negative messages among all.
    NegativeShare,
}

/// Far more negative news than expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SurgeCondition {
    /// Length of the window.
    pub window: Duration,
    /// Fires when so much negative mass or more had at most this probability.
    pub probability: f64,
    /// A firing alert ends when what is left in the window had at least this probability.
    pub resolve_probability: f64,
    /// Negative mass below which the rule never fires.
    pub min_mass: f64,
    /// Negative messages below which the rule never fires.
    pub min_messages: u64,
    /// From this probability of the negative class on, weighed by gravity, a message is negative.
    pub min_negative: f32,
    /// What a message's neutral probability counts, its negative one counting 1: around bad news, attention itself is a sign.
    /// At 0, messages that are not negative do not count at all.
    pub neutral_weight: f32,
    /// What bad news that is not grave weighs, grave news weighing 1. A model that does not tell calls all of it grave.
    pub ordinary_weight: f32,
    /// After this time, an entity's history counts half.
    pub half_life: Duration,
    /// Negative mass that an entity that nothing is known of gets in a week.
    pub prior_per_week: f64,
    /// How clustered news is: the shape of the negative binomial is at most this.
    pub max_shape: f64,
    /// While it fires and after the cool-down, so many times the last firing's value fires again.
    pub escalation: f64,
}
