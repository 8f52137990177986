//! One rule's state: a window, a lifecycle and the stories of each entity or topic, and the baseline of all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foundation::EventTime;
use foundation::similarity::{Novelty, StoryId};
use serde::{Deserialize, Serialize};

use crate::baseline::{Baseline, Expectation, Parameters, Sample};
use crate::lifecycle::{Alert, Change, Lifecycle, Reading, Timing};
use crate::observation::Observation;
use crate::rule::{Bound, Condition, Duplicates, Metric, Rule, Scope};
use crate::transition::{Evidence, State, Transition, alert_id};
use crate::window::{Entry, Window};

/// A story is remembered as counted for so long.
const STORY_MEMORY: i64 = 24 * 3_600_000;
/// What the whole feed is called as an alert's entity.
const ALL: &str = "*";

/// One rule's state.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) state: TrackState,
    timing: Timing,
    window: i64,
    parameters: Option<Parameters>,
}

/// What a snapshot keeps of a rule.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct TrackState {
    pub(super) scopes: BTreeMap<Arc<str>, ScopeState>,
    baseline: Baseline,
}

/// One entity's or topic's state under one rule.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ScopeState {
    window: Window,
    lifecycle: Lifecycle,
    /// Stories counted in the last day, by the time of their last message.
    stories: VecDeque<(i64, StoryId)>,
    /// Messages that a message rule fires on at this instant.
    arrived: Vec<Entry>,
    /// Alerts of a message rule that are firing, with the instant of their end.
    messages: Vec<FiringMessage>,
    pub(super) timer: Option<i64>,
    /// A message was counted at the instant that is being evaluated.
    #[serde(skip)]
    fresh: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct FiringMessage {
    ends_at: i64,
    alert: Alert,
    entry: Entry,
}

/// A message that passed a rule's filters.
pub(super) struct Arrival<'a> {
    pub(super) instant: i64,
    pub(super) observation: &'a Observation,
    pub(super) relevance: f32,
    pub(super) novelty: Novelty,
}

/// Changes to a scope's timer: at most one is set.
#[derive(Default)]
pub(super) struct TimerChange {
    pub(super) stale: Option<i64>,
    pub(super) next: Option<i64>,
}

/// The scopes in which an observation counts under a rule, with its relevance there.
pub(super) fn scopes(rule: &Rule, observation: &Observation) -> Vec<(Arc<str>, f32)> {
    let filters = &rule.filters;
    let passes = |set: &std::collections::BTreeSet<String>, value: Option<&Arc<str>>| {
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

impl Track {
    pub(super) fn new(rule: &Rule) -> Self {
        Self::with_state(rule, TrackState::default())
    }

    pub(super) fn with_state(rule: &Rule, state: TrackState) -> Self {
        let surge = if let Condition::Surge(surge) = &rule.condition { Some(surge) } else { None };
        let timing = Timing {
            hold: millis(rule.hold),
            cool_down: millis(rule.cool_down),
            resolve_after: millis(rule.resolve_after),
            escalation: surge.map(|surge| surge.escalation),
        };
        Self { state, timing, window: millis(rule.window()), parameters: surge.map(Parameters::new) }
    }

    /// Takes a message into a scope; whether the scope must be evaluated.
    pub(super) fn arrive(&mut self, rule: &Rule, scope: &Arc<str>, arrival: Arrival<'_>) -> bool {
        let observation = arrival.observation;
        let (min_negative, neutral_weight) = match &rule.condition {
            Condition::Message(message) if observation.score > message.max_score => return false,
            Condition::Message(message) if arrival.novelty.value < message.min_novelty => return false,
            Condition::Surge(surge) if surge.neutral_weight == 0.0 && observation.negative < surge.min_negative => {
                return false;
            }
            Condition::Message(_) => (0.0, 0.0),
            Condition::Threshold(threshold) => (threshold.min_negative, 0.0),
            Condition::Surge(surge) => (surge.min_negative, surge.neutral_weight),
        };
        let state = self.state.scopes.entry(scope.clone()).or_default();
        let time = observation.time.millis();
        let repeats = state.remember(time, arrival.instant, arrival.novelty.story);
        if repeats && rule.duplicates == Duplicates::Once {
            return state.timer.is_none();
        }
        let entry = Entry::new(observation, arrival.relevance, min_negative, neutral_weight);
        if matches!(rule.condition, Condition::Message(_)) {
            state.arrived.push(entry);
            return true;
        }
        let mass = entry.mass();
        state.window.expire(arrival.instant, self.window);
        let counted = time.saturating_add(self.window) > arrival.instant && state.window.insert(entry);
        state.fresh |= counted;
        if let Some(parameters) = self.parameters.as_ref().filter(|_| counted) {
            let level = state.window.mass();
            self.state.baseline.learn_until(parameters, arrival.instant);
            self.state.baseline.observe(parameters, scope, Sample { time, now: arrival.instant, mass, level });
        }
        counted || state.timer.is_none()
    }

    /// Brings a scope to an instant; answers what becomes of its timer.
    pub(super) fn evaluate(
        &mut self,
        rule: &Rule,
        scope: &Arc<str>,
        now: i64,
        transitions: &mut Vec<Transition>,
    ) -> TimerChange {
        let Some(state) = self.state.scopes.get_mut(scope) else { return TimerChange::default() };
        let context = Context { rule, scope, now, window: self.window, timing: &self.timing };
        let wake = if matches!(rule.condition, Condition::Message(_)) {
            state.evaluate_messages(&context, transitions)
        } else {
            if let Some(parameters) = &self.parameters {
                self.state.baseline.learn_until(parameters, now);
            }
            let baseline = self.parameters.as_ref().map(|parameters| (&self.state.baseline, parameters));
            state.evaluate_window(&context, baseline, transitions)
        };
        let gone_at = state.idle_from(self.window);
        if wake.is_none() && gone_at <= now {
            let stale = state.timer;
            self.state.scopes.remove(scope);
            return TimerChange { stale, next: None };
        }
        // A timer that comes too early does no harm, and putting it off at each message would cost more.
        let next =
            wake.unwrap_or_else(|| state.timer.filter(|timer| (now + 1..gone_at).contains(timer)).unwrap_or(gone_at));
        let stale = state.timer.replace(next).filter(|stale| *stale != next);
        TimerChange { stale, next: Some(next) }
    }
}

/// What a scope is evaluated by.
struct Context<'a> {
    rule: &'a Rule,
    scope: &'a Arc<str>,
    now: i64,
    window: i64,
    timing: &'a Timing,
}

impl ScopeState {
    /// Whether the story was counted here within its memory; from now on it was.
    fn remember(&mut self, time: i64, now: i64, story: StoryId) -> bool {
        while self.stories.front().is_some_and(|(last, _)| last.saturating_add(STORY_MEMORY) < now) {
            self.stories.pop_front();
        }
        let known = self.stories.iter().position(|(_, known)| *known == story);
        let last = known.and_then(|index| self.stories.remove(index)).map_or(time, |(last, _)| last.max(time));
        let place = self.stories.partition_point(|(other, _)| *other <= last);
        self.stories.insert(place, (last, story));
        known.is_some()
    }

    /// From when on nothing here can matter any more.
    fn idle_from(&self, window: i64) -> i64 {
        let story = self.stories.back().map(|(last, _)| last.saturating_add(STORY_MEMORY + 1));
        let window = self.window.last_expiry(window);
        self.lifecycle.cool_until().max(story.unwrap_or(0)).max(window.unwrap_or(0))
    }

    fn evaluate_messages(&mut self, context: &Context<'_>, transitions: &mut Vec<Transition>) -> Option<i64> {
        let now = context.now;
        let (ended, firing): (Vec<_>, Vec<_>) = self.messages.drain(..).partition(|message| message.ends_at <= now);
        self.messages = firing;
        for message in ended {
            transitions.extend(context.message(&message.alert, &message.entry, State::Resolved));
        }
        for entry in std::mem::take(&mut self.arrived) {
            if now < self.lifecycle.cool_until() {
                continue;
            }
            self.lifecycle.cool_down(now.saturating_add(context.timing.cool_down));
            let alert = Alert { id: context.alert_id(&entry.trigger()), started_at: now };
            transitions.extend(context.message(&alert, &entry, State::Firing));
            let ends_at = now.saturating_add(context.timing.resolve_after.max(1));
            self.messages.push(FiringMessage { ends_at, alert, entry });
        }
        self.messages.iter().map(|message| message.ends_at).min()
    }

    /// The instant at which time alone may change something.
    fn evaluate_window(
        &mut self,
        context: &Context<'_>,
        baseline: Option<(&Baseline, &Parameters)>,
        transitions: &mut Vec<Transition>,
    ) -> Option<i64> {
        self.window.expire(context.now, context.window);
        let expectation =
            baseline.map(|(baseline, parameters)| baseline.expect(parameters, context.scope, context.now));
        let fresh = std::mem::take(&mut self.fresh);
        let reading = Reading { fresh, ..self.read(context.rule, expectation.as_ref()) };
        for change in self.lifecycle.step(context.now, reading, context.timing, || context.alert_id("")) {
            let (alert, state) = match change {
                Change::Fired(alert) => (alert, State::Firing),
                Change::Resolved(alert) => (alert, State::Resolved),
            };
            transitions.extend(context.window(&alert, state, &self.window, reading.value, expectation.as_ref()));
        }
        let deadline = self.lifecycle.deadline(context.timing);
        // A quiet sum or count can only fall when messages leave; a mean or share may rise.
        let watches_expiry = !self.lifecycle.is_quiet() || context.rule.condition.is_ratio();
        let expiry = self.window.next_expiry(context.window).filter(|_| watches_expiry);
        [deadline, expiry].into_iter().flatten().min()
    }

    fn read(&self, rule: &Rule, expectation: Option<&Expectation>) -> Reading {
        let window = &self.window;
        match (&rule.condition, expectation) {
            (Condition::Surge(surge), Some(expectation)) => {
                let value = window.mass();
                let possible = value >= surge.min_mass && window.negatives() >= surge.min_messages;
                if !possible && self.lifecycle.is_quiet() {
                    return Reading { value, breach: false, over: true, fresh: false };
                }
                let tail = expectation.tail(value);
                let breach = possible && tail <= surge.probability;
                Reading {
                    value,
                    breach,
                    over: !breach && (tail >= surge.resolve_probability || window.len() == 0),
                    fresh: false,
                }
            }
            (Condition::Threshold(threshold), _) => {
                let measured = match threshold.metric {
                    Metric::Count => Some(window.len() as f64),
                    Metric::NegativeCount => Some(window.negatives() as f64),
                    Metric::NegativeMass => Some(window.mass()),
                    Metric::MeanScore => window.mean_score(),
                    Metric::NegativeShare => window.negative_share(),
                };
                let Some(value) = measured.filter(|_| window.len() >= threshold.min_messages) else {
                    return Reading { value: measured.unwrap_or(0.0), breach: false, over: true, fresh: false };
                };
                let (breach, beyond) = match threshold.bound {
                    Bound::AtLeast(bound) => (value >= bound, value >= threshold.resolve),
                    Bound::AtMost(bound) => (value <= bound, value <= threshold.resolve),
                };
                Reading { value, breach, over: !breach && !beyond, fresh: false }
            }
            _ => Reading { value: 0.0, breach: false, over: true, fresh: false },
        }
    }
}

impl Condition {
    fn is_ratio(&self) -> bool {
        matches!(self, Self::Threshold(threshold) if matches!(threshold.metric, Metric::MeanScore | Metric::NegativeShare))
    }
}

impl Context<'_> {
    fn alert_id(&self, trigger: &str) -> String {
        alert_id(&self.rule.name, self.rule.scope, self.scope, self.now, trigger)
    }

    fn message(&self, alert: &Alert, entry: &Entry, state: State) -> Option<Transition> {
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

    fn window(
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

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
