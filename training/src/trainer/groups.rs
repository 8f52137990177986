//! The rows to learn from: a text that several tasks label is encoded once, for the heads of all of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use inference::TextTokenizer;

use super::augmenting::Augmenting;
use super::lessons::{Lessons, Taught};
use super::reading::Reading;
use super::scale::Scale;
use crate::dataset::{Target, TaskData, key};
use crate::error::TrainingError;
use crate::run::TaskKind;

/// Rows that the same tasks label.
#[derive(Debug)]
pub(super) struct Group {
    /// The tasks, in their order in the run.
    pub(super) tasks: Vec<usize>,
    /// The share of each step's rows that is drawn from here; none for rows that epochs go through.
    pub(super) share: Option<f64>,
    pub(super) rows: Vec<Row>,
}

/// A tokenised text with one target for each task of its group.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) reading: Reading,
    /// Where steps learn it changed, the text.
    pub(super) text: Option<Box<str>>,
    /// Of words, for those that the encoder sees.
    pub(super) targets: Vec<Target>,
    /// What teachers say of it.
    pub(super) taught: Taught,
}

impl Group {
    /// The rows' labels for its first task; none where it has no labels.
    pub(super) fn labels(&self) -> Vec<usize> {
        self.rows.iter().filter_map(|row| row.targets.first()?.label()).collect()
    }
}

/// The training sides of all tasks, with numbers as they are learned.
pub(super) fn of(
    data: &[TaskData],
    scales: &[Option<Scale>],
    tokenizer: &TextTokenizer,
    base: &Path,
    lessons: &mut Lessons,
    augmenting: &Augmenting,
) -> Result<Vec<Group>, TrainingError> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut texts: Vec<(Cow<'_, str>, BTreeMap<usize, Target>)> = Vec::new();
    for (task, (data, scale)) in data.iter().zip(scales).enumerate() {
        for example in &data.train {
            let place = *places.entry(key(&example.text)).or_insert(texts.len());
            if place == texts.len() {
                texts.push((Cow::Borrowed(&example.text), BTreeMap::new()));
            }
            let target = &example.target;
            texts[place].1.insert(task, scale.as_ref().map_or_else(|| target.clone(), |scale| scale.learned(target)));
        }
    }
    let held_out = data.iter().flat_map(|data| data.validation.iter().chain(&data.test));
    let met: HashSet<String> = held_out.map(|example| key(&example.text)).chain(places.into_keys()).collect();
    let own: Vec<&str> = texts.iter().map(|(text, _)| &**text).collect();
    for (place, text) in augmenting.further(&own, met)? {
        let targets = texts[place].1.clone();
        texts.push((Cow::Owned(text), targets));
    }
    let mut groups: BTreeMap<Vec<usize>, Vec<Row>> = BTreeMap::new();
    // Tasks of one run read in one way.
    let kind = data.first().map_or_else(TaskKind::default, |task| task.kind);
    for (text, targets) in texts {
        let reading = Reading::of(&text, kind, tokenizer, base)?;
        if reading.is_seen() {
            let targets = targets.into_iter().map(|(task, target)| (task, target.at(&reading.places)));
            let (tasks, targets): (Vec<usize>, _) = targets.unzip();
            let taught = lessons.take(&text, &tasks);
            let text = augmenting.is_drawn().then(|| text.into());
            groups.entry(tasks).or_default().push(Row { reading, text, targets, taught });
        }
    }
    Ok(groups.into_iter().map(|(tasks, rows)| Group { tasks, share: None, rows }).collect())
}
