//! One teacher: a fine-tuned model, and which of its heads teaches which task.

use std::path::Path;
use std::sync::Arc;

use foundation::progress::Progress;
use inference::{Head, TextTokenizer, Tokens};

use super::refused;
use crate::dataset::{LabelSet, TaskData};
use crate::engine::{Classifier, Mode, PackedBatch};
use crate::error::TrainingError;
use crate::fine_tuned::FineTuned;

/// Texts that are asked about at once.
const BLOCK: usize = 64;

/// A model that knows some of a run's tasks.
#[derive(Debug)]
pub(super) struct Teacher {
    model: FineTuned,
    /// One for each of the run's tasks.
    lectures: Vec<Option<Lecture>>,
}

/// What a model says of a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// For each task the logits of its labels, in their order; none for what it does not teach.
    pub(super) logits: Vec<Option<Vec<f32>>>,
    /// Its pooled state, from which its heads answer.
    pub(super) state: Vec<f32>,
}

/// A model that is being asked.
pub(crate) struct Speaker<'a> {
    /// What it is called in errors.
    pub(crate) path: &'a Path,
    pub(crate) classifier: &'a Classifier,
    pub(crate) tokenizer: &'a TextTokenizer,
    /// One for each of the run's tasks.
    pub(crate) lectures: &'a [Option<Lecture>],
}

/// What a teacher knows about a task.
#[derive(Debug)]
pub(crate) struct Lecture {
    head: usize,
    /// Where the task's labels stand among the head's.
    columns: Vec<usize>,
}

impl Teacher {
    /// Opens a model's directory; weights are read when it is asked.
    pub(super) fn open(path: &Path, data: &[TaskData]) -> Result<Self, TrainingError> {
        let model = FineTuned::open(path)?;
        model.check_reading(data)?;
        let only = data.len() == 1 && model.heads.len() == 1;
        let lecture = |task: &TaskData| {
            let head = model.heads.iter().position(|head| only || *head.name == *task.name);
            head.map(|head| Lecture::of(&model, head, &task.labels)).transpose()
        };
        let lectures = data.iter().map(lecture).collect::<Result<Vec<_>, _>>()?;
        if lectures.iter().all(Option::is_none) {
            let heads: Vec<&str> = model.heads.iter().map(|head| &*head.name).collect();
            let tasks: Vec<&str> = data.iter().map(|task| task.name.as_str()).collect();
            return Err(refused(path, format!("its heads {heads:?} teach none of the tasks {tasks:?}")));
        }
        Ok(Self { model, lectures })
    }

    /// SHA-256 over the rows that it was trained on, side by side, as its report has it.
    pub(super) fn data_digest(&self) -> Option<String> {
        self.model.data_digest()
    }

    /// Its [`Speaker::answers`].
    pub(super) fn answers(&self, texts: &[&str], progress: &Progress) -> Result<Vec<Said>, TrainingError> {
        let (classifier, tokenizer) = (self.model.classifier()?, self.model.tokenizer()?);
        let lectures = &self.lectures;
        let path = &self.model.path;
        Speaker { path, classifier: &classifier, tokenizer: &tokenizer, lectures }.answers(texts, progress)
    }
}

impl Speaker<'_> {
    /// What it says of each text.
    pub(crate) fn answers(&self, texts: &[&str], progress: &Progress) -> Result<Vec<Said>, TrainingError> {
        let Self { classifier, lectures, .. } = self;
        let mut said: Vec<Said> = Vec::with_capacity(texts.len());
        for block in texts.chunks(BLOCK) {
            let tokens = block.iter().map(|text| self.tokens(text)).collect::<Result<Vec<_>, _>>()?;
            let packed = Arc::new(PackedBatch::read_at(&tokens));
            let pooled = classifier.encode(&packed, Mode::Evaluation)?;
            let first = said.len();
            let states = pooled.to_vec2::<f32>()?.into_iter();
            said.extend(states.map(|state| Said { logits: vec![None; lectures.len()], state }));
            for (task, lecture) in lectures.iter().enumerate() {
                let Some(Lecture { head, columns }) = lecture else { continue };
                let rows = classifier.logits(&pooled, *head)?.to_vec2::<f32>()?;
                for (said, logits) in said[first..].iter_mut().zip(rows) {
                    said.logits[task] = Some(columns.iter().map(|column| logits[*column]).collect());
                }
            }
            progress.advance(block.len() as u64);
        }
        Ok(said)
    }

    fn tokens(&self, text: &str) -> Result<Tokens, TrainingError> {
        let tokens = self.tokenizer.encode(text)?;
        match tokens.is_empty() {
            true => Err(refused(self.path, format!("its tokenizer makes no token of {text:?}"))),
            false => Ok(tokens),
        }
    }
}

impl Lecture {
    /// What a model of this very run knows.
    pub(crate) fn of_own(task: usize, labels: usize) -> Self {
        Self { head: task, columns: (0..labels).collect() }
    }

    fn of(model: &FineTuned, index: usize, labels: &LabelSet) -> Result<Self, TrainingError> {
        let head: &Head = &model.heads[index];
        let columns: Option<Vec<usize>> = labels.names().iter().map(|label| head.position(label)).collect();
        match columns {
            Some(columns) if columns.len() == head.labels.len() => Ok(Self { head: index, columns }),
            _ => Err(refused(
                &model.path,
                format!(
                    "its head {:?} has the labels {:?}, the task has {:?}; a teacher's labels must be the task's",
                    head.name,
                    head.labels,
                    labels.names()
                ),
            )),
        }
    }
}
