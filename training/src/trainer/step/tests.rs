use super::*;
use crate::engine::{Freeze, Frozen, OptimizerKind, ScheduleKind};
use crate::run::Hyperparameters;
use crate::trainer::{Adversarial, Fgm, FreeLb, Pgd};

/// A step's loss, and how it moved each parameter. The movement is a tenth of the gradient: neither clipped, nor in
/// need of a direction.
fn step(change: impl FnOnce(&mut Hyperparameters), batches: &[Batch]) -> (f64, Vec<(String, Vec<f32>)>) {
    let directory = tempfile::tempdir().unwrap();
    let mut run = crate::trainer::tests::run(directory.path());
    run.hyperparameters = Hyperparameters {
        optimizer: OptimizerKind::Sgd,
        momentum: 0.0,
        learning_rate: 0.1,
        weight_decay: 0.0,
        gradient_norm: 1e9,
        weight_average: 0.0,
        dropout: 0.0,
        r_drop: 0.0,
        ..run.hyperparameters
    };
    change(&mut run.hyperparameters);
    let data = TaskData::load(&run.tasks, run.split_seed()).unwrap();
    let trainer = Trainer::new(&run, run.base.as_ref().unwrap(), &data).unwrap();
    let before = trainer.model.snapshot();
    let schedule = Schedule { kind: ScheduleKind::Constant, warmup: 0, total: 1 };
    let mut optimizer = Optimizer::new(&trainer.model.parameters(), trainer.settings());
    let loss = trainer.step(batches, 0, &schedule, &mut optimizer).unwrap().unwrap();
    let names = trainer.model.parameters().into_iter().map(|parameter| parameter.name().to_owned());
    let moved = before.iter().zip(trainer.model.snapshot());
    let moved = moved.map(|(before, after)| after.iter().zip(before).map(|(after, before)| after - before).collect());
    (loss, names.zip(moved).collect())
}

/// Rows stand by label: these are from all over them.
fn batch(rows: std::ops::Range<usize>) -> Batch {
    Batch { group: 0, rows: rows.map(|row| row * 17).collect() }
}

/// How far two movements are apart, as a share of the first one's length.
fn apart(first: &[(String, Vec<f32>)], second: &[(String, Vec<f32>)]) -> f64 {
    let values = |all: &[(String, Vec<f32>)]| all.iter().flat_map(|(_, values)| values.clone()).collect::<Vec<f32>>();
    let (first, second) = (values(first), values(second));
    let length =
        |values: &mut dyn Iterator<Item = f32>| values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    let between = length(&mut first.iter().zip(&second).map(|(first, second)| first - second));
    between / length(&mut first.iter().copied())
}

#[test]
fn batches_of_a_step_count_as_one() {
    let (loss, whole) = step(|_| (), &[batch(0..16)]);
    for batches in [&[batch(0..4), batch(4..8), batch(8..12), batch(12..16)][..], &[batch(0..13), batch(13..16)]] {
        let (parts_loss, parts) = step(|settings| settings.accumulation = batches.len(), batches);
        assert!((loss - parts_loss).abs() < 1e-6, "{loss} {parts_loss}");
        assert!(apart(&whole, &parts) < 1e-4, "{}", apart(&whole, &parts));
    }
    assert!(apart(&whole, &step(|_| (), &[batch(0..13)]).1) > 1e-2);
}

#[test]
fn moved_words_cost_more_and_words_hardly_moved_leave_the_gradient() {
    let (loss, clean) = step(|_| (), &[batch(0..16)]);
    let all = |epsilon: f64| {
        let rate = 0.5 * epsilon;
        [
            Adversarial::Fgm(Fgm { epsilon }),
            Adversarial::Pgd(Pgd { epsilon, rate, steps: 3 }),
            Adversarial::FreeLb(FreeLb { epsilon, rate, steps: 4 }),
        ]
    };
    for (far, near) in all(0.5).into_iter().zip(all(1e-5)) {
        let (higher, other) = step(|settings| settings.adversarial = Some(far), &[batch(0..16)]);
        assert!(higher > loss + 1e-3, "{far:?}: {higher}, clean {loss}");
        let (same_loss, same) = step(|settings| settings.adversarial = Some(near), &[batch(0..16)]);
        assert!((same_loss - loss).abs() < 1e-4, "{near:?}: {same_loss}, clean {loss}");
        assert!(apart(&clean, &same) < 1e-3 && apart(&clean, &other) > 1e-2, "{near:?}: {}", apart(&clean, &same));
    }
}

#[test]
fn mixup_blends_both_runs_of_a_row_alike() {
    // Without dropout the two runs of a row answer alike, so that R-Drop adds nothing.
    let (once, moved) = step(|settings| settings.mixup = 8.0, &[batch(0..16)]);
    let twice = |settings: &mut Hyperparameters| (settings.mixup, settings.r_drop) = (8.0, 1.0);
    let (twice, same) = step(twice, &[batch(0..16)]);
    assert!((once - twice).abs() < 1e-6, "{once} {twice}");
    assert!(apart(&moved, &same) < 1e-4, "{}", apart(&moved, &same));
    let (_, plain) = step(|_| (), &[batch(0..16)]);
    assert!(apart(&moved, &plain) > 1e-2, "{}", apart(&moved, &plain));
}

#[test]
fn frozen_parameters_stay() {
    let moving = |freeze: Freeze| {
        let (_, moved) = step(|settings| settings.freeze = freeze, &[batch(0..16)]);
        let moving = moved.into_iter().filter(|(_, values)| values.iter().any(|value| *value != 0.0));
        moving.map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert!(moving(Freeze::default()).contains(&"embeddings.word_embeddings.weight".to_owned()));
    assert!(moving(Freeze::Named(Frozen::Embeddings)).iter().all(|name| !name.starts_with("embeddings")));
    assert_eq!(
        moving(Freeze::Layers(2)),
        ["pooler.dense.weight", "pooler.dense.bias", "classifier.0.weight", "classifier.0.bias"]
    );
}
