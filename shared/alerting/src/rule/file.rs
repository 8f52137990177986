//! The rule file: TOML, with line and column in every refusal.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use foundation::configuration::line_and_column;
use foundation::similarity::NoveltyConfig;
use foundation::time::duration_text;
use serde::Deserialize;
use toml::Spanned;

use super::sections;
use super::{Condition, Duplicates, Filters, Metric, Rule, Scope, Severity};
use crate::error::AlertingError;

/// A refusal: where in the text, and why.
pub(super) struct Refusal {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<RuleTable>>,
    novelty: Option<Spanned<NoveltyConfig>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Message,
    Threshold,
    Surge,
}

/// Every key that a rule may have; which go together is checked afterwards, by kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleTable {
    pub(super) name: Spanned<String>,
    pub(super) kind: Spanned<Kind>,
    scope: Scope,
    severity: Option<Severity>,
    topics: Option<BTreeSet<String>>,
    exclude_topics: Option<Spanned<BTreeSet<String>>>,
    entities: Option<BTreeSet<String>>,
    sources: Option<BTreeSet<String>>,
    min_relevance: Option<Spanned<f32>>,
    #[serde(rename = "for")]
    pub(super) hold: Option<Spanned<String>>,
    pub(super) cool_down: Option<Spanned<String>>,
    pub(super) resolve_after: Option<Spanned<String>>,
    duplicates: Option<Duplicates>,
    labels: Option<BTreeMap<Spanned<String>, String>>,
    group_by: Option<Vec<Spanned<String>>>,
    evidence: Option<Spanned<usize>>,
    pub(super) max_score: Option<Spanned<f32>>,
    pub(super) min_gravity: Option<Spanned<f32>>,
    pub(super) min_novelty: Option<Spanned<f32>>,
    pub(super) metric: Option<Spanned<Metric>>,
    pub(super) window: Option<Spanned<String>>,
    pub(super) at_least: Option<Spanned<f64>>,
    pub(super) at_most: Option<Spanned<f64>>,
    pub(super) resolve_below: Option<Spanned<f64>>,
    pub(super) resolve_above: Option<Spanned<f64>>,
    pub(super) min_messages: Option<Spanned<u64>>,
    pub(super) min_negative: Option<Spanned<f32>>,
    pub(super) neutral_weight: Option<Spanned<f32>>,
    pub(super) ordinary_weight: Option<Spanned<f32>>,
    pub(super) probability: Option<Spanned<f64>>,
    pub(super) resolve_probability: Option<Spanned<f64>>,
    pub(super) min_mass: Option<Spanned<f64>>,
    pub(super) half_life: Option<Spanned<String>>,
    pub(super) prior_per_week: Option<Spanned<f64>>,
    pub(super) max_shape: Option<Spanned<f64>>,
    pub(super) escalation: Option<Spanned<f64>>,
}

/// Reads and checks a rule file.
pub(super) fn parse(text: &str, path: &Path) -> Result<(Vec<Rule>, NoveltyConfig), AlertingError> {
    let refuse = |refusal: Refusal| {
        let (line, column) = line_and_column(text, refusal.span.start);
        AlertingError::Rule { path: path.to_owned(), line, column, message: refusal.message }
    };
    let file: File = toml::from_str(text)
        .map_err(|error| refuse(Refusal::new(error.span().unwrap_or(0..0), error.message().trim().to_owned())))?;
    let novelty = novelty(file.novelty).map_err(refuse)?;
    let mut rules = Vec::with_capacity(file.rule.len());
    let mut names = BTreeSet::new();
    for table in file.rule {
        let table = table.into_inner();
        if !names.insert(table.name.get_ref().clone()) {
            let message = format!("a rule named {:?} comes before this one; names must differ", table.name.get_ref());
            return Err(refuse(Refusal::new(table.name.span(), message)));
        }
        rules.push(check(table).map_err(refuse)?);
    }
    Ok((rules, novelty))
}

fn novelty(table: Option<Spanned<NoveltyConfig>>) -> Result<NoveltyConfig, Refusal> {
    let Some(table) = table else { return Ok(NoveltyConfig::default()) };
    let span = table.span();
    let config = table.into_inner();
    if !(0.05..=1.0).contains(&config.similarity) {
        return Err(Refusal::new(span, "novelty.similarity must lie from 0.05 to 1"));
    }
    if config.capacity == 0 || config.horizon.is_zero() {
        return Err(Refusal::new(span, "novelty.capacity and novelty.horizon must be more than 0"));
    }
    Ok(config)
}

fn check(table: RuleTable) -> Result<Rule, Refusal> {
    let name = table.name.get_ref();
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(Refusal::new(table.name.span(), "name must be a line of text"));
    }
    sections::refuse_foreign_keys(&table)?;
    let condition = match table.kind.get_ref() {
        Kind::Message => Condition::Message(sections::message(&table)?),
        Kind::Threshold => Condition::Threshold(sections::threshold(&table)?),
        Kind::Surge => Condition::Surge(sections::surge(&table)?),
    };
    let (cool_down, resolve_after) = sections::default_timing(&condition);
    let labels = labels(&table)?;
    Ok(Rule {
        name: Arc::from(name.as_str()),
        scope: table.scope,
        severity: table.severity.unwrap_or(Severity::Warning),
        filters: Filters {
            min_relevance: number(&table.min_relevance, 0.0, 0.0..=1.0, "min_relevance")?,
            exclude_topics: excluded_topics(&table)?,
            topics: lower_case(table.topics.iter().flatten()),
            entities: table.entities.clone().unwrap_or_default(),
            sources: table.sources.clone().unwrap_or_default(),
        },
        condition,
        hold: duration(&table.hold, Duration::ZERO)?,
        cool_down: duration(&table.cool_down, cool_down)?,
        resolve_after: duration(&table.resolve_after, resolve_after)?,
        duplicates: table.duplicates.unwrap_or(Duplicates::Once),
        group_by: group_by(&table, &labels)?,
        labels,
        evidence: match &table.evidence {
            Some(count) if !(1..=100).contains(count.get_ref()) => {
                return Err(Refusal::new(count.span(), "evidence must lie from 1 to 100"));
            }
            Some(count) => *count.get_ref(),
            None => 5,
        },
    })
}

fn lower_case<'a>(words: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    words.map(|word| word.to_lowercase()).collect()
}

fn excluded_topics(table: &RuleTable) -> Result<BTreeSet<String>, Refusal> {
    let Some(excluded) = &table.exclude_topics else { return Ok(BTreeSet::new()) };
    let topics = lower_case(table.topics.iter().flatten());
    let words = lower_case(excluded.get_ref().iter());
    match words.intersection(&topics).next() {
        Some(both) => Err(Refusal::new(excluded.span(), format!("{both:?} is in topics as well as in exclude_topics"))),
        None => Ok(words),
    }
}

/// Labels that every alert has.
const OWN_LABELS: [&str; 4] = ["alertname", "entity", "scope", "severity"];

fn labels(table: &RuleTable) -> Result<BTreeMap<String, String>, Refusal> {
    let mut labels = BTreeMap::new();
    for (name, value) in table.labels.iter().flatten() {
        let word = name.get_ref();
        let wellformed = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !wellformed {
            return Err(Refusal::new(name.span(), format!("label {word:?} must consist of letters, digits and _")));
        }
        if OWN_LABELS.contains(&word.as_str()) {
            return Err(Refusal::new(name.span(), format!("label {word:?} is set by the alert itself")));
        }
        labels.insert(word.clone(), value.clone());
    }
    Ok(labels)
}

fn group_by(table: &RuleTable, labels: &BTreeMap<String, String>) -> Result<BTreeSet<String>, Refusal> {
    let Some(names) = &table.group_by else {
        return Ok(["alertname", "entity"].map(str::to_owned).into());
    };
    for name in names {
        if !OWN_LABELS.contains(&name.get_ref().as_str()) && !labels.contains_key(name.get_ref()) {
            let known: Vec<&str> = OWN_LABELS.into_iter().chain(labels.keys().map(String::as_str)).collect();
            let message = format!("group_by names {:?}; the labels are {}", name.get_ref(), known.join(", "));
            return Err(Refusal::new(name.span(), message));
        }
    }
    Ok(names.iter().map(|name| name.get_ref().clone()).collect())
}

/// A number inside a range, or its default.
pub(super) fn number<T>(
    key: &Option<Spanned<T>>,
    default: T,
    range: std::ops::RangeInclusive<T>,
    name: &str,
) -> Result<T, Refusal>
where
    T: PartialOrd + Copy + std::fmt::Display,
{
    match key {
        Some(value) if !range.contains(value.get_ref()) => Err(Refusal::new(
            value.span(),
            format!("{name} = {} must lie from {} to {}", value.get_ref(), range.start(), range.end()),
        )),
        Some(value) => Ok(*value.get_ref()),
        None => Ok(default),
    }
}

/// A duration of at most 366 days, or its default.
pub(super) fn duration(key: &Option<Spanned<String>>, default: Duration) -> Result<Duration, Refusal> {
    let Some(text) = key else { return Ok(default) };
    let duration = duration_text::parse(text.get_ref()).map_err(|message| Refusal::new(text.span(), message))?;
    if duration > Duration::from_secs(366 * 86_400) {
        return Err(Refusal::new(text.span(), format!("{} is longer than 366 days", text.get_ref())));
    }
    Ok(duration)
}
