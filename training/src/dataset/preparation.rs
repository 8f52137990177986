//! From a task's files to rows that are fit to be split: cleaned, each text once, apart from all that is held out.

use std::collections::HashSet;

use super::{
    Cleaning, CleaningRules, Example, LabelNames, LabelReading, LabelSet, Row, classes, cleaning, key, labels,
    near_duplicates, read_rows, tagged,
};
use crate::error::TrainingError;
use crate::run::{Task, TaskKind};
use crate::source::DataSource;

/// A task's rows before they are split.
pub(super) struct Prepared {
    pub(super) kind: TaskKind,
    pub(super) labels: LabelSet,
    /// With the value of the column that the split is by, if it is by one, and those of the columns asked for.
    pub(super) rows: Vec<Row>,
    pub(super) validation: Vec<Row>,
    pub(super) test: Vec<Row>,
    pub(super) cleaning: Cleaning,
}

/// Reads and cleans the tasks' files. No text of any validation or test file stays among the rows of any task. `columns` are
/// read beside each row to be split.
pub(super) fn prepare(tasks: &[Task], columns: &[String]) -> Result<Vec<Prepared>, TrainingError> {
    let files = tasks.iter().map(|task| Files::read(task, columns)).collect::<Result<Vec<_>, _>>()?;
    let held_out = files.iter().flat_map(|files| files.validation.iter().chain(&files.test));
    let held_out: HashSet<String> = held_out.map(|row| key(&row.text)).collect();
    tasks.iter().zip(files).map(|(task, files)| files.prepare(task, &held_out)).collect()
}

/// A task's files, cleaned but with duplicates.
struct Files {
    names: Option<LabelNames>,
    data: Vec<Row>,
    validation: Vec<Row>,
    test: Vec<Row>,
    cleaning: Cleaning,
}

impl Files {
    fn read(task: &Task, columns: &[String]) -> Result<Self, TrainingError> {
        let names = task.label_names.as_deref().map(LabelNames::load).transpose()?;
        let labels = LabelReading { kind: task.kind, names: names.as_ref() };
        let mut cleaning = Cleaning::default();
        let mut read = |sources: &[DataSource], extra: &[String]| -> Result<Vec<Row>, TrainingError> {
            let mut rows = Vec::new();
            for source in sources {
                rows.extend(read_rows(source, extra, labels, task.cleaning, &mut cleaning)?);
            }
            match task.kind {
                TaskKind::SingleLabel | TaskKind::MultiLabel | TaskKind::Regression => Ok(rows),
                TaskKind::Tokens => rows.into_iter().map(tagged::checked).collect(),
            }
        };
        let columns: Vec<String> = task.split.by.column().into_iter().chain(columns).cloned().collect();
        let data = read(&task.data, &columns)?;
        let (validation, test) = (read(&task.validation, &[])?, read(&task.test, &[])?);
        Ok(Self { names, data, validation, test, cleaning })
    }

    fn prepare(self, task: &Task, held_out: &HashSet<String>) -> Result<Prepared, TrainingError> {
        let Self { names, data, validation, test, mut cleaning } = self;
        let rows = without_texts(data, held_out, &mut cleaning);
        if matches!(task.kind, TaskKind::SingleLabel | TaskKind::MultiLabel) {
            labels::refuse_look_alikes(&rows)?;
        }
        let files = [&validation[..], &test[..]].concat();
        let rows = distinct(rows, &files, task.cleaning, &mut cleaning);
        let labels = match task.kind {
            TaskKind::SingleLabel | TaskKind::MultiLabel => LabelSet::of(&rows, names.as_ref()),
            TaskKind::Regression => LabelSet::new(vec![task.name.clone()]),
            TaskKind::Tokens => tagged::labels(task, &rows)?,
        };
        classes::check(task, &labels, &rows)?;
        Ok(Prepared { kind: task.kind, labels, rows, validation, test, cleaning })
    }
}

impl Prepared {
    /// These rows with their targets.
    pub(super) fn examples<'a>(&self, rows: impl IntoIterator<Item = &'a Row>) -> Result<Vec<Example>, TrainingError> {
        let example = |row: &Row| Ok(Example { text: row.text.clone(), target: self.labels.target(row, self.kind)? });
        rows.into_iter().map(example).collect()
    }
}

/// The rows without those whose texts, by [`key`], are held out.
pub(super) fn without_texts(mut rows: Vec<Row>, held_out: &HashSet<String>, cleaning: &mut Cleaning) -> Vec<Row> {
    let before = rows.len();
    rows.retain(|row| !held_out.contains(&key(&row.text)));
    cleaning.repeats_of_held_out += before - rows.len();
    rows
}

/// Each text once; by the rules, also in the languages asked for, and without what is almost another text or one of the files that are held out.
pub(super) fn distinct(rows: Vec<Row>, files: &[Row], rules: CleaningRules, cleaning: &mut Cleaning) -> Vec<Row> {
    let mut rows = cleaning::without_duplicates(rows, cleaning);
    let before = rows.len();
    rows.retain(|row| rules.languages.may_have(&row.text));
    cleaning.other_languages += before - rows.len();
    if !rules.drop_near_duplicates {
        return rows;
    }
    let before = rows.len();
    let rows = near_duplicates::without(rows, files);
    cleaning.near_duplicates += before - rows.len();
    rows
}
