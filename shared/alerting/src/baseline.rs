//! How much negative news an entity and an hour let expect, learnt in event time without tuning per entity.
//!
//! An entity's rate is Gamma-distributed over the entities of the feed, its news Poisson given its rate: the posterior mean
//! shrinks an entity's own exponentially decayed history towards the pool of all (empirical Bayes), and the news of one
//! window is negative binomial (DuMouchel 1999 has the same model for adverse-event reports). A profile of the hours of the
//! week, pooled over all entities, gives the season. What was alarming is learnt only up to a cap, as Farrington et al.
//! ("A statistical algorithm for the early detection of outbreaks of infectious disease", 1996) and Noufaily et al. ("An
//! improved algorithm for outbreak detection in multiple surveillance systems", 2013) down-weight past outbreaks, and the
//! current window is never part of its own baseline.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::distribution::{negative_binomial_quantile, negative_binomial_tail};
use crate::persisted;
use crate::rule::SurgeCondition;

const HOUR: i64 = 3_600_000;
const HOURS_OF_WEEK: usize = 168;
/// Mean life of the weekly profile: it changes slowly, and sparse feeds need months to show it.
const SEASON_MEAN_LIFE_HOURS: f64 = 12.0 * 168.0;
/// Messages that each hour of the week is credited with beforehand.
const SEASON_PRIOR: f64 = 5.0;
/// Entity-weeks that the prior rate weighs as much as.
const PRIOR_ENTITY_WEEKS: f64 = 4.0;
/// An alarming window is learnt up to so many times what was expected.
const LEARNING_CAP: f64 = 3.0;
/// Bounds of the estimated shape of rates over entities.
const PRIOR_SHAPES: (f64, f64) = (0.2, 2.0);
/// Below this mass an entity's history is forgotten.
const FORGOTTEN: f64 = 1e-3;
/// Entities remembered at most; the ones with the least history go first.
const MOST_ENTITIES: usize = 200_000;

/// What is expected in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expectation {
    pub(crate) mean: f64,
    shape: f64,
}

impl Expectation {
    /// Probability of so much mass or more.
    pub(crate) fn tail(&self, mass: f64) -> f64 {
        negative_binomial_tail(mass, self.mean, self.shape)
    }

    /// The mass that has this tail probability.
    pub(crate) fn quantile(&self, probability: f64) -> f64 {
        negative_binomial_quantile(probability, self.mean, self.shape)
    }
}

/// A surge rule's numbers, in the units of the baseline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameters {
    window: i64,
    mean_life_hours: f64,
    min_mass: f64,
    max_shape: f64,
    /// Mass per entity and hour before anything is known.
    prior_rate: f64,
}

impl Parameters {
    pub(crate) fn new(rule: &SurgeCondition) -> Self {
        Self {
            window: i64::try_from(rule.window.as_millis()).unwrap_or(i64::MAX),
            mean_life_hours: rule.half_life.as_secs_f64() / 3600.0 / std::f64::consts::LN_2,
            min_mass: rule.min_mass,
            max_shape: rule.max_shape,
            prior_rate: rule.prior_per_week / HOURS_OF_WEEK as f64,
        }
    }
}

/// The history of one rule's entities.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// When the first message came.
    start: Option<i64>,
    /// Messages still in their windows, by time: learnt when they have left.
    waiting: BTreeMap<i64, Vec<Lesson>>,
    entities: BTreeMap<Arc<str>, Decayed>,
    /// Σ over entities of their mass.
    total: Decayed,
    /// Σ over entities of their squared mass.
    squares: Decayed,
    season: Season,
    /// Number of entities at which the forgotten ones are swept out next.
    sweep_at: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lesson {
    entity: Arc<str>,
    #[serde(with = "persisted::bits")]
    mass: f64,
    /// Less than 1 where the window was alarming.
    #[serde(with = "persisted::bits")]
    weight: f64,
}

impl Default for Baseline {
    fn default() -> Self {
        Self {
            start: None,
            waiting: BTreeMap::new(),
            entities: BTreeMap::new(),
            total: Decayed::default(),
            squares: Decayed::default(),
            season: Season::default(),
            sweep_at: 1024,
        }
    }
}

impl Baseline {
    /// A message of this mass came; `level` is the mass of the entity's window with it.
    pub(crate) fn observe(&mut self, parameters: &Parameters, entity: &Arc<str>, sample: Sample) {
        self.start = Some(self.start.map_or(sample.time, |start| start.min(sample.time)));
        let cap = parameters.min_mass.max(LEARNING_CAP * self.expect(parameters, entity, sample.now).mean);
        let lesson = Lesson { entity: entity.clone(), mass: sample.mass, weight: (cap / sample.level).min(1.0) };
        self.waiting.entry(sample.time).or_default().push(lesson);
    }

    /// Learns what has left the windows that end at `now`.
    pub(crate) fn learn_until(&mut self, parameters: &Parameters, now: i64) {
        while let Some(first) = self.waiting.first_entry() {
            let time = *first.key();
            if time.saturating_add(parameters.window) > now {
                return;
            }
            for lesson in first.remove() {
                self.learn(parameters, time, lesson);
            }
        }
    }

    /// What the window that ends at `now` may be expected to hold of this entity.
    pub(crate) fn expect(&self, parameters: &Parameters, entity: &str, now: i64) -> Expectation {
        let life = parameters.mean_life_hours;
        let watched = self.start.map_or(0.0, |start| hours(now - parameters.window - start));
        let exposure = life * -(-watched / life).exp_m1();
        let (prior_shape, prior_hours) = self.prior(parameters, exposure, now);
        let own = self.entities.get(entity).map_or(0.0, |mass| mass.value(now, life));
        let shape = prior_shape + own;
        let rate = shape / (prior_hours + exposure);
        let mean = rate * self.season.hours_worth(now, parameters.window);
        Expectation { mean, shape: shape.min(parameters.max_shape) }
    }

    /// Shape and exposure of the Gamma distribution of rates over entities, by moments.
    fn prior(&self, parameters: &Parameters, exposure: f64, now: i64) -> (f64, f64) {
        let life = parameters.mean_life_hours;
        let entities = self.entities.len() as f64;
        let prior_hours = PRIOR_ENTITY_WEEKS * HOURS_OF_WEEK as f64;
        let observed_hours = entities * exposure;
        let mean = (self.total.value(now, life) + parameters.prior_rate * prior_hours) / (observed_hours + prior_hours);
        let shape = if observed_hours > prior_hours {
            let second = self.squares.value(now, life / 2.0) / (entities * exposure * exposure);
            let variance = second - mean * mean - mean / exposure;
            if variance > 0.0 { (mean * mean / variance).clamp(PRIOR_SHAPES.0, PRIOR_SHAPES.1) } else { PRIOR_SHAPES.1 }
        } else {
            PRIOR_SHAPES.0
        };
        (shape, shape / mean)
    }

    fn learn(&mut self, parameters: &Parameters, time: i64, lesson: Lesson) {
        let life = parameters.mean_life_hours;
        let learnt = lesson.mass * lesson.weight;
        let own = self.entities.entry(lesson.entity).or_default();
        // A late message is learnt as if it had come with the last one.
        let time = time.max(own.at).max(self.total.at);
        let before = own.value(time, life);
        own.add(time, life, learnt);
        self.total.add(time, life, learnt);
        self.squares.add(time, life / 2.0, learnt * (2.0 * before + learnt));
        self.season.add(time, lesson.weight);
        if self.entities.len() >= self.sweep_at {
            self.sweep(parameters, time);
        }
    }

    /// Forgets the entities with next to no history, so that memory is bounded.
    fn sweep(&mut self, parameters: &Parameters, now: i64) {
        let life = parameters.mean_life_hours;
        let mut masses: Vec<f64> = self.entities.values().map(|mass| mass.value(now, life)).collect();
        masses.sort_by(|a, b| b.total_cmp(a));
        let least = masses.get(MOST_ENTITIES / 2).copied().unwrap_or(0.0).max(FORGOTTEN);
        let (total, squares) = (&mut self.total, &mut self.squares);
        self.entities.retain(|_, mass| {
            let mass = mass.value(now, life);
            if mass <= least {
                total.add(now, life, -mass);
                squares.add(now, life / 2.0, -mass * mass);
            }
            mass > least
        });
        self.sweep_at = (self.entities.len() * 2).clamp(1024, MOST_ENTITIES);
    }
}

/// A message as the baseline sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// When it happened.
    pub(crate) time: i64,
    /// When it is evaluated; later than `time` only for a late message.
    pub(crate) now: i64,
    /// Its negative mass.
    pub(crate) mass: f64,
    /// The mass of the entity's window with it.
    pub(crate) level: f64,
}

/// A sum that decays exponentially.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Decayed {
    #[serde(with = "persisted::bits")]
    sum: f64,
    at: i64,
}

impl Decayed {
    fn value(&self, now: i64, mean_life_hours: f64) -> f64 {
        self.sum * (-hours(now - self.at) / mean_life_hours).exp()
    }

    fn add(&mut self, now: i64, mean_life_hours: f64, amount: f64) {
        self.sum = (self.value(now, mean_life_hours) + amount).max(0.0);
        self.at = self.at.max(now);
    }
}

/// When in the week news comes, pooled over all entities.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Season {
    #[serde(with = "persisted::bits_list")]
    counts: Vec<f64>,
    #[serde(with = "persisted::bits")]
    total: f64,
    at: i64,
}

impl Default for Season {
    fn default() -> Self {
        Self { counts: vec![0.0; HOURS_OF_WEEK], total: 0.0, at: 0 }
    }
}

impl Season {
    fn add(&mut self, now: i64, weight: f64) {
        // The profile is relative: instead of decaying every hour's count, what comes later weighs more.
        let growth = (hours(now - self.at) / SEASON_MEAN_LIFE_HOURS).exp();
        if growth > 1.5 || self.at == 0 {
            self.counts.iter_mut().for_each(|count| *count /= growth);
            self.total /= growth;
            self.at = now;
        }
        let weight = weight * (hours(now - self.at) / SEASON_MEAN_LIFE_HOURS).exp();
        if let Some(count) = self.counts.get_mut(hour_of_week(now)) {
            *count += weight;
        }
        self.total += weight;
    }

    /// The window's length in hours of average intensity.
    fn hours_worth(&self, end: i64, window: i64) -> f64 {
        let week = HOURS_OF_WEEK as i64 * HOUR;
        let whole_weeks = window / week;
        let mut sum = whole_weeks as f64 * HOURS_OF_WEEK as f64;
        let mut from = end - window % week;
        while from < end {
            let next = ((from.div_euclid(HOUR) + 1) * HOUR).min(end);
            sum += self.intensity(hour_of_week(from)) * hours(next - from);
            from = next;
        }
        sum
    }

    /// How much busier than the average an hour is, smoothed over its neighbours and shrunk towards 1.
    fn intensity(&self, hour: usize) -> f64 {
        let count = |hour: usize| self.counts.get(hour % HOURS_OF_WEEK).copied().unwrap_or(0.0);
        let smooth = 0.25 * count(hour + HOURS_OF_WEEK - 1) + 0.5 * count(hour) + 0.25 * count(hour + 1);
        (smooth + SEASON_PRIOR) / (self.total / HOURS_OF_WEEK as f64 + SEASON_PRIOR)
    }
}

fn hour_of_week(millis: i64) -> usize {
    usize::try_from(millis.div_euclid(HOUR).rem_euclid(HOURS_OF_WEEK as i64)).unwrap_or(0)
}

/// Hours in so many milliseconds; none if they are negative.
fn hours(millis: i64) -> f64 {
    millis.max(0) as f64 / HOUR as f64
}
