//! Who gave what which label.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::{Location, TrainingError};
use crate::source::DataSource;

/// The columns, keys or JSON Pointers of a rating.
#[derive(Debug, Clone, Copy)]
pub struct RatingColumns<'a> {
    /// What is rated: its number, or its text.
    pub id: &'a str,
    /// Who rates it.
    pub annotator: &'a str,
    /// The label.
    pub label: &'a str,
}

/// Labels that annotators gave to units, at most one of each annotator to each unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ratings {
    labels: Vec<String>,
    annotators: Vec<String>,
    /// Of each unit (annotator, label), as indices.
    units: Vec<Vec<(usize, usize)>>,
    blank_labels: usize,
}

/// One row as it stands.
struct Rating {
    id: String,
    annotator: String,
    label: String,
    at: Location,
}

impl Ratings {
    /// Reads files with a rating a row; a row without a label is no rating.
    ///
    /// # Errors
    ///
    /// As [`DataSource::read_with`], and [`TrainingError::Row`] for a row without id or annotator, and for a second label by one
    /// annotator of one unit.
    pub fn read(sources: &[DataSource], columns: RatingColumns<'_>) -> Result<Self, TrainingError> {
        let mut ratings = Vec::new();
        for source in sources {
            // An id may be a text, and takes its place here.
            let source = DataSource {
                text: Some(columns.id.to_owned()),
                label: Some(columns.label.to_owned()),
                ..source.clone()
            };
            for row in source.read_with(&[columns.annotator.to_owned()])? {
                let annotator = row.extra.into_iter().next().unwrap_or_default();
                let [id, annotator, label] = [row.text, annotator, row.label].map(|value| value.trim().to_owned());
                for (value, field) in [(&id, columns.id), (&annotator, columns.annotator)] {
                    if value.is_empty() {
                        let message = "is empty; a rating needs one".to_owned();
                        return Err(TrainingError::Row { at: row.at, field: field.to_owned(), message });
                    }
                }
                ratings.push(Rating { id, annotator, label, at: row.at });
            }
        }
        Self::of(ratings, columns.annotator)
    }

    fn of(mut ratings: Vec<Rating>, column: &str) -> Result<Self, TrainingError> {
        let before = ratings.len();
        ratings.retain(|rating| !rating.label.is_empty());
        let (labels, label_of) = indexed(ratings.iter().map(|rating| rating.label.as_str()));
        let (annotators, annotator_of) = indexed(ratings.iter().map(|rating| rating.annotator.as_str()));
        let mut units: Vec<Vec<(usize, usize)>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut met: HashMap<(&str, &str), &Location> = HashMap::new();
        for rating in &ratings {
            match met.entry((&rating.id, &rating.annotator)) {
                Entry::Vacant(place) => _ = place.insert(&rating.at),
                Entry::Occupied(first) => {
                    return Err(TrainingError::Row {
                        at: rating.at.clone(),
                        field: column.to_owned(),
                        message: format!(
                            "{:?} has labelled {:?} before, at {}; leave one of both",
                            rating.annotator,
                            rating.id,
                            first.get()
                        ),
                    });
                }
            }
            let unit = *places.entry(&rating.id).or_insert(units.len());
            if unit == units.len() {
                units.push(Vec::new());
            }
            units[unit].push((annotator_of[rating.annotator.as_str()], label_of[rating.label.as_str()]));
        }
        Ok(Self { blank_labels: before - ratings.len(), labels, annotators, units })
    }

    /// The labels, by alphabet.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The annotators, by alphabet.
    pub fn annotators(&self) -> &[String] {
        &self.annotators
    }

    /// Rows without a label.
    pub fn blank_labels(&self) -> usize {
        self.blank_labels
    }

    /// The ratings of each unit, (annotator, label) as indices, in the files' order.
    pub fn units(&self) -> impl Iterator<Item = &[(usize, usize)]> {
        self.units.iter().map(Vec::as_slice)
    }

    /// How often a unit has each label.
    pub(super) fn counts(&self, unit: &[(usize, usize)]) -> Vec<u64> {
        let mut counts = vec![0; self.labels.len()];
        unit.iter().for_each(|(_, label)| counts[*label] += 1);
        counts
    }
}

/// The different names in order, and each one's index.
fn indexed<'a>(names: impl Iterator<Item = &'a str>) -> (Vec<String>, HashMap<&'a str, usize>) {
    let distinct: std::collections::BTreeSet<&str> = names.collect();
    let index = distinct.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    (distinct.into_iter().map(str::to_owned).collect(), index)
}
