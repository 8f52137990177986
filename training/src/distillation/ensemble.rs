//! Several teachers, whose probabilities are averaged.

use std::path::PathBuf;

use foundation::progress::{Progress, Unit};

use super::teacher::{Said, Teacher};
use super::{Distillation, refused};
use crate::dataset::{self, TaskData};
use crate::error::TrainingError;

/// The teachers of a run that lie in directories.
#[derive(Debug)]
pub(crate) struct Ensemble(Vec<Teacher>);

/// The logits of all teachers of a task for one text, in the order of the task's labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer(pub(crate) Vec<Vec<f32>>);

/// What all teachers say of one text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers {
    /// One for each task.
    pub(crate) tasks: Vec<Answer>,
    /// The teachers' pooled states, one after the other; empty where they are not wanted.
    pub(crate) states: Vec<f32>,
}

impl Ensemble {
    /// Opens the teachers' directories.
    ///
    /// # Errors
    ///
    /// A directory that holds no fine-tuned model, a head whose labels are not its task's, a model that knows none of the tasks,
    /// and one whose report shows that it was trained on other rows or another split, unless that is allowed.
    pub(crate) fn open(distillation: &Distillation, data: &[TaskData]) -> Result<Self, TrainingError> {
        let own = dataset::digest(data);
        let open = |path: &PathBuf| {
            let teacher = Teacher::open(path, data)?;
            match teacher.data_digest() {
                Some(digest) if digest == own => {}
                Some(_) if !distillation.other_data => {
                    let message = "its report.json shows other rows or another split than this run's, so that it may have \
                                   learned what the run is tested on; train it on the same data with the same `split` and \
                                   `split_seed`, or set `distillation.other_data = true` if it has not";
                    return Err(refused(path, message.to_owned()));
                }
                Some(_) => tracing::warn!(
                    "teacher {}: trained on other rows or another split; what it has seen of this run's test side makes the \
                     test's figures better than the model is",
                    path.display()
                ),
                None => tracing::warn!(
                    "teacher {}: no report.json says what it was trained on; if that is this run's test side, the test's \
                     figures are better than the model is",
                    path.display()
                ),
            }
            Ok(teacher)
        };
        distillation.teachers.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Adds what the teachers say of each text. One teacher is held in memory at a time.
    pub(crate) fn ask(&self, texts: &[&str], answers: &mut [Answers], states: bool) -> Result<(), TrainingError> {
        let total = texts.len() * self.0.len();
        let progress = Progress::start("asking the teachers", Some(total as u64), Unit::Items("texts"));
        for teacher in &self.0 {
            add(answers, teacher.answers(texts, &progress)?, states);
        }
        progress.finish();
        Ok(())
    }
}

/// Adds what one teacher says, with or without its states.
pub(crate) fn add(answers: &mut [Answers], said: Vec<Said>, states: bool) {
    for (answers, said) in answers.iter_mut().zip(said) {
        answers.tasks.resize(said.logits.len(), Answer::default());
        answers.tasks.iter_mut().zip(said.logits).for_each(|(answer, logits)| answer.0.extend(logits));
        if states {
            answers.states.extend(said.state);
        }
    }
}

impl Answer {
    /// The mean of the teachers' probabilities at a temperature.
    pub(crate) fn probabilities(&self, temperature: f64) -> Vec<f32> {
        let mut mean = vec![0.0; self.0.first().map_or(0, Vec::len)];
        for logits in &self.0 {
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f64> =
                logits.iter().map(|logit| (f64::from(logit - highest) / temperature).exp()).collect();
            let total = powers.iter().sum::<f64>() * self.0.len() as f64;
            mean.iter_mut().zip(powers).for_each(|(mean, power)| *mean += power / total);
        }
        mean.into_iter().map(|probability| probability as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(got: &[f32], expected: &[f32]) {
        assert!(got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}");
    }

    #[test]
    fn probabilities_are_averaged_at_the_temperature_as_counted_by_hand() {
        let (first, second) = (vec![4f32.ln(), 0.0], vec![0.0, 0.0]);
        let alone = Answer(vec![first.clone()]);
        assert_close(&alone.probabilities(1.0), &[0.8, 0.2]);
        // Half the logarithm: the root of 4.
        assert_close(&alone.probabilities(2.0), &[2.0 / 3.0, 1.0 / 3.0]);
        let both = Answer(vec![first, second]);
        assert_close(&both.probabilities(1.0), &[0.65, 0.35]);
        assert_close(&both.probabilities(2.0), &[7.0 / 12.0, 5.0 / 12.0]);
        assert_close(&Answer(vec![vec![-900.0, 900.0]]).probabilities(1.0), &[0.0, 1.0]);
        assert_close(&Answer::default().probabilities(1.0), &[]);
    }
}
