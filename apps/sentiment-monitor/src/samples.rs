//! The sample data that the program carries: companies, rules, labelled headlines and a feed, written for this project.

use std::path::Path;
use std::sync::Arc;

use alerting::RuleSet;

use crate::entities::CompanyDictionary;
use crate::error::MonitorError;

/// Companies: `name,ticker,aliases`.
pub const COMPANIES: &str = include_str!("../samples/companies.csv");
/// Alert rules that need no tuning.
pub const RULES: &str = include_str!("../samples/rules.toml");
/// Headlines with sentiment and topic: `headline,sentiment,topic`.
pub const LABELLED: &str = include_str!("../samples/labelled.csv");
/// Three invented weeks of news: `id,published_utc,headline,source`.
pub const FEED: &str = include_str!("../samples/feed.csv");

/// The dictionary in this file, or the sample.
pub fn companies(path: Option<&Path>) -> Result<Arc<CompanyDictionary>, MonitorError> {
    let dictionary = match path {
        Some(path) => CompanyDictionary::read(path)?,
        None => CompanyDictionary::parse(COMPANIES.as_bytes(), "samples/companies.csv")?,
    };
    for conflict in dictionary.conflicts() {
        tracing::warn!(
            line = conflict.line,
            "alias {:?} of {} is also claimed by {}, which does without it",
            conflict.alias,
            conflict.kept_by,
            conflict.ignored_for
        );
    }
    Ok(Arc::new(dictionary))
}

/// The rules in this file, or the built-in ones.
pub fn rules(path: Option<&Path>) -> Result<Arc<RuleSet>, MonitorError> {
    Ok(Arc::new(match path {
        Some(path) => RuleSet::load(path)?,
        None => RuleSet::parse(RULES, "samples/rules.toml".as_ref())?,
    }))
}
