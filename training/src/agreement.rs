//! How far annotators agree: the ceiling of what a model can learn from their labels.

mod cohen;
mod fleiss;
mod krippendorff;
mod ratings;

use serde::Serialize;

use crate::error::TrainingError;

pub use cohen::cohen_kappa;
pub use fleiss::fleiss_kappa;
pub use krippendorff::krippendorff_alpha;
pub use ratings::{RatingColumns, Ratings};

/// Agreement by every measure that the ratings allow: 1 is perfect, 0 what chance would give.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Things that have a label of at least two annotators.
    pub shared_units: usize,
    /// Things that only one annotator has labelled; they tell nothing here.
    pub single_units: usize,
    /// Rows without a label, which are no ratings.
    pub blank_labels: usize,
    /// The labels, by alphabet.
    pub labels: Vec<String>,
    /// The annotators, by alphabet.
    pub annotators: Vec<String>,
    /// The share of pairs of ratings of one unit that agree.
    pub observed: f64,
    /// See [`krippendorff_alpha`].
    pub krippendorff_alpha: Option<f64>,
    /// See [`fleiss_kappa`]: over the shared units, if all of them have the same number of ratings.
    pub fleiss_kappa: Option<f64>,
    /// Each pair of annotators with units in common, the one with most of them first.
    pub pairs: Vec<AnnotatorPair>,
}

/// Two annotators on the units that both have labelled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnnotatorPair {
    /// One of them.
    pub first: String,
    /// The other.
    pub second: String,
    /// Units in common.
    pub units: usize,
    /// The share of these with the same label.
    pub observed: f64,
    /// See [`cohen_kappa`].
    pub cohen_kappa: Option<f64>,
}

impl Agreement {
    /// Counts.
    ///
    /// # Errors
    ///
    /// [`TrainingError::NoSharedUnits`] if no unit has labels of two annotators.
    pub fn of(ratings: &Ratings) -> Result<Self, TrainingError> {
        let counts: Vec<Vec<u64>> = ratings.units().map(|unit| ratings.counts(unit)).collect();
        let (shared, single): (Vec<_>, Vec<_>) = counts.into_iter().partition(|counts| counts.iter().sum::<u64>() > 1);
        if shared.is_empty() {
            return Err(TrainingError::NoSharedUnits {
                units: single.len(),
                annotators: ratings.annotators().to_vec(),
            });
        }
        let pairs_of = |ratings: u64| ratings * ratings.saturating_sub(1) / 2;
        let agreeing: u64 = shared.iter().flatten().map(|count| pairs_of(*count)).sum();
        let all: u64 = shared.iter().map(|counts| pairs_of(counts.iter().sum())).sum();
        Ok(Self {
            shared_units: shared.len(),
            single_units: single.len(),
            blank_labels: ratings.blank_labels(),
            labels: ratings.labels().to_vec(),
            annotators: ratings.annotators().to_vec(),
            observed: agreeing as f64 / all as f64,
            krippendorff_alpha: krippendorff_alpha(&shared),
            fleiss_kappa: fleiss_kappa(&shared),
            pairs: pairs(ratings),
        })
    }
}

fn pairs(ratings: &Ratings) -> Vec<AnnotatorPair> {
    let annotators = ratings.annotators();
    let mut pairs = Vec::new();
    for (first, name) in annotators.iter().enumerate() {
        for (second, other) in annotators.iter().enumerate().skip(first + 1) {
            let label = |unit: &[(usize, usize)], annotator| {
                unit.iter().find(|(own, _)| *own == annotator).map(|(_, label)| *label)
            };
            let both = ratings.units().filter_map(|unit| Some((label(unit, first)?, label(unit, second)?)));
            let both: Vec<(usize, usize)> = both.collect();
            if !both.is_empty() {
                pairs.push(AnnotatorPair {
                    first: name.clone(),
                    second: other.clone(),
                    units: both.len(),
                    observed: both.iter().filter(|(one, two)| one == two).count() as f64 / both.len() as f64,
                    cohen_kappa: cohen_kappa(&both, ratings.labels().len()),
                });
            }
        }
    }
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.units));
    pairs
}

#[cfg(test)]
mod tests;
