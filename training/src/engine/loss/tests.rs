use candle_core::Var;

use super::*;

/// The mean loss of rows of three logits.
pub(super) fn mean_of<const N: usize>(loss: &dyn Loss, logits: &[[f32; 3]; N], wanted: &[[f32; 3]; N]) -> f32 {
    let tensor = |rows| Tensor::new(rows, &Device::Cpu).unwrap();
    loss.mean(&tensor(logits), &tensor(wanted)).unwrap().to_scalar().unwrap()
}

/// Checks a loss' slopes in each logit against finite differences.
pub(super) fn assert_slopes(loss: &dyn Loss) {
    let logits = [[0.4f32, -1.2, 0.9], [2.0, 0.1, -0.3]];
    let wanted = [[0.8f32, 0.1, 0.1], [0.0, 0.3, 0.7]];
    let variable = Var::new(&logits, &Device::Cpu).unwrap();
    let value = loss.mean(&variable, &Tensor::new(&wanted, &Device::Cpu).unwrap()).unwrap();
    let slopes: Vec<Vec<f32>> = value.backward().unwrap().get(&variable).unwrap().to_vec2().unwrap();
    for row in 0..2 {
        for column in 0..3 {
            let at = |distance: f32| {
                let mut moved = logits;
                moved[row][column] += distance;
                mean_of(loss, &moved, &wanted)
            };
            let expected = (at(0.02) - at(-0.02)) / 0.04;
            assert!((slopes[row][column] - expected).abs() < 1e-3, "{loss:?}: {slopes:?}, not {expected}");
        }
    }
}

fn loss<const N: usize>(label_smoothing: f64, r_drop: f64, logits: &[[f32; 3]; N], targets: &[usize]) -> f32 {
    let objective = Objective { kind: TaskKind::SingleLabel, label_smoothing, r_drop, loss: Box::new(CrossEntropy) };
    let logits = Tensor::new(logits, &Device::Cpu).unwrap();
    let targets: Vec<Target> = targets.iter().map(|label| Target::Label(*label)).collect();
    let targets: Vec<&Target> = targets.iter().collect();
    objective.loss(&logits, &objective.wanted(&targets, 3).unwrap()).unwrap().to_scalar().unwrap()
}

#[test]
fn losses_are_those_counted_by_hand() {
    let even = loss(0.0, 0.0, &[[0.0; 3], [5.0; 3]], &[0, 2]);
    assert!((even - 3f32.ln()).abs() < 1e-6, "{even}");
    // One logit ahead by ln 2: probabilities 1/2, 1/4, 1/4.
    let logits = [[2f32.ln(), 0.0, 0.0]];
    assert!((loss(0.0, 0.0, &logits, &[0]) - 2f32.ln()).abs() < 1e-6);
    let expected = 0.8 * 2f32.ln() + 0.2 * 4f32.ln();
    assert!((loss(0.3, 0.0, &logits, &[0]) - expected).abs() < 1e-6);
    // The two runs say 1/2, 1/4, 1/4 and 1/3 each.
    let apart = (1.0f32 / 6.0) * 1.5f32.ln() + 2.0 * (-1.0f32 / 12.0) * 0.75f32.ln();
    let expected = (2f32.ln() + 3f32.ln()) / 2.0 + apart;
    let got = loss(0.0, 2.0, &[logits[0], [0.0; 3]], &[0]);
    assert!((got - expected).abs() < 1e-6, "{got}, not {expected}");
}

#[test]
fn targets_of_each_kind_are_what_is_wanted() {
    let wanted = |kind: TaskKind, target: Target, labels| -> Vec<Vec<f32>> {
        let objective =
            Objective { kind, label_smoothing: 0.25, r_drop: 1.0, loss: LossKind::default().build(kind, &[]) };
        objective.wanted(&[&target], labels).unwrap().to_vec2().unwrap()
    };
    assert_eq!(wanted(TaskKind::SingleLabel, Target::Label(1), 2), [[0.125, 0.875], [0.125, 0.875]]);
    // Three of four annotators; the fourth is divided over the other labels, and a quarter of it all over all labels.
    let contested = Target::Contested { label: 2, agreement: 0.75 };
    let spread = 0.25 / 3.0;
    let [first, _] = &wanted(TaskKind::SingleLabel, contested, 3)[..] else { panic!() };
    for (got, share) in first.iter().zip([0.125, 0.125, 0.75]) {
        assert!((got - (spread + 0.75 * share)).abs() < 1e-6, "{first:?}");
    }
    assert_eq!(
        wanted(TaskKind::SingleLabel, Target::Contested { label: 0, agreement: 0.5 }, 2),
        wanted(TaskKind::SingleLabel, Target::Contested { label: 1, agreement: 0.5 }, 2)
    );
    assert_eq!(wanted(TaskKind::MultiLabel, Target::Labels([0, 2].into()), 3), [[0.875, 0.125, 0.875]; 2]);
    assert_eq!(wanted(TaskKind::Regression, Target::Value(-1.5), 1), [[-1.5], [-1.5]]);
}

#[test]
fn cross_entropys_slopes_agree_with_finite_differences() {
    assert_slopes(&CrossEntropy);
}

#[test]
fn a_run_names_its_loss() {
    let read = |text: &str| serde_json::from_str::<LossKind>(text);
    assert_eq!(read(r#"{"kind": "focal"}"#).unwrap(), LossKind::Focal(Focal { gamma: 2.0 }));
    assert_eq!(
        read(r#"{"kind": "class-balanced", "beta": 0.9}"#).unwrap(),
        LossKind::ClassBalanced(ClassBalanced { beta: 0.9 })
    );
    assert!(read(r#"{"kind": "focal", "beta": 0.9}"#).is_err());
    assert_eq!(read(r#"{"kind": "cross-entropy"}"#).unwrap(), LossKind::default());
    assert!(read(r#"{"kind": "cross-entropy", "gamma": 2.0}"#).is_err());
    assert!(read(r#"{"kind": "hinge"}"#).unwrap_err().to_string().contains("class-balanced"));
    let faulty = |loss: LossKind, kind| loss.fault(kind).is_some();
    let (focal, balanced) = (LossKind::Focal(Focal::default()), LossKind::ClassBalanced(ClassBalanced::default()));
    assert!(faulty(LossKind::Focal(Focal { gamma: -1.0 }), TaskKind::SingleLabel));
    assert!(faulty(LossKind::ClassBalanced(ClassBalanced { beta: 1.0 }), TaskKind::SingleLabel));
    assert_eq!(TaskKind::ALL.map(|kind| faulty(LossKind::default(), kind)), [false; 4]);
    assert_eq!(TaskKind::ALL.map(|kind| faulty(focal, kind)), [false, false, true, false]);
    assert_eq!(TaskKind::ALL.map(|kind| faulty(balanced, kind)), [false, true, true, false]);
}
