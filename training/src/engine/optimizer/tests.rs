use super::*;

/// A high bound on the norm, so that nothing is clipped.
pub(super) fn settings() -> Hyperparameters {
    Hyperparameters { weight_decay: 0.1, gradient_norm: 1e9, ..Hyperparameters::default() }
}

pub(super) fn weight(shape: &[usize], value: &[f32]) -> Parameter {
    Parameter::new("p", shape, Role::Weight, 0, value.to_vec())
}

/// Takes a step of rate 0.01 along each gradient.
pub(super) fn run<const N: usize>(parameter: &Parameter, settings: &Hyperparameters, gradients: &[[f32; N]]) {
    let mut optimizer = Optimizer::new(&[parameter], settings);
    for gradient in gradients {
        parameter.gradient().values.copy_from_slice(gradient);
        optimizer.step(&[parameter], 0.01);
        assert!(!parameter.has_gradient(), "gradients must be cleared");
    }
}

pub(super) fn assert_close(parameter: &Parameter, expected: &[f64]) {
    let value = parameter.value();
    let close = value.iter().zip(expected).all(|(value, expected)| (f64::from(*value) - expected).abs() < 1e-6);
    assert!(close, "{value:?}, not {expected:?}");
}

fn parameter(role: Role, value: &[f32]) -> Parameter {
    Parameter::new("p", &[value.len() / 2, 2], role, 0, value.to_vec())
}

const KINDS: [OptimizerKind; 3] = [OptimizerKind::AdamW, OptimizerKind::Sgd, OptimizerKind::Adafactor];

#[test]
fn offsets_do_not_decay_and_rows_never_met_stay() {
    for optimizer in KINDS {
        let (offset, weight) = (parameter(Role::Offset, &[1.0, 1.0]), parameter(Role::Weight, &[1.0, 1.0]));
        let table = parameter(Role::Table, &[1.0, 1.0, 1.0, 1.0]);
        table.gradient().values[2] = 1.0;
        table.gradient().met_rows.as_mut().unwrap()[1] = true;
        let all = [&offset, &weight, &table];
        let mut optimizer = Optimizer::new(&all, &Hyperparameters { optimizer, ..settings() });
        optimizer.step(&all, 0.01);
        assert_eq!(*offset.value(), [1.0, 1.0]);
        assert!(weight.value().iter().all(|value| *value < 1.0));
        assert_eq!(table.value()[..2], [1.0, 1.0]);
        assert!(table.value()[2] < table.value()[3] && table.value()[3] < 1.0);
        // A row that was met goes on decaying when later batches do not meet it.
        let before = table.value()[3];
        optimizer.step(&all, 0.01);
        assert!(table.value()[3] < before && table.value()[1] == 1.0);
    }
}

#[test]
fn clipping_bounds_the_global_norm() {
    let (left, right) = (parameter(Role::Offset, &[0.0, 0.0]), parameter(Role::Offset, &[0.0, 0.0]));
    left.gradient().values.copy_from_slice(&[3.0, 0.0]);
    right.gradient().values.copy_from_slice(&[0.0, 4.0]);
    let settings = Hyperparameters {
        optimizer: OptimizerKind::Sgd,
        momentum: 0.0,
        gradient_norm: 1.0,
        weight_average: 0.0,
        ..settings()
    };
    let mut optimizer = Optimizer::new(&[&left, &right], &settings);
    assert!((optimizer.step(&[&left, &right], 0.1) - 5.0).abs() < 1e-9);
    assert!((left.value()[0] + 0.1 * 0.6).abs() < 1e-6 && (right.value()[1] + 0.1 * 0.8).abs() < 1e-6);
}

#[test]
fn a_gradient_that_is_no_number_changes_nothing() {
    let weight = parameter(Role::Weight, &[1.0, 1.0]);
    weight.gradient().values[0] = f32::NAN;
    let mut optimizer = Optimizer::new(&[&weight], &settings());
    let norm = optimizer.step(&[&weight], 0.1);
    assert!(norm.is_nan() && *weight.value() == [1.0, 1.0]);
    assert_eq!(*optimizer.state(&[&weight]).steps, 0);
}

#[test]
fn what_does_not_learn_is_left_out() {
    let (frozen, weight) = (parameter(Role::Weight, &[1.0, 1.0]), parameter(Role::Weight, &[1.0, 1.0]));
    frozen.set_learning(false);
    for parameter in [&frozen, &weight] {
        parameter.gradient().values.fill(3.0);
    }
    let both = [&frozen, &weight];
    let mut optimizer = Optimizer::new(&both, &settings());
    assert!((optimizer.step(&both, 0.1) - 18f64.sqrt()).abs() < 1e-6);
    optimizer.exchange_average(&both);
    assert_eq!(*frozen.value(), [1.0, 1.0]);
    assert_eq!(optimizer.state(&both).slices.len(), 3);
}

#[test]
fn lower_layers_move_less_with_layer_decay() {
    let low = Parameter::new("low", &[1, 1], Role::Offset, 0, vec![0.0]);
    let high = Parameter::new("high", &[1, 1], Role::Offset, 2, vec![0.0]);
    low.gradient().values[0] = 1.0;
    high.gradient().values[0] = 1.0;
    let settings = Hyperparameters { layer_decay: 0.5, ..settings() };
    Optimizer::new(&[&low, &high], &settings).step(&[&low, &high], 0.1);
    assert!((low.value()[0] / high.value()[0] - 0.25).abs() < 1e-5);
}

#[test]
fn the_average_lags_behind_and_can_be_exchanged() {
    let weight = parameter(Role::Offset, &[0.0, 0.0]);
    let settings = Hyperparameters { weight_average: 0.9, ..settings() };
    let mut optimizer = Optimizer::new(&[&weight], &settings);
    for _ in 0..20 {
        weight.gradient().values.fill(1.0);
        optimizer.step(&[&weight], 0.1);
    }
    let last = weight.value()[0];
    optimizer.exchange_average(&[&weight]);
    let average = weight.value()[0];
    assert!(last < average && average < 0.0, "{last} {average}");
    optimizer.exchange_average(&[&weight]);
    assert_eq!(weight.value()[0], last);
}

#[test]
fn an_optimiser_with_anothers_state_goes_on_as_that_one_would() {
    for optimizer in KINDS {
        let settings = Hyperparameters { optimizer, nesterov: true, ..settings() };
        let parameters =
            || [parameter(Role::Weight, &[1.0, -2.0, 0.5, 3.0]), parameter(Role::Table, &[1.0, 1.0, 2.0, 2.0])];
        let step = |optimizer: &mut Optimizer, parameters: &[Parameter; 2], number: u8| {
            for parameter in parameters {
                let mut gradient = parameter.gradient();
                // Of the table, the first row alone.
                let count = if gradient.met_rows.is_some() { 2 } else { 4 };
                for (place, value) in gradient.values[..count].iter_mut().enumerate() {
                    *value = (f32::from(number) + place as f32).sin();
                }
                if let Some(rows) = &mut gradient.met_rows {
                    rows[0] = true;
                }
            }
            optimizer.step(&parameters.each_ref(), 0.01);
        };
        let first = parameters();
        let mut whole = Optimizer::new(&first.each_ref(), &settings);
        (0..3).for_each(|number| step(&mut whole, &first, number));

        let second = parameters();
        let mut resumed = Optimizer::new(&second.each_ref(), &settings);
        let (from, to) = (whole.state(&first.each_ref()), resumed.state(&second.each_ref()));
        *to.steps = *from.steps;
        for ((name, from), (same, to)) in from.slices.into_iter().zip(to.slices) {
            assert_eq!(name, same);
            to.copy_from_slice(from);
        }
        for (from, to) in first.iter().zip(&second) {
            to.value_mut().copy_from_slice(&from.value());
        }
        for (optimizer, parameters) in [(&mut whole, &first), (&mut resumed, &second)] {
            (3..5).for_each(|number| step(optimizer, parameters, number));
            optimizer.exchange_average(&parameters.each_ref());
        }
        for (first, second) in first.iter().zip(&second) {
            assert_eq!(*first.value(), *second.value(), "{optimizer:?}");
        }
    }
}
