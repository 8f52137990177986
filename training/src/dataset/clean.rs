//! Files cleaned as training cleans them, to be written down.

use std::collections::HashSet;

use super::preparation::{distinct, without_texts};
use super::{Cleaning, CleaningRules, LabelNames, People, Row, key, read_rows};
use crate::error::TrainingError;
use crate::source::DataSource;

/// What is cleaned, and how.
pub struct CleanRequest<'a> {
    /// The labelled files.
    pub data: &'a [DataSource],
    /// Files that a model will be tested on: what they hold is left out; may be none.
    pub test: &'a [DataSource],
    /// Speaking names of the labels.
    pub names: Option<&'a LabelNames>,
    /// What is changed.
    pub rules: CleaningRules,
    /// Who finds the names that placeholders are put in the place of, if they are to be masked.
    pub people: Option<&'a mut People>,
    /// Further columns that come with the rows.
    pub extra: &'a [String],
}

/// Cleans: what training would learn from, in the files' order, and what cleaning met in the labelled files.
///
/// # Errors
///
/// As in training, a malformed file is an error that names file and line.
pub fn clean(request: CleanRequest<'_>) -> Result<(Vec<Row>, Cleaning), TrainingError> {
    let read = |sources: &[DataSource], extra: &[String], cleaning: &mut Cleaning| {
        let mut rows = Vec::new();
        for source in sources {
            rows.extend(read_rows(source, extra, request.names, request.rules, cleaning)?);
        }
        Ok::<_, TrainingError>(rows)
    };
    let mut cleaning = Cleaning::default();
    let mut rows = read(request.data, request.extra, &mut cleaning)?;
    let mut test = read(request.test, &[], &mut Cleaning::default())?;
    if let Some(people) = request.people {
        people.mask(&mut rows, &mut cleaning)?;
        people.mask(&mut test, &mut Cleaning::default())?;
    }
    let held_out: HashSet<String> = test.iter().map(|row| key(&row.text)).collect();
    let rows = without_texts(rows, &held_out, &mut cleaning);
    Ok((distinct(rows, &test, request.rules, &mut cleaning), cleaning))
}
