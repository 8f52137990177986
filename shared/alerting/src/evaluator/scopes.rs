//! Which messages count under a rule, and as whose.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::observation::Observation;
use crate::rule::{Rule, Scope};

/// What the whole feed is called as an alert's entity.
const ALL: &str = "*";

/// The scopes in which an observation counts under a rule, with its relevance there.
pub(super) fn of(rule: &Rule, observation: &Observation) -> Vec<(Arc<str>, f32)> {
    let filters = &rule.filters;
    let passes = |set: &BTreeSet<String>, value: Option<&Arc<str>>| {
        set.is_empty() || value.is_some_and(|value| set.contains(&**value))
    };
    if !topic_passes(rule, observation) || !passes(&filters.sources, observation.source.as_ref()) {
        return Vec::new();
    }
    let mut mentions: Vec<(Arc<str>, f32)> = Vec::with_capacity(observation.entities.len());
    for mention in &observation.entities {
        let counts = mention.relevance >= filters.min_relevance && passes(&filters.entities, Some(&mention.name));
        match mentions.iter_mut().find(|(name, _)| *name == mention.name) {
            _ if !counts => {}
            Some((_, relevance)) => *relevance = relevance.max(mention.relevance),
            None => mentions.push((mention.name.clone(), mention.relevance)),
        }
    }
    if rule.scope == Scope::Entity {
        return mentions;
    }
    let about_entities = !filters.entities.is_empty() || filters.min_relevance > 0.0;
    if about_entities && mentions.is_empty() {
        return Vec::new();
    }
    let highest = mentions.iter().map(|(_, relevance)| *relevance).fold(0.0, f32::max);
    let relevance = if about_entities { highest } else { 1.0 };
    match rule.scope {
        Scope::Topic => observation.label_topic.iter().map(|topic| (topic.clone(), relevance)).collect(),
        Scope::Entity | Scope::All => vec![(Arc::from(ALL), relevance)],
    }
}

fn topic_passes(rule: &Rule, observation: &Observation) -> bool {
    let filters = &rule.filters;
    if filters.topics.is_empty() && filters.exclude_topics.is_empty() {
        return true;
    }
    let Some(topic) = observation.label_topic.as_ref().map(|topic| topic.to_lowercase()) else {
        return filters.topics.is_empty();
    };
    (filters.topics.is_empty() || filters.topics.contains(&topic)) && !filters.exclude_topics.contains(&topic)
}
