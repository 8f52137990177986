//! Texts that are learned from beside a run's rows: none of them may be one of those, lest the test side be learned.

use std::collections::HashSet;

use super::preparation::{distinct, without_texts};
use super::{Cleaning, CleaningRules, LabelNames, Row, TaskData, key, read_rows};
use crate::error::TrainingError;
use crate::source::DataSource;

/// Reads files whose rows stand on no side of `tasks`, cleaned, each text once. Where the rules drop near-duplicates, none is
/// almost one that is held out.
pub(crate) fn read_apart(
    sources: &[DataSource],
    names: Option<&LabelNames>,
    rules: CleaningRules,
    tasks: &[TaskData],
    cleaning: &mut Cleaning,
) -> Result<Vec<Row>, TrainingError> {
    let mut rows = Vec::new();
    for source in sources {
        rows.extend(read_rows(source, &[], names, rules, cleaning)?);
    }
    Ok(without_rows_of(tasks, rows, rules, cleaning))
}

/// The same without labels: they are empty.
pub(crate) fn read_unlabelled(
    sources: &[DataSource],
    rules: CleaningRules,
    tasks: &[TaskData],
    cleaning: &mut Cleaning,
) -> Result<Vec<Row>, TrainingError> {
    let mut rows = Vec::new();
    for source in sources {
        rows.extend(read_rows(&source.without_label(), &[], None, rules, cleaning)?);
    }
    rows.iter_mut().for_each(|row| row.label.clear());
    Ok(without_rows_of(tasks, rows, rules, cleaning))
}

fn without_rows_of(tasks: &[TaskData], rows: Vec<Row>, rules: CleaningRules, cleaning: &mut Cleaning) -> Vec<Row> {
    let Some(first) = rows.first().cloned() else { return rows };
    let held_out: Vec<Row> = tasks
        .iter()
        .flat_map(|task| task.validation.iter().chain(&task.test))
        .map(|example| Row { text: example.text.clone(), ..first.clone() })
        .collect();
    let learned = tasks.iter().flat_map(|task| &task.train).map(|example| key(&example.text));
    let all: HashSet<String> = held_out.iter().map(|row| key(&row.text)).chain(learned).collect();
    distinct(without_texts(rows, &all, cleaning), &held_out, rules, cleaning)
}
