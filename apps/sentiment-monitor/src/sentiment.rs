//! Which columns of a model mean positive, neutral and negative, which the subject, and which that news is grave.

use std::sync::Arc;

use inference::{Head, Scores, TaskKind};

/// The names under which label lists are looked at.
const POSITIVE: [&str; 3] = ["positive", "pos", "bullish"];
const NEGATIVE: [&str; 3] = ["negative", "neg", "bearish"];
const NEUTRAL: [&str; 2] = ["neutral", "neu"];
const GRAVE: &str = "grave";

/// Where in a model's output the sentiment and the subject stand.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputMap {
    sentiment: SentimentColumns,
    subject: Option<SubjectColumns>,
    gravity: Option<GravityColumn>,
}

#[derive(Debug, Clone, PartialEq)]
struct SentimentColumns {
    head: usize,
    positive: usize,
    negative: usize,
    neutral: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
struct SubjectColumns {
    head: usize,
    labels: Vec<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq)]
struct GravityColumn {
    head: usize,
    grave: usize,
}

/// The model cannot serve the monitor.
#[derive(Debug, thiserror::Error)]
pub enum NoSentimentHead {
    /// No head has the labels.
    #[error(
        "model {model} has no head with the labels positive and negative (its heads: {heads}): train one with those labels, \
         or name another model with --model"
    )]
    NoLabels {
        /// The model's name.
        model: String,
        /// Its heads with their labels.
        heads: String,
    },
    /// The head's answers are no choice among its labels.
    #[error(
        "head {head} of model {model} is {kind}: a message has one sentiment, so train the head with kind = \"single-label\", or \
         name another model with --model"
    )]
    Kind {
        /// The model's name.
        model: String,
        /// The sentiment head.
        head: String,
        /// What its answers are.
        kind: TaskKind,
    },
}

/// Probabilities of one message; the three sentiments add up to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentiment {
    /// Probability of positive.
    pub positive: f32,
    /// Probability of neutral: what positive and negative leave.
    pub neutral: f32,
    /// Probability of negative.
    pub negative: f32,
    /// The likeliest label of the subject head and its probability.
    pub subject: Option<(Arc<str>, f32)>,
    /// Probability that the news is grave; 1 where the model has no such head.
    pub gravity: f32,
}

impl Sentiment {
    /// p(positive) − p(negative), −1 to 1.
    pub fn score(&self) -> f32 {
        self.positive - self.negative
    }
}

impl OutputMap {
    /// Finds the sentiment head (the one named `sentiment`, else the first with positive and negative labels), the subject
    /// head (the one named `topic` or `subject`) and the gravity head (the one with a label `grave`).
    pub fn new(model: &str, heads: &[Head]) -> Result<Self, NoSentimentHead> {
        let columns = |(index, head): (usize, &Head)| SentimentColumns::of(index, &head.labels);
        let indexed = || heads.iter().enumerate();
        let named = indexed().filter(|(_, head)| &*head.name == "sentiment").find_map(columns);
        let sentiment = named.or_else(|| indexed().find_map(columns)).ok_or_else(|| NoSentimentHead::NoLabels {
            model: model.to_owned(),
            heads: heads
                .iter()
                .map(|head| format!("{} [{}]", head.name, head.labels.join(", ")))
                .collect::<Vec<_>>()
                .join(", "),
        })?;
        let head = &heads[sentiment.head];
        if head.kind != TaskKind::SingleLabel {
            let (model, head, kind) = (model.to_owned(), head.name.to_string(), head.kind);
            return Err(NoSentimentHead::Kind { model, head, kind });
        }
        let indexed = || indexed().filter(|(_, head)| head.kind != TaskKind::Regression);
        let subject = indexed()
            .find(|(index, head)| *index != sentiment.head && matches!(&*head.name, "topic" | "subject"))
            .map(|(index, head)| SubjectColumns { head: index, labels: head.labels.clone() });
        let gravity = indexed().find_map(|(head, Head { labels, .. })| {
            let grave = labels.iter().position(|label| label.eq_ignore_ascii_case(GRAVE))?;
            Some(GravityColumn { head, grave })
        });
        Ok(Self { sentiment, subject, gravity })
    }

    /// Reads one message's probabilities.
    pub fn read(&self, scores: &Scores) -> Sentiment {
        let columns = &self.sentiment;
        let probabilities = scores.head(columns.head);
        let (positive, negative) = (probabilities[columns.positive], probabilities[columns.negative]);
        let neutral =
            columns.neutral.map_or_else(|| (1.0 - positive - negative).max(0.0), |column| probabilities[column]);
        let subject = self.subject.as_ref().and_then(|subject| {
            let (best, probability) = scores.best(subject.head)?;
            Some((Arc::clone(&subject.labels[best]), probability))
        });
        let gravity = self.gravity.as_ref().map_or(1.0, |gravity| scores.head(gravity.head)[gravity.grave]);
        Sentiment { positive, neutral, negative, subject, gravity }
    }
}

impl SentimentColumns {
    fn of(head: usize, labels: &[Arc<str>]) -> Option<Self> {
        let find = |names: &[&str]| labels.iter().position(|label| names.contains(&label.to_lowercase().as_str()));
        Some(Self { head, positive: find(&POSITIVE)?, negative: find(&NEGATIVE)?, neutral: find(&NEUTRAL) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_heads_whatever_their_order_and_case() {
        let heads =
            [Head::new("topic", ["Earnings", "Legal"]), Head::new("sentiment", ["Neutral", "NEGATIVE", "Positive"])];
        let map = OutputMap::new("m", &heads).unwrap();
        let read = map.read(&Scores::new([vec![0.3, 0.7].into(), vec![0.5, 0.1, 0.4].into()]));
        assert_eq!((read.positive, read.neutral, read.negative), (0.4, 0.5, 0.1));
        assert_eq!(read.subject, Some((Arc::from("Legal"), 0.7)));
        assert!((read.score() - 0.3).abs() < 1e-6);
        assert_eq!(read.gravity, 1.0, "a model that does not tell calls all bad news grave");
        let heads = [Head::new("gravity", ["ordinary", "grave"]), Head::new("sentiment", ["negative", "positive"])];
        let read =
            OutputMap::new("m", &heads).unwrap().read(&Scores::new([vec![0.8, 0.2].into(), vec![0.5, 0.5].into()]));
        assert_eq!(read.gravity, 0.2);
    }

    #[test]
    fn a_two_class_model_has_the_rest_as_neutral() {
        let map = OutputMap::new("m", &[Head::new("label", ["negative", "positive"])]).unwrap();
        let read = map.read(&Scores::new([vec![0.25, 0.75].into()]));
        assert_eq!((read.positive, read.neutral, read.negative, read.subject), (0.75, 0.0, 0.25, None));
    }

    #[test]
    fn a_sentiment_head_of_another_kind_is_refused() {
        let head = Head::new("tone", ["negative", "positive"]).of_kind(TaskKind::MultiLabel);
        let error = OutputMap::new("news", &[head, Head::new("topic", ["a", "b"])]).unwrap_err().to_string();
        assert!(error.contains("head tone of model news is multi-label") && error.contains("single-label"), "{error}");
        // A number that is called so says nothing about gravity.
        let grave = Head::new("risk", ["grave"]).of_kind(TaskKind::Regression);
        let map = OutputMap::new("m", &[Head::new("label", ["negative", "positive"]), grave]).unwrap();
        assert_eq!(map.read(&Scores::new([vec![0.25, 0.75].into(), vec![-3.0].into()])).gravity, 1.0);
    }

    #[test]
    fn a_model_without_sentiment_is_refused_by_name() {
        let error = OutputMap::new("topics", &[Head::new("topic", ["Earnings", "Legal"])]).unwrap_err();
        assert!(error.to_string().contains("topics") && error.to_string().contains("Earnings"), "{error}");
    }
}
