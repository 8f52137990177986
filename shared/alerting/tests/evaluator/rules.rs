//! The rule file's refusals: each names the line, the column and the mend.

use std::path::Path;
use std::time::Duration;

use alerting::{Condition, Duplicates, RuleSet, Severity};

fn check(rule: &str, place: &str, words: &[&str]) {
    let text = format!("[[rule]]\nname = \"r\"\n{rule}");
    let error = RuleSet::parse(&text, Path::new("rules.toml")).unwrap_err().to_string();
    assert!(error.starts_with(&format!("rules.toml:{place}: ")), "{error}");
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error:?}");
    }
}

const THRESHOLD: &str = "kind = \"threshold\"\nscope = \"entity\"\nmetric = \"count\"\nwindow = \"1h\"\n";
const SURGE: &str = "kind = \"surge\"\nscope = \"entity\"\n";

#[test]
fn unknown_keys_and_values_are_named() {
    check("kind = \"message\"\nscope = \"entity\"\nmax_scor = -0.5\n", "5:1", &["max_scor"]);
    check("kind = \"sirge\"\nscope = \"entity\"\n", "3:8", &["sirge", "surge"]);
    check(&format!("{THRESHOLD}at_least = \"three\"\n"), "7:12", &["string", "f64"]);
    check("kind = \"surge\"\nscope = \"galaxy\"\n", "4:9", &["galaxy", "entity"]);
    check("kind = \n", "3:8", &[]);
}

#[test]
fn missing_and_foreign_keys_are_named() {
    check("kind = \"message\"\nscope = \"entity\"\n", "3:8", &["max_score"]);
    check(THRESHOLD, "3:8", &["at_least", "at_most"]);
    check("kind = \"threshold\"\nscope = \"entity\"\nmetric = \"count\"\nat_least = 1\n", "3:8", &["window"]);
    check(
        "kind = \"message\"\nscope = \"entity\"\nmax_score = -0.5\nwindow = \"1h\"\n",
        "6:10",
        &["window", "message"],
    );
    check(&format!("{SURGE}metric = \"count\"\n"), "5:10", &["metric", "surge"]);
}

#[test]
fn contradictions_are_refused() {
    check(&format!("{THRESHOLD}at_least = 1\nat_most = 2\n"), "8:11", &["contradict"]);
    check(&format!("{THRESHOLD}at_most = 2\n"), "7:11", &["mean_score"]);
    check(&format!("{THRESHOLD}at_least = 3\nresolve_below = 4\n"), "8:17", &["resolve_below", "3"]);
    check(&format!("{THRESHOLD}at_least = 3\nresolve_above = 4\n"), "8:17", &["resolve_below"]);
    check(&format!("{SURGE}probability = 0.01\nresolve_probability = 0.001\n"), "6:23", &["while it fires"]);
    check(&format!("{SURGE}topics = [\"a\"]\nexclude_topics = [\"A\"]\n"), "6:18", &["exclude_topics"]);
    check(&format!("{SURGE}half_life = \"1h\"\n"), "5:13", &["half_life", "window"]);
}

#[test]
fn what_would_divide_by_zero_is_refused() {
    check(&format!("{THRESHOLD}at_least = 1\nmin_messages = 0\n"), "8:16", &["divide by zero"]);
    check(&format!("{SURGE}prior_per_week = 0.0\n"), "5:18", &["zero baseline"]);
    check(&format!("{SURGE}prior_per_week = nan\n"), "5:18", &["prior_per_week"]);
    check(&format!("{SURGE}window = \"0s\"\n"), "5:10", &["more than 0"]);
}

#[test]
fn values_out_of_range_are_refused() {
    check(&format!("{THRESHOLD}at_least = 0\n"), "7:12", &["above 0"]);
    check(&format!("{THRESHOLD}at_least = 1\nmin_relevance = 1.5\n"), "8:17", &["min_relevance"]);
    check(&format!("{THRESHOLD}at_least = 1\nevidence = 0\n"), "8:12", &["evidence"]);
    check(&format!("{THRESHOLD}at_least = 1\nfor = \"5 parsecs\"\n"), "8:7", &["duration"]);
    check(&format!("{THRESHOLD}at_least = 1\nfor = \"400d\"\n"), "8:7", &["366 days"]);
    check(&format!("{SURGE}window = \"40d\"\nhalf_life = \"90d\"\n"), "5:10", &["31 days"]);
    check(&format!("{SURGE}probability = 0.5\n"), "5:15", &["probability"]);
}

#[test]
fn labels_and_groups_must_exist() {
    check(&format!("{THRESHOLD}at_least = 1\ngroup_by = [\"entity\", \"team\"]\n"), "8:23", &["team", "alertname"]);
    check(&format!("{THRESHOLD}at_least = 1\nlabels = {{ \"a b\" = \"x\" }}\n"), "8:12", &["a b"]);
    check(&format!("{THRESHOLD}at_least = 1\nlabels = {{ entity = \"x\" }}\n"), "8:12", &["entity"]);
}

#[test]
fn names_must_differ() {
    let second = format!("{THRESHOLD}at_least = 1\n\n[[rule]]\nname = \"r\"\n{THRESHOLD}at_least = 2\n");
    check(&second, "10:8", &["names must differ"]);
}

#[test]
fn novelty_is_checked() {
    let text = "[novelty]\nsimilarity = 0.0\n";
    let error = RuleSet::parse(text, Path::new("rules.toml")).unwrap_err().to_string();
    assert!(error.contains("similarity"), "{error}");
    let set = RuleSet::parse("[novelty]\nhorizon = \"6h\"\n", Path::new("rules.toml")).unwrap();
    assert_eq!(set.novelty().horizon, Duration::from_secs(6 * 3600));
}

#[test]
fn a_full_rule_reads_as_written() {
    let text = format!(
        "[[rule]]\nname = \"r\"\n{THRESHOLD}at_least = 3\nresolve_below = 2\nseverity = \"critical\"\nfor = \"5m\"\n\
         cool_down = \"1h30m\"\nresolve_after = \"10m\"\nduplicates = \"each\"\nevidence = 7\nlabels = {{ team = \"credit\" }}\n\
         group_by = [\"team\"]\n"
    );
    let set = RuleSet::parse(&text, Path::new("rules.toml")).unwrap();
    let rule = &set.rules()[0];
    assert_eq!((rule.severity, rule.duplicates, rule.evidence), (Severity::Critical, Duplicates::Each, 7));
    assert_eq!((rule.hold.as_secs(), rule.cool_down.as_secs(), rule.resolve_after.as_secs()), (300, 5400, 600));
    let Condition::Threshold(threshold) = &rule.condition else { panic!("a threshold") };
    assert_eq!((threshold.resolve, threshold.min_messages), (2.0, 1));
}
