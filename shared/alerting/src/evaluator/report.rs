//! From what happens to an alert to the transition that tells of it.

use std::sync::Arc;

use foundation::EventTime;

use crate::baseline::Expectation;
use crate::lifecycle::{Alert, Timing};
use crate::rule::{Bound, Condition, Metric, Rule};
use crate::transition::{Evidence, State, Transition, alert_id};
use crate::window::{Entry, Window};

/// What a scope is evaluated by.
pub(super) struct Context<'a> {
    pub(super) rule: &'a Rule,
    pub(super) scope: &'a Arc<str>,
    pub(super) now: i64,
    pub(super) window: i64,
    pub(super) timing: &'a Timing,
}

impl Context<'_> {
    pub(super) fn alert_id(&self, trigger: &str) -> String {
        alert_id(&self.rule.name, self.rule.scope, self.scope, self.now, trigger)
    }

    pub(super) fn message(&self, alert: &Alert, entry: &Entry, state: State) -> Option<Transition> {
        let Condition::Message(condition) = &self.rule.condition else { return None };
        let measure = Measure {
            value: f64::from(entry.score()),
            threshold: f64::from(condition.max_score),
            expected: None,
            messages: 1,
            evidence: entry.evidence().into_iter().collect(),
        };
        self.transition(alert, state, (entry.time.saturating_sub(1), entry.time), measure)
    }

    pub(super) fn window(
        &self,
        alert: &Alert,
        state: State,
        window: &Window,
        value: f64,
        expectation: Option<&Expectation>,
    ) -> Option<Transition> {
        let (threshold, positive) = match (&self.rule.condition, expectation) {
            (Condition::Surge(surge), Some(expectation)) => {
                (expectation.quantile(surge.probability).max(surge.min_mass), false)
            }
            (Condition::Threshold(threshold), _) => match threshold.bound {
                Bound::AtLeast(bound) => (bound, threshold.metric == Metric::MeanScore),
                Bound::AtMost(bound) => (bound, false),
            },
            _ => return None,
        };
        let measure = Measure {
            value,
            threshold,
            expected: expectation.map(|expectation| expectation.mean),
            messages: window.len(),
            evidence: window.evidence(self.rule.evidence, positive),
        };
        self.transition(alert, state, (self.now.saturating_sub(self.window), self.now), measure)
    }

    /// `None` where an instant lies beyond the range of event time, which no observation can bring about.
    fn transition(&self, alert: &Alert, state: State, span: (i64, i64), measure: Measure) -> Option<Transition> {
        let rule = self.rule;
        let time =
            |millis: i64| EventTime::from_millis(millis.clamp(EventTime::MIN.millis(), EventTime::MAX.millis())).ok();
        let own = [
            ("alertname", &*rule.name),
            ("entity", &**self.scope),
            ("scope", rule.scope.as_str()),
            ("severity", rule.severity.as_str()),
        ];
        let mut labels = rule.labels.clone();
        labels.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let group = labels.iter().filter(|(name, _)| rule.group_by.contains(*name));
        Some(Transition {
            alert_id: alert.id.clone(),
            rule: rule.name.clone(),
            scope: rule.scope,
            entity: self.scope.clone(),
            severity: rule.severity,
            state,
            at: time(self.now)?,
            started_at: time(alert.started_at)?,
            window_start: time(span.0)?,
            window_end: time(span.1)?,
            value: measure.value,
            threshold: measure.threshold,
            expected: measure.expected,
            messages: measure.messages,
            group: group.map(|(name, value)| (name.clone(), value.clone())).collect(),
            labels,
            evidence: measure.evidence,
        })
    }
}

struct Measure {
    value: f64,
    threshold: f64,
    expected: Option<f64>,
    messages: u64,
    evidence: Vec<Evidence>,
}
