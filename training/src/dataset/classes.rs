//! Whether a task's rows hold enough of every answer to learn and measure it.

use super::{LabelSet, MINIMUM_ROWS, Row};
use crate::error::TrainingError;
use crate::run::{Task, TaskKind};
use crate::source::DataSource;

/// Refuses rows from which nothing can be learned.
pub(super) fn check(task: &Task, labels: &LabelSet, rows: &[Row]) -> Result<(), TrainingError> {
    let refused = |message: String| Err(TrainingError::NothingToLearn { task: task.name.clone(), message });
    match task.kind {
        TaskKind::SingleLabel if labels.len() < 2 => {
            let label = labels.names().first().cloned();
            Err(TrainingError::OneClass { task: task.name.clone(), label, files: files(task) })
        }
        TaskKind::MultiLabel if labels.is_empty() => refused(format!("no row of {} has a label", files(task))),
        TaskKind::SingleLabel | TaskKind::MultiLabel => {
            let counts = counts(labels, rows);
            for (label, found) in labels.names().iter().zip(counts) {
                if found < MINIMUM_ROWS {
                    let (task, label) = (task.name.clone(), label.clone());
                    return Err(TrainingError::TooFewRows { task, label, rows: found, minimum: MINIMUM_ROWS });
                }
                if task.kind == TaskKind::MultiLabel && found == rows.len() {
                    return refused(format!(
                        "every row has label {label:?}, so nothing tells what lacks it; add rows without it, or drop the label"
                    ));
                }
            }
            Ok(())
        }
        // Counted by their types, of which each has two labels, when these were found.
        TaskKind::Tokens => Ok(()),
        TaskKind::Regression if rows.len() < MINIMUM_ROWS => refused(format!(
            "{} has {} distinct rows, at least {MINIMUM_ROWS} are needed (add rows)",
            files(task),
            rows.len()
        )),
        TaskKind::Regression => match rows.first().filter(|first| rows.iter().all(|row| row.label == first.label)) {
            Some(row) => refused(format!("the number of every row is {}; there is nothing to tell apart", row.label)),
            None => Ok(()),
        },
    }
}

/// How many rows have each label.
fn counts(labels: &LabelSet, rows: &[Row]) -> Vec<usize> {
    let mut counts = vec![0; labels.len()];
    for label in rows.iter().flat_map(Row::labels) {
        if let Some(index) = labels.position(label) {
            counts[index] += 1;
        }
    }
    counts
}

fn files(task: &Task) -> String {
    task.data.iter().map(DataSource::name).collect::<Vec<_>>().join(", ")
}
