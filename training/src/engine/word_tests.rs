//! Heads that answer for words: the gradient, and what the loss leaves out.

use std::sync::Arc;

use candle_core::Tensor;

use super::samples::{config, weights};
use super::{Classifier, CrossEntropy, Mode, Objective, PackedBatch};
use crate::dataset::Target;
use crate::random::Random;
use crate::run::TaskKind;

/// Three sequences, with places where words begin and one word that is not seen.
fn batch() -> Arc<PackedBatch> {
    let sequences = [
        (&[2u32, 4, 7, 5, 3][..], &[Some(1), Some(3)][..]),
        (&[2, 9, 3], &[Some(1), None]),
        (&[2, 12, 11, 10, 3], &[Some(1), Some(2), Some(3)]),
    ];
    Arc::new(PackedBatch::read_at(sequences))
}

fn model() -> Classifier {
    let config = config();
    let model = Classifier::for_words(&config, &weights(&config), &[3], 5).unwrap();
    // A new head's weights are so small that gradients would drown in rounding.
    let mut random = Random::new(5, "head");
    for parameter in model.parameters().into_iter().filter(|parameter| parameter.name().starts_with("classifier")) {
        parameter.value_mut().iter_mut().for_each(|value| *value += 0.3 * random.normal() as f32);
    }
    model
}

fn loss(model: &Classifier, mode: Mode) -> Tensor {
    let objective =
        Objective { kind: TaskKind::Tokens, label_smoothing: 0.1, r_drop: 0.0, loss: Box::new(CrossEntropy) };
    let targets = [vec![0, 2], vec![1], vec![2, 0, 0]].map(Target::Tags);
    let logits = model.logits(&model.encode(&batch(), mode).unwrap(), 0).unwrap();
    let wanted = objective.wanted(&targets.iter().collect::<Vec<_>>(), 3).unwrap();
    assert_eq!((logits.dims(), wanted.dims()), (&[6, 3][..], &[6, 3][..]));
    objective.loss(&logits, &wanted).unwrap()
}

#[test]
fn gradients_agree_with_finite_differences() {
    let (model, mode) = (model(), Mode::Training { seed: 1, step: 2, dropout: 0.1 });
    loss(&model, mode).backward().unwrap();
    assert!(model.parameters().iter().all(|parameter| !parameter.name().starts_with("pooler")));
    for parameter in model.parameters() {
        let gradient = parameter.gradient().values.clone();
        let norm = gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 1e-3, "{}: gradient of norm {norm}", parameter.name());
        let centre = parameter.value().clone();
        let at = |distance: f64| {
            for ((value, centre), slope) in parameter.value_mut().iter_mut().zip(&centre).zip(&gradient) {
                *value = centre + (distance / norm) as f32 * slope;
            }
            f64::from(loss(&model, mode).to_scalar::<f32>().unwrap())
        };
        let central = |distance: f64| (at(distance) - at(-distance)) / (2.0 * distance);
        let slope = (4.0 * central(0.01) - central(0.02)) / 3.0;
        parameter.value_mut().copy_from_slice(&centre);
        assert!((slope - norm).abs() < 1e-3 + 0.01 * norm, "{}: {norm}, not {slope}", parameter.name());
    }
}

#[test]
fn a_word_weighs_the_same_whatever_text_it_stands_in() {
    let model = model();
    let logits = model.logits(&model.encode(&batch(), Mode::Evaluation).unwrap(), 0).unwrap().to_vec2::<f32>().unwrap();
    let cross_entropy = |row: &[f32], label: usize| {
        let sum: f32 = row.iter().map(|logit| logit.exp()).sum();
        let smoothed: f32 = row.iter().map(|logit| 0.1 / 3.0 * logit).sum();
        sum.ln() - 0.9 * row[label] - smoothed
    };
    let expected: f32 =
        logits.iter().zip([0, 2, 1, 2, 0, 0]).map(|(row, label)| cross_entropy(row, label)).sum::<f32>() / 6.0;
    let value = loss(&model, Mode::Evaluation).to_scalar::<f32>().unwrap();
    assert!((value - expected).abs() < 1e-5, "{value}, not {expected}");
}
