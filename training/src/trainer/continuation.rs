//! What a run keeps of what its base has learned: heads, old rows, the weights that matter to them.

use std::path::Path;
use std::sync::Arc;

use foundation::progress::{Progress, Unit};
use inference::TextTokenizer;

use super::groups::{Group, Row};
use super::lessons::Taught;
use super::reading::Reading;
use crate::continual::Continual;
use crate::dataset::{Cleaning, LabelNames, Target, TaskData, read_apart};
use crate::engine::{Classifier, Consolidation, CrossEntropy, Mode, Objective, PackedBatch, Weights};
use crate::error::TrainingError;
use crate::fine_tuned::FineTuned;
use crate::random::Random;
use crate::run::{TaskKind, TrainingRun};
use crate::source::DataSource;

/// Gives the run's heads the weights of the base's heads of the same names, label by label.
pub(super) fn carry_heads_over(
    base: &Path,
    weights: &Weights,
    model: &Classifier,
    data: &[TaskData],
) -> Result<(), TrainingError> {
    let old = FineTuned::open(base)?;
    old.check_reading(data)?;
    let task_of = |head: usize| data.iter().position(|task| *task.name == *old.heads[head].name);
    if (0..old.heads.len()).all(|head| task_of(head).is_none()) {
        let heads: Vec<&str> = old.heads.iter().map(|head| &*head.name).collect();
        let message =
            format!("none of its heads {heads:?} is called as a task; a task goes on with the head of its name");
        return Err(TrainingError::FineTuned { path: base.to_owned(), message });
    }
    old.hand_over(weights, model, |head, label| {
        let (task, label) = (task_of(head)?, &*old.heads[head].labels[label]);
        let place = data[task].labels.names().iter().position(|name| name == label);
        if place.is_none() {
            tracing::warn!("{}: no row has the label {label:?} of the base's head; it is forgotten", data[task].name);
        }
        Some((task, place?))
    })
}

/// The old rows of a run, as a group that goes along with each step; none if the run names none.
pub(super) fn old_rows(
    run: &TrainingRun,
    data: &[TaskData],
    tokenizer: &TextTokenizer,
    base: &Path,
) -> Result<Option<Group>, TrainingError> {
    let Some(Continual { old, task, replay, .. }) = run.continual.as_ref().filter(|own| !own.old.is_empty()) else {
        return Ok(None);
    };
    let at = run.tasks.iter().position(|own| task.as_ref() == Some(&own.name)).unwrap_or(0);
    let names = run.tasks[at].label_names.as_deref().map(LabelNames::load).transpose()?;
    let mut cleaning = Cleaning::default();
    let rows = read_apart(old, names.as_ref(), run.tasks[at].cleaning, data, &mut cleaning)?;
    tracing::info!("old rows: {cleaning}");
    if rows.is_empty() {
        let files = old.iter().map(DataSource::name).collect();
        return Err(TrainingError::NoTextsLeft { files, hard_above: None });
    }
    let row = |row: &crate::dataset::Row| {
        let targets = vec![Target::Label(data[at].labels.index_of(row)?)];
        let reading = Reading::of(&row.text, TaskKind::SingleLabel, tokenizer, base)?;
        Ok(Row { reading, text: None, targets, taught: Taught::default() })
    };
    let rows = rows.iter().map(row).collect::<Result<_, TrainingError>>()?;
    Ok(Some(Group { tasks: vec![at], share: Some(*replay), rows }))
}

/// Which weights the model's answers to the old rows depend on.
///
/// The Fisher information is estimated with labels drawn from the model's own answers: with the rows' own labels it would be
/// something else (Kunstner and others, "Limitations of the Empirical Fisher Approximation", 2019).
pub(super) fn consolidate(
    run: &TrainingRun,
    model: &Classifier,
    old: &Group,
) -> Result<Option<Consolidation>, TrainingError> {
    let Some(Continual { ewc, ewc_rows, .. }) = run.continual.as_ref().filter(|own| own.ewc > 0.0) else {
        return Ok(None);
    };
    let mut random = Random::new(run.seed, "consolidation");
    let mut order: Vec<&Row> = old.rows.iter().collect();
    random.shuffle(&mut order);
    order.truncate(*ewc_rows);
    let progress = Progress::start("weighing old weights", Some(order.len() as u64), Unit::Items("rows"));
    let kind = TaskKind::SingleLabel;
    let plain = Objective { kind, label_smoothing: 0.0, r_drop: 0.0, loss: Box::new(CrossEntropy) };
    let parameters = model.parameters();
    let mut consolidation = Consolidation::new(&parameters, *ewc);
    for row in order {
        let packed = Arc::new(PackedBatch::read_at([row.reading.sequence()]));
        let pooled = model.encode(&packed, Mode::Training { seed: run.seed, step: 0, dropout: 0.0 })?;
        let logits = model.logits(&pooled, old.tasks[0])?;
        let logits_of_row: Vec<f32> = logits.flatten_all()?.to_vec1()?;
        let label = Target::Label(draw(&logits_of_row, &mut random));
        plain.loss(&logits, &plain.wanted(&[&label], logits_of_row.len())?)?.backward()?;
        consolidation.observe(&parameters);
        progress.advance(1);
    }
    progress.finish();
    Ok(Some(consolidation))
}

/// A label by its probability.
fn draw(logits: &[f32], random: &mut Random) -> usize {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|logit| f64::from(logit - highest).exp()).collect();
    let mut left = random.unit() * powers.iter().sum::<f64>();
    let passed = |power: &f64| {
        left -= power;
        left < 0.0
    };
    powers.iter().position(passed).unwrap_or(logits.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_drawn_by_their_probabilities() {
        let mut random = Random::new(1, "test");
        let mut counts = [0; 3];
        (0..8000).for_each(|_| counts[draw(&[2f32.ln(), 0.0, 0.0], &mut random)] += 1);
        assert!((3850..4150).contains(&counts[0]) && (1850..2150).contains(&counts[1]), "{counts:?}");
        assert_eq!(draw(&[-1000.0, 1000.0], &mut random), 1);
    }
}
