//! Rules over scored messages: windows in event time, alerts with their evidence, and the notifiers that carry them out.
//!
//! The [`Evaluator`] is pure: observations and a watermark go in, [`Transition`]s come out. What it answers is a function of
//! the observations and of the lateness that the watermark allows, and of nothing else: not of arrival order, batches, speed
//! or restarts. The live monitor, a replay and a backtest are therefore the same code with the same alerts.
//!
//! A message's way: [`Evaluator::offer`] → buffer → (watermark) → novelty → windows → rule → lifecycle → [`Transition`] →
//! [`notify::Dispatcher`] → [`notify::Notifier`].

mod baseline;
mod distribution;
mod error;
mod evaluator;
mod lifecycle;
pub mod notify;
mod observation;
mod persisted;
mod rule;
mod transition;
mod window;

pub use error::AlertingError;
pub use evaluator::{Evaluator, Statistics};
pub use observation::{Mention, Observation};
pub use rule::{
    Bound, Condition, Duplicates, Filters, MessageCondition, Metric, Rule, RuleSet, Scope, Severity, SurgeCondition,
    ThresholdCondition,
};
pub use transition::{Evidence, State, Transition};
