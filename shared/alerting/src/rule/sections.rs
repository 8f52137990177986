//! What each kind of rule needs, and which keys go together.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::file::{Kind, Refusal, RuleTable, duration, number};
use super::{Bound, Condition, MessageCondition, Metric, SurgeCondition, ThresholdCondition};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Cool-down and resolve-after where a rule does not say.
pub(super) fn default_timing(condition: &Condition) -> (Duration, Duration) {
    match condition {
        Condition::Message(_) => (Duration::ZERO, HOUR),
        Condition::Threshold(_) => (Duration::ZERO, Duration::ZERO),
        Condition::Surge(surge) => (surge.window, Duration::ZERO),
    }
}

/// Refuses a key that the rule's kind makes no use of: it would promise what does not happen.
pub(super) fn refuse_foreign_keys(table: &RuleTable) -> Result<(), Refusal> {
    use Kind::{Message, Surge, Threshold};
    type Key = (&'static str, Option<Range<usize>>, &'static [Kind]);
    fn span<T>(key: &Option<Spanned<T>>) -> Option<Range<usize>> {
        key.as_ref().map(Spanned::span)
    }
    let keys: [Key; 21] = [
        ("for", span(&table.hold), &[Threshold, Surge]),
        ("max_score", span(&table.max_score), &[Message]),
        ("min_gravity", span(&table.min_gravity), &[Message]),
        ("min_novelty", span(&table.min_novelty), &[Message]),
        ("metric", span(&table.metric), &[Threshold]),
        ("window", span(&table.window), &[Threshold, Surge]),
        ("at_least", span(&table.at_least), &[Threshold]),
        ("at_most", span(&table.at_most), &[Threshold]),
        ("resolve_below", span(&table.resolve_below), &[Threshold]),
        ("resolve_above", span(&table.resolve_above), &[Threshold]),
        ("min_messages", span(&table.min_messages), &[Threshold, Surge]),
        ("min_negative", span(&table.min_negative), &[Threshold, Surge]),
        ("neutral_weight", span(&table.neutral_weight), &[Surge]),
        ("ordinary_weight", span(&table.ordinary_weight), &[Surge]),
        ("probability", span(&table.probability), &[Surge]),
        ("resolve_probability", span(&table.resolve_probability), &[Surge]),
        ("min_mass", span(&table.min_mass), &[Surge]),
        ("half_life", span(&table.half_life), &[Surge]),
        ("prior_per_week", span(&table.prior_per_week), &[Surge]),
        ("max_shape", span(&table.max_shape), &[Surge]),
        ("escalation", span(&table.escalation), &[Surge]),
    ];
    let kind = *table.kind.get_ref();
    for (key, place, kinds) in keys {
        if let Some(place) = place.filter(|_| !kinds.contains(&kind)) {
            let kind = format!("{kind:?}").to_lowercase();
            return Err(Refusal::new(place, format!("{key} has no meaning in a rule of kind {kind:?}")));
        }
    }
    Ok(())
}

pub(super) fn message(table: &RuleTable) -> Result<MessageCondition, Refusal> {
    if table.max_score.is_none() {
        return Err(missing(table, "max_score", "the score that a message must not exceed, such as -0.8"));
    }
    Ok(MessageCondition {
        max_score: number(&table.max_score, 0.0, -1.0..=1.0, "max_score")?,
        min_gravity: number(&table.min_gravity, 0.0, 0.0..=1.0, "min_gravity")?,
        min_novelty: number(&table.min_novelty, 0.0, 0.0..=1.0, "min_novelty")?,
    })
}

pub(super) fn threshold(table: &RuleTable) -> Result<ThresholdCondition, Refusal> {
    let Some(metric) = &table.metric else {
        return Err(missing(
            table,
            "metric",
            "one of count, negative_count, negative_mass, mean_score, negative_share",
        ));
    };
    if table.window.is_none() {
        return Err(missing(table, "window", "a duration such as \"6h\""));
    }
    let metric = *metric.get_ref();
    let bound = bound(table, metric)?;
    Ok(ThresholdCondition {
        metric,
        window: window(table, Duration::ZERO)?,
        bound,
        resolve: resolve(table, bound)?,
        min_messages: min_messages(table, 1)?,
        min_negative: number(&table.min_negative, 0.5, 0.0..=1.0, "min_negative")?,
    })
}

pub(super) fn surge(table: &RuleTable) -> Result<SurgeCondition, Refusal> {
    let window = window(table, 12 * HOUR)?;
    let probability = positive(&table.probability, 1e-4, 0.1, "probability")?;
    let resolve_probability = positive(&table.resolve_probability, probability.sqrt(), 1.0, "resolve_probability")?;
    if let Some(resolve) = table.resolve_probability.as_ref().filter(|_| resolve_probability < probability) {
        let message = format!(
            "resolve_probability = {resolve_probability} is below probability = {probability}: the alert would end while it fires"
        );
        return Err(Refusal::new(resolve.span(), message));
    }
    let half_life = duration(&table.half_life, 14 * DAY)?;
    if let Some(text) = table.half_life.as_ref().filter(|_| half_life < window) {
        let message = "half_life is shorter than the window: there would be no history to compare with";
        return Err(Refusal::new(text.span(), message));
    }
    Ok(SurgeCondition {
        window,
        probability,
        resolve_probability,
        min_mass: positive(&table.min_mass, 1.5, 1e9, "min_mass")?,
        min_messages: min_messages(table, 2)?,
        min_negative: number(&table.min_negative, 0.5, 0.0..=1.0, "min_negative")?,
        neutral_weight: number(&table.neutral_weight, 0.0, 0.0..=1.0, "neutral_weight")?,
        ordinary_weight: number(&table.ordinary_weight, 1.0, 0.0..=1.0, "ordinary_weight")?,
        half_life: half_life.max(window),
        prior_per_week: positive(&table.prior_per_week, 0.5, 1e9, "prior_per_week")?,
        max_shape: positive(&table.max_shape, 2.0, 1e9, "max_shape")?,
        escalation: number(&table.escalation, 2.0, 1.0..=1e6, "escalation")?,
    })
}

fn bound(table: &RuleTable, metric: Metric) -> Result<Bound, Refusal> {
    let bound = match (&table.at_least, &table.at_most) {
        (Some(_), Some(at_most)) => {
            return Err(Refusal::new(at_most.span(), "at_least and at_most contradict each other: keep one"));
        }
        (None, None) => return Err(missing(table, "at_least", "or at_most: the bound that fires")),
        (None, Some(at_most)) if metric != Metric::MeanScore => {
            let message =
                "at_most goes with metric = \"mean_score\" only: an empty window would always be at most that";
            return Err(Refusal::new(at_most.span(), message));
        }
        (Some(value), None) => (value, Bound::AtLeast(*value.get_ref())),
        (None, Some(value)) => (value, Bound::AtMost(*value.get_ref())),
    };
    let (value, bound) = bound;
    let (low, high) = match metric {
        Metric::MeanScore => (-1.0, 1.0),
        Metric::NegativeShare => (f64::MIN_POSITIVE, 1.0),
        Metric::Count | Metric::NegativeCount | Metric::NegativeMass => (f64::MIN_POSITIVE, 1e12),
    };
    if !(low..=high).contains(value.get_ref()) {
        let range = if low < 0.0 { format!("from {low} to {high}") } else { format!("above 0 and at most {high}") };
        return Err(Refusal::new(value.span(), format!("the bound {} must lie {range}", value.get_ref())));
    }
    Ok(bound)
}

fn resolve(table: &RuleTable, bound: Bound) -> Result<f64, Refusal> {
    match (bound, &table.resolve_below, &table.resolve_above) {
        (Bound::AtLeast(_), _, Some(wrong)) => {
            Err(Refusal::new(wrong.span(), "resolve_above goes with at_most; with at_least it is resolve_below"))
        }
        (Bound::AtMost(_), Some(wrong), _) => {
            Err(Refusal::new(wrong.span(), "resolve_below goes with at_least; with at_most it is resolve_above"))
        }
        (Bound::AtLeast(fire), Some(resolve), None) if !resolve.get_ref().is_finite() || *resolve.get_ref() > fire => {
            Err(Refusal::new(resolve.span(), format!("resolve_below must not exceed at_least = {fire}")))
        }
        (Bound::AtMost(fire), None, Some(resolve)) if !resolve.get_ref().is_finite() || *resolve.get_ref() < fire => {
            Err(Refusal::new(resolve.span(), format!("resolve_above must not be below at_most = {fire}")))
        }
        (Bound::AtLeast(fire), below, None) => Ok(below.as_ref().map_or(fire, |value| *value.get_ref())),
        (Bound::AtMost(fire), None, above) => Ok(above.as_ref().map_or(fire, |value| *value.get_ref())),
    }
}

fn window(table: &RuleTable, default: Duration) -> Result<Duration, Refusal> {
    let window = duration(&table.window, default)?;
    match &table.window {
        Some(text) if window.is_zero() => Err(Refusal::new(text.span(), "window must be more than 0")),
        Some(text) if window > 31 * DAY => Err(Refusal::new(text.span(), "window must be at most 31 days")),
        _ => Ok(window),
    }
}

fn min_messages(table: &RuleTable, default: u64) -> Result<u64, Refusal> {
    match &table.min_messages {
        Some(count) if *count.get_ref() == 0 => {
            let message =
                "min_messages = 0 would divide by zero: an empty window has neither mean nor share; use 1 or more";
            Err(Refusal::new(count.span(), message))
        }
        Some(count) => Ok(*count.get_ref()),
        None => Ok(default),
    }
}

/// A number above zero; zero would divide by a zero baseline or always hold.
fn positive(key: &Option<Spanned<f64>>, default: f64, most: f64, name: &str) -> Result<f64, Refusal> {
    match key {
        Some(value) if !(*value.get_ref() > 0.0 && *value.get_ref() <= most) => {
            let why = if name == "prior_per_week" { ": a zero baseline cannot be compared with" } else { "" };
            Err(Refusal::new(
                value.span(),
                format!("{name} = {} must be above 0 and at most {most}{why}", value.get_ref()),
            ))
        }
        Some(value) => Ok(*value.get_ref()),
        None => Ok(default),
    }
}

fn missing(table: &RuleTable, key: &str, what: &str) -> Refusal {
    Refusal::new(table.kind.span(), format!("rule {:?} needs {key}: {what}", table.name.get_ref()))
}
