//! One rule's state: a window, a lifecycle and the stories of each entity or topic, and the baseline of all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foundation::similarity::Novelty;
use serde::{Deserialize, Serialize};

use super::report::Context;
use super::stories::Stories;
use crate::baseline::{Baseline, Expectation, Parameters, Sample};
use crate::lifecycle::{Alert, Change, Lifecycle, Reading, Timing};
use crate::observation::Observation;
use crate::rule::{Bound, Condition, Duplicates, Metric, Rule};
use crate::transition::{State, Transition};
use crate::window::{Entry, Weighing, Window};

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
    stories: Stories,
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
        let weighing = match &rule.condition {
            Condition::Message(message) if observation.score > message.max_score => return false,
            Condition::Message(message) if observation.gravity < message.min_gravity => return false,
            Condition::Message(message) if arrival.novelty.value < message.min_novelty => return false,
            Condition::Message(_) => Weighing::of_negative(0.0),
            Condition::Threshold(threshold) => Weighing::of_negative(threshold.min_negative),
            Condition::Surge(surge) => Weighing {
                min_negative: surge.min_negative,
                neutral_weight: surge.neutral_weight,
                ordinary_weight: surge.ordinary_weight,
            },
        };
        let is_surge = matches!(rule.condition, Condition::Surge(_));
        if is_surge && weighing.neutral_weight == 0.0 && weighing.negative(observation) < weighing.min_negative {
            return false;
        }
        let state = self.state.scopes.entry(scope.clone()).or_default();
        let time = observation.time.millis();
        let repeats = state.stories.remember(time, arrival.instant, arrival.novelty.story);
        if repeats && rule.duplicates == Duplicates::Once {
            return state.timer.is_none();
        }
        let entry = Entry::new(observation, arrival.relevance, weighing);
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

impl ScopeState {
    /// From when on nothing here can matter any more.
    fn idle_from(&self, window: i64) -> i64 {
        let window = self.window.last_expiry(window);
        self.lifecycle.cool_until().max(self.stories.forgotten_at().unwrap_or(0)).max(window.unwrap_or(0))
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

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
