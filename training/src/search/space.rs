//! What a search draws from.

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::random::Random;

/// The values that a setting may take.
///
/// ```toml
/// learning_rate = { from = 2e-5, to = 4e-4, scale = "log" }
/// batch_size = [16, 32, 64]
/// r_drop = { from = 0.0, to = 2.0 }
/// adversarial = [{ kind = "fgm", epsilon = 1.0 }, { kind = "freelb", epsilon = 0.6, rate = 0.2, steps = 3 }]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a list of values, or { from, to } with or without scale = \"log\"")]
pub enum Range {
    /// Each of these as likely as the others.
    Among(Vec<Value>),
    /// Every number from the first to the last as likely, or every order of magnitude; whole numbers where both are.
    Between(Between),
}

/// From one number to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The lowest.
    pub from: Value,
    /// The highest.
    pub to: Value,
    /// What is drawn evenly.
    #[serde(default)]
    pub scale: Scale,
}

/// What of a number is drawn evenly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// The number.
    #[default]
    Linear,
    /// Its logarithm.
    Log,
}

impl Range {
    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Among(values) if values.is_empty() => Some("the list is empty"),
            Self::Among(_) => None,
            Self::Between(Between { from, to, scale }) => match (number(from), number(to)) {
                (Some(from), Some(to)) if from.is_finite() && to.is_finite() && from < to => {
                    (*scale == Scale::Log && from <= 0.0).then_some("on a log scale, `from` must be above 0")
                }
                (Some(_), Some(_)) => Some("`from` must be below `to`"),
                _ => Some("`from` and `to` must be numbers"),
            },
        }
    }

    /// One value.
    pub(super) fn draw(&self, random: &mut Random) -> Value {
        match self {
            Self::Among(values) => values[random.below(values.len())].clone(),
            Self::Between(between) => between.draw(random),
        }
    }
}

impl Between {
    fn draw(&self, random: &mut Random) -> Value {
        let whole = self.from.is_integer() && self.to.is_integer();
        let (from, to) = (number(&self.from).unwrap_or(0.0), number(&self.to).unwrap_or(0.0));
        // A whole number stands for all that are rounded to it, so that the last ones are as likely as those between.
        let (low, high) = if whole { (from - 0.5, to + 0.5) } else { (from, to) };
        let drawn = match self.scale {
            Scale::Linear => low + random.unit() * (high - low),
            Scale::Log => (low.ln() + random.unit() * (high.ln() - low.ln())).exp(),
        };
        if whole {
            return Value::Integer((drawn.round() as i64).clamp(from as i64, to as i64));
        }
        // Three digits say all that a setting has to say, and read well in a table.
        let digits = 10f64.powi(2 - drawn.abs().max(f64::MIN_POSITIVE).log10().floor() as i32);
        Value::Float(((drawn * digits).round() / digits).clamp(from, to))
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        toml::from_str::<std::collections::BTreeMap<String, Range>>(text).unwrap().remove("it").unwrap()
    }

    fn draws(text: &str) -> Vec<Value> {
        let (range, mut random) = (range(text), Random::new(7, "draws"));
        assert_eq!(range.fault(), None);
        (0..3000).map(|_| range.draw(&mut random)).collect()
    }

    #[test]
    fn draws_are_spread_as_the_scale_says() {
        let share = |draws: &[Value], below: f64| {
            draws.iter().filter(|draw| draw.as_float().unwrap() < below).count() as f64 / draws.len() as f64
        };
        let linear = draws("it = { from = 0.0, to = 2 }");
        assert!((share(&linear, 0.5) - 0.25).abs() < 0.03);
        let log = draws("it = { from = 1e-5, to = 1e-1, scale = \"log\" }");
        assert!((share(&log, 1e-4) - 0.25).abs() < 0.03 && (share(&log, 1e-2) - 0.75).abs() < 0.03);
        assert!(log.iter().all(|draw| (1e-5..=1e-1).contains(&draw.as_float().unwrap())));
    }

    #[test]
    fn whole_numbers_stay_whole_and_the_last_ones_are_as_likely() {
        let drawn = draws("it = { from = 2, to = 4 }");
        for wanted in 2..=4 {
            let share = drawn.iter().filter(|draw| draw.as_integer() == Some(wanted)).count();
            assert!((900..1100).contains(&share), "{wanted}: {share}");
        }
    }

    #[test]
    fn lists_give_what_is_in_them() {
        let drawn = draws("it = [16, \"adamw\", { kind = \"fgm\" }]");
        assert!(drawn.iter().any(|draw| draw.is_table()) && drawn.iter().any(|draw| draw.as_str() == Some("adamw")));
    }

    #[test]
    fn ranges_that_make_no_sense_are_told() {
        let fault = |text| range(text).fault().unwrap_or_default();
        assert!(fault("it = []").contains("empty"));
        assert!(fault("it = { from = 2, to = 1 }").contains("below"));
        assert!(fault("it = { from = 0.0, to = 1.0, scale = \"log\" }").contains("above 0"));
        assert!(fault("it = { from = \"a\", to = 1 }").contains("numbers"));
    }
}
