//! Folds: every row is held out once, and judged by a model that has not seen it (Stone, "Cross-Validatory Choice and Assessment
//! of Statistical Predictions", 1974).

mod grouped;
mod strata;
mod stratified;

use std::collections::HashMap;

use foundation::configuration::ConfigurationError;

use super::preparation::{Prepared, prepare};
use super::split::{Side, Taken};
use super::{Cleaning, LabelSet, Row, Target, TaskData, key};
use crate::error::TrainingError;
use crate::run::{SplitBy, Task, TaskKind};

/// The tasks' rows in folds. Each label, set of labels, set of tags or range of numbers has the same share of every fold; where a task is
/// split by group, its groups stay together instead.
pub struct Folds {
    count: usize,
    seed: u64,
    columns: Vec<String>,
    tasks: Vec<FoldedTask>,
}

/// One task's rows in folds.
pub struct FoldedTask {
    task: Task,
    prepared: Prepared,
    /// What each row should be answered with.
    targets: Vec<Target>,
    /// Each row's fold, from 0.
    folds: Vec<usize>,
}

/// The folds that earlier tasks gave to texts and groups: tasks share one encoder.
#[derive(Default)]
struct Dealt {
    /// By [`key`].
    texts: HashMap<String, usize>,
    /// By column and value.
    groups: HashMap<(String, String), usize>,
}

impl Folds {
    /// Reads and cleans the tasks' files and deals their rows to `count` folds; `columns` are read beside. A task's own validation
    /// file stays what it is; its own test file is left alone, and no text of it is among the rows.
    ///
    /// # Errors
    ///
    /// What [`TaskData::load`] refuses, fewer than two folds, a label with fewer rows than folds, a task that is split by time,
    /// and folds that leave a task nothing to be tested on or a label nothing to be learned from.
    pub fn load(tasks: &[Task], count: usize, seed: u64, columns: &[String]) -> Result<Self, TrainingError> {
        if count < 2 {
            return Err(ConfigurationError::invalid("folds", "must be at least 2").into());
        }
        let mut dealt = Dealt::default();
        let deal = |(task, prepared)| FoldedTask::deal(task, prepared, count, seed, &mut dealt);
        let tasks = tasks.iter().zip(prepare(tasks, columns)?).map(deal).collect::<Result<_, _>>()?;
        let folds = Self { count, seed, columns: columns.to_vec(), tasks };
        // What any fold would be refused for is told before hours of training.
        (0..count).try_for_each(|fold| folds.data(fold).map(drop))?;
        Ok(folds)
    }

    /// The columns that were read beside the rows; their values end each row's [`Row::extra`].
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The tasks.
    pub fn tasks(&self) -> &[FoldedTask] {
        &self.tasks
    }

    /// What is learned from and tested on when this fold, from 0, is held out: its rows are the test sides, in the order of
    /// [`FoldedTask::held_out`]; the validation sides are cut from the rest as the tasks' splits say.
    pub fn data(&self, fold: usize) -> Result<Vec<TaskData>, TrainingError> {
        let held_out = self.tasks.iter().flat_map(|task| task.held_out(fold));
        let mut taken =
            Taken { texts: held_out.map(|(row, _)| (key(&row.text), Side::Test)).collect(), ..Taken::default() };
        self.tasks.iter().map(|task| task.data(fold, self.seed, &mut taken)).collect()
    }

    /// SHA-256 over the rows of all tasks with their folds.
    pub fn digest(&self) -> String {
        let mut content = String::new();
        for task in &self.tasks {
            for (row, fold) in task.prepared.rows.iter().zip(&task.folds) {
                content.push_str(&format!("{}\t{fold}\t{}\t{}\n", task.name(), row.label, row.text));
                if row.agreement < 1.0 {
                    content.push_str(&format!("{}\n", row.agreement));
                }
            }
        }
        foundation::digest::sha256(content.as_bytes())
    }
}

impl FoldedTask {
    /// The task's name.
    pub fn name(&self) -> &str {
        &self.task.name
    }

    /// The labels, in the order of the head's outputs.
    pub fn labels(&self) -> &LabelSet {
        &self.prepared.labels
    }

    /// What cleaning met.
    pub fn cleaning(&self) -> Cleaning {
        self.prepared.cleaning
    }

    /// What an answer is.
    pub fn kind(&self) -> TaskKind {
        self.prepared.kind
    }

    /// The rows of a fold with what they should be answered with, in the files' order.
    pub fn held_out(&self, fold: usize) -> impl Iterator<Item = (&Row, &Target)> {
        let rows = self.prepared.rows.iter().zip(&self.targets).zip(&self.folds);
        rows.filter(move |(_, own)| **own == fold).map(|(row, _)| row)
    }

    fn deal(
        task: &Task,
        mut prepared: Prepared,
        count: usize,
        seed: u64,
        dealt: &mut Dealt,
    ) -> Result<Self, TrainingError> {
        let rows = std::mem::take(&mut prepared.rows);
        let target = |row| prepared.labels.target(row, prepared.kind);
        let targets = rows.iter().map(target).collect::<Result<Vec<_>, _>>()?;
        check_classes(task, &prepared.labels, &targets, count)?;
        let folds = match &task.split.by {
            SplitBy::Stratified | SplitBy::Digest => {
                stratified::deal(&rows, &strata::of(&targets, count), count, seed, &dealt.texts)
            }
            SplitBy::Group { column } => grouped::deal(task, &rows, column, count, seed, &mut dealt.groups)?,
            SplitBy::Time { .. } => {
                return Err(TrainingError::Split {
                    task: task.name.clone(),
                    message:
                        "it is split by time, and folds would be tested on rows that are older than what was learned \
                              from; set another `by` to cross-validate all the same"
                            .to_owned(),
                });
            }
        };
        let before = rows.len();
        // A text that an earlier task has in another fold cannot be in this one.
        let mut is_free = |row: &Row, fold: usize| *dealt.texts.entry(key(&row.text)).or_insert(fold) == fold;
        let dealt_rows = rows.into_iter().zip(targets).zip(folds).filter(|((row, _), fold)| is_free(row, *fold));
        let (rows, folds): (Vec<(Row, Target)>, Vec<usize>) = dealt_rows.unzip();
        let (rows, targets): (Vec<Row>, Vec<Target>) = rows.into_iter().unzip();
        prepared.cleaning.repeats_of_held_out += before - rows.len();
        prepared.rows = rows;
        Ok(Self { task: task.clone(), prepared, targets, folds })
    }

    /// The fold's rows in the place of a test file.
    fn data(&self, fold: usize, seed: u64, taken: &mut Taken) -> Result<TaskData, TrainingError> {
        let rows = self.prepared.rows.iter().zip(&self.folds);
        let rest = rows.filter(|(_, own)| **own != fold).map(|(row, _)| row.clone());
        let prepared = Prepared {
            kind: self.prepared.kind,
            labels: self.prepared.labels.clone(),
            rows: rest.collect(),
            validation: self.prepared.validation.clone(),
            test: self.held_out(fold).map(|(row, _)| row.clone()).collect(),
            cleaning: self.prepared.cleaning,
        };
        if prepared.test.is_empty() {
            let message = format!("none of its rows falls on fold {}; ask for fewer folds", fold + 1);
            return Err(TrainingError::Split { task: self.task.name.clone(), message });
        }
        TaskData::split(&self.task, prepared, seed, taken)
    }
}

fn check_classes(task: &Task, names: &LabelSet, targets: &[Target], folds: usize) -> Result<(), TrainingError> {
    if !matches!(task.kind, TaskKind::SingleLabel | TaskKind::MultiLabel) {
        return Ok(());
    }
    for (index, label) in names.names().iter().enumerate() {
        let rows = targets.iter().filter(|target| target.labels().contains(&index)).count();
        if rows < folds {
            let (task, label) = (task.name.clone(), label.clone());
            return Err(TrainingError::FewerRowsThanFolds { task, label, rows, folds });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
