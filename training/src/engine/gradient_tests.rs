use std::sync::Arc;

use candle_core::{Device, Tensor, Var};

use super::samples::{batch, classifier, config, pairs, weights};
use super::{Classifier, CrossEntropy, Mode, Objective, PackedBatch, Parameter};
use crate::dataset::Target;
use crate::random::Random;
use crate::run::TaskKind;

const TARGETS: [Target; 4] = [Target::Label(0), Target::Label(2), Target::Label(1), Target::Label(2)];

pub(super) fn loss(model: &Classifier, mode: Mode) -> Tensor {
    loss_of(model, &batch(), mode)
}

fn loss_of(model: &Classifier, batch: &Arc<PackedBatch>, mode: Mode) -> Tensor {
    let pooled = model.encode(batch, mode).unwrap();
    let kind = TaskKind::SingleLabel;
    let objective = Objective { kind, label_smoothing: 0.1, r_drop: 0.0, loss: Box::new(CrossEntropy) };
    let of_head = |head, labels| {
        let wanted = objective.wanted(&TARGETS.each_ref(), labels).unwrap();
        objective.loss(&model.logits(&pooled, head).unwrap(), &wanted).unwrap()
    };
    (of_head(0, 3) + of_head(1, 4)).unwrap()
}

fn value(model: &Classifier, mode: Mode) -> f64 {
    f64::from(loss(model, mode).to_scalar::<f32>().unwrap())
}

fn clear(parameters: &[&Parameter]) {
    for parameter in parameters {
        parameter.gradient().values.fill(0.0);
    }
}

/// The loss' slope along `direction`, by Richardson's extrapolation of central differences.
fn slope(model: &Classifier, parameter: &Parameter, direction: &[f32], mode: Mode) -> f64 {
    let centre = parameter.value().clone();
    let at = |distance: f32| {
        for ((value, centre), direction) in parameter.value_mut().iter_mut().zip(&centre).zip(direction) {
            *value = centre + distance * direction;
        }
        value(model, mode)
    };
    let central = |distance: f32| (at(distance) - at(-distance)) / (2.0 * f64::from(distance));
    let (near, far) = (central(0.01), central(0.02));
    *parameter.value_mut() = centre;
    (4.0 * near - far) / 3.0
}

fn check(mode: Mode) {
    let model = classifier();
    check_slopes(&model, &model.parameters(), mode);
}

/// Holds these parameters' gradients against finite differences.
pub(super) fn check_slopes(model: &Classifier, parameters: &[&Parameter], mode: Mode) {
    clear(parameters);
    loss(model, mode).backward().unwrap();
    let mut random = Random::new(3, "directions");
    for parameter in parameters {
        let gradient = parameter.gradient().values.clone();
        let norm = gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 1e-4, "{}: gradient of norm {norm}", parameter.name());
        // Along the gradient itself the slope is its norm; in random directions every element takes part.
        for round in 0..4 {
            let raw: Vec<f64> = match round {
                0 => gradient.iter().map(|value| f64::from(*value)).collect(),
                _ => gradient.iter().map(|_| random.normal()).collect(),
            };
            let length = raw.iter().map(|value| value * value).sum::<f64>().sqrt();
            let direction: Vec<f32> = raw.iter().map(|value| (value / length) as f32).collect();
            let expected = slope(model, parameter, &direction, mode);
            let got: f64 =
                gradient.iter().zip(&direction).map(|(value, part)| f64::from(*value) * f64::from(*part)).sum();
            assert!(
                (got - expected).abs() < 3e-4 + 0.01 * norm,
                "{}, direction {round}: slope {got}, finite differences {expected}, norm {norm}",
                parameter.name()
            );
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    check(Mode::Training { seed: 1, step: 2, dropout: 0.0 });
}

#[test]
fn gradients_agree_with_finite_differences_under_dropout() {
    check(Mode::Training { seed: 1, step: 2, dropout: 0.2 });
}

#[test]
fn gradients_agree_where_heads_are_pruned() {
    let mut config = config();
    config.pruned_heads = serde_json::from_str(r#"{"0": [1], "1": [0, 2]}"#).unwrap();
    let model = Classifier::new(&config, &weights(&config), &[3, 4], 5).unwrap();
    check_slopes(&model, &model.parameters(), Mode::Training { seed: 1, step: 2, dropout: 0.2 });
}

#[test]
fn single_elements_agree_too() {
    let mode = Mode::Training { seed: 1, step: 2, dropout: 0.1 };
    let model = classifier();
    let parameters = model.parameters();
    clear(&parameters);
    loss(&model, mode).backward().unwrap();
    for parameter in &parameters {
        let gradient = parameter.gradient().values.clone();
        let largest = (0..gradient.len()).max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs())).unwrap();
        for element in [largest, 0, gradient.len() / 2, gradient.len() - 1] {
            let mut direction = vec![0.0; gradient.len()];
            direction[element] = 1.0;
            let expected = slope(&model, parameter, &direction, mode);
            let got = f64::from(gradient[element]);
            let tolerance = 4e-4 + 0.02 * expected.abs();
            assert!((got - expected).abs() < tolerance, "{}[{element}]: {got}, not {expected}", parameter.name());
        }
    }
}

#[test]
fn every_parameter_gets_a_gradient_from_the_head_in_use() {
    let model = classifier();
    let mode = Mode::Training { seed: 1, step: 2, dropout: 0.1 };
    let pooled = model.encode(&batch(), mode).unwrap();
    model.logits(&pooled, 1).unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
    for parameter in model.parameters() {
        assert_eq!(parameter.has_gradient(), !parameter.name().starts_with("classifier.0"), "{}", parameter.name());
    }
}

#[test]
fn gradients_add_up_over_backward_passes() {
    let model = classifier();
    let mode = Mode::Training { seed: 1, step: 2, dropout: 0.1 };
    loss(&model, mode).backward().unwrap();
    let once: Vec<Vec<f32>> = model.parameters().iter().map(|parameter| parameter.gradient().values.clone()).collect();
    loss(&model, mode).backward().unwrap();
    for (parameter, once) in model.parameters().iter().zip(once) {
        let twice = parameter.gradient();
        let same =
            twice.values.iter().zip(&once).all(|(twice, once)| (twice - 2.0 * once).abs() <= 1e-5 + 1e-4 * once.abs());
        assert!(same, "{}", parameter.name());
    }
}

#[test]
fn a_seed_gives_the_same_gradient_bit_for_bit() {
    let run = |step| {
        let model = classifier();
        loss(&model, Mode::Training { seed: 9, step, dropout: 0.3 }).backward().unwrap();
        model.parameters().iter().flat_map(|parameter| parameter.gradient().values.clone()).collect::<Vec<f32>>()
    };
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let three_threads = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let gradient = one_thread.install(|| run(4));
    assert_eq!(gradient, three_threads.install(|| run(4)));
    assert_ne!(gradient, run(5));
}

#[test]
fn offsets_of_word_vectors_get_a_gradient_too() {
    let model = classifier();
    let tokens = batch().tokens().len();
    let mut random = Random::new(7, "offsets");
    let mut draw = |spread: f64| (0..tokens * 18).map(|_| (spread * random.normal()) as f32).collect::<Vec<f32>>();
    let (centre, direction) = (draw(0.3), draw(1.0));
    let moved = |distance: f32| {
        let values = centre.iter().zip(&direction).map(|(centre, direction)| centre + distance * direction).collect();
        let offsets = Var::from_vec::<_, f32>(values, (tokens, 18), &Device::Cpu).unwrap();
        (Arc::new(batch().moved(offsets.clone())), offsets)
    };
    for dropout in [0.0, 0.2] {
        let mode = Mode::Training { seed: 1, step: 2, dropout };
        let at = |distance| f64::from(loss_of(&model, &moved(distance).0, mode).to_scalar::<f32>().unwrap());
        let (near, far) = ((at(0.002) - at(-0.002)) / 0.004, (at(0.004) - at(-0.004)) / 0.008);
        let expected = (4.0 * near - far) / 3.0;
        let (batch, offsets) = moved(0.0);
        let gradients = loss_of(&model, &batch, mode).backward().unwrap();
        let gradient: Vec<f32> = gradients.get(&offsets).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let got: f64 = gradient.iter().zip(&direction).map(|(slope, part)| f64::from(*slope) * f64::from(*part)).sum();
        assert!((got - expected).abs() < 0.01 * expected.abs() + 2e-3, "{got}, finite differences {expected}");
        assert_eq!(at(0.0), f64::from(loss_of(&model, &batch, mode).to_scalar::<f32>().unwrap()));
        assert_ne!(at(0.0), value(&model, mode));
    }
}

#[test]
fn offsets_must_fit_the_batch() {
    let offsets = Var::zeros((3, 18), candle_core::DType::F32, &Device::Cpu).unwrap();
    let error = classifier().encode(&Arc::new(batch().moved(offsets)), Mode::Evaluation).unwrap_err();
    assert!(error.to_string().contains("54 offsets for 48 tokens of width 18"), "{error}");
}

#[test]
fn the_types_of_pairs_learn_as_finite_differences_say() {
    let (model, mode) = (classifier(), Mode::Training { seed: 1, step: 2, dropout: 0.1 });
    let parameters = model.parameters();
    let types = parameters.iter().find(|parameter| parameter.name().contains("token_type")).unwrap();
    let loss = || loss_of(&model, &pairs(), mode);
    loss().backward().unwrap();
    let gradient = types.gradient().values.clone();
    for half in 0..2 {
        let width = gradient.len() / 2;
        let own = half * width..(half + 1) * width;
        let norm = gradient[own.clone()].iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        let at = |distance: f64| {
            let centre = types.value().clone();
            for place in own.clone() {
                types.value_mut()[place] += (distance / norm) as f32 * gradient[place];
            }
            let value = f64::from(loss().to_scalar::<f32>().unwrap());
            types.value_mut().copy_from_slice(&centre);
            value
        };
        let central = |distance: f64| (at(distance) - at(-distance)) / (2.0 * distance);
        let slope = (4.0 * central(0.01) - central(0.02)) / 3.0;
        assert!(norm > 1e-3 && (slope - norm).abs() < 1e-3 + 0.01 * norm, "type {half}: {norm}, not {slope}");
    }
}
