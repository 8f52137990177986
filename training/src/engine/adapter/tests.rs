use super::*;
use crate::engine::gradient_tests::{check_slopes, loss};
use crate::engine::parameter::Role;
use crate::engine::samples::{batch, classifier, config, weights};
use crate::engine::{Classifier, Encoder, Mode, Optimizer, PackedBatch, ParameterCounts, Tokens, Weights};
use crate::run::Hyperparameters;

fn lora(targets: &[Target]) -> AdapterKind {
    AdapterKind::Lora(Lora { rank: 3, alpha: 6.0, targets: targets.to_vec() })
}

/// One of each kind, with every place that it can be in.
fn all() -> Vec<AdapterKind> {
    vec![
        lora(&Target::ALL),
        AdapterKind::AdaLora(AdaLora { rank: 3, target_rank: 2, alpha: 3.0, ..AdaLora::default() }),
        AdapterKind::Bottleneck(Bottleneck { size: 5 }),
        AdapterKind::Prefix(Prefix { length: 3 }),
        AdapterKind::Prompt(Prompt { length: 2 }),
    ]
}

fn adapted(kind: &AdapterKind) -> Classifier {
    let mut model = classifier();
    model.adapt(kind, 7);
    model
}

/// The adapter's own parameters that learn.
fn own(model: &Classifier) -> Vec<&Parameter> {
    let in_head = |name: &str| name.starts_with("pooler") || name.starts_with("classifier");
    let learning = model.parameters().into_iter().filter(|parameter| parameter.learns());
    learning.filter(|parameter| !in_head(parameter.name())).collect()
}

/// Moves the adapter away from where it begins.
fn disturb(model: &Classifier) {
    let mut random = Random::new(5, "disturbance");
    for parameter in own(model) {
        parameter.value_mut().iter_mut().for_each(|value| *value += 0.3 * random.normal() as f32);
    }
}

fn pooled(model: &Classifier) -> Vec<f32> {
    model.encode(&batch(), Mode::Evaluation).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn gradients_agree_with_finite_differences() {
    for kind in all() {
        let model = adapted(&kind);
        disturb(&model);
        for dropout in [0.0, 0.2] {
            check_slopes(&model, &own(&model), Mode::Training { seed: 1, step: 2, dropout });
        }
    }
}

#[test]
fn the_adapter_the_pooler_and_the_heads_learn_and_nothing_else() {
    for kind in all() {
        let model = adapted(&kind);
        disturb(&model);
        loss(&model, Mode::Training { seed: 1, step: 2, dropout: 0.1 }).backward().unwrap();
        let base = classifier();
        let names: Vec<&str> = base.parameters().iter().map(|parameter| parameter.name()).collect();
        for parameter in model.parameters().into_iter().filter(|parameter| parameter.role() != Role::Record) {
            let name = parameter.name();
            let new = !names.contains(&name) || name.starts_with("pooler") || name.starts_with("classifier");
            assert_eq!((parameter.has_gradient(), parameter.learns()), (new, new), "{kind:?}: {name}");
        }
        let ParameterCounts { learning, all } = model.counts();
        let added: usize = own(&model).iter().map(|parameter| parameter.len()).sum();
        assert_eq!((learning, all), (added + 18 * 18 + 18 + 7 * 19, base.counts().all + added));
    }
}

#[test]
fn what_begins_at_zero_changes_nothing_at_first() {
    for kind in all().into_iter().filter(|kind| !matches!(kind, AdapterKind::Prefix(_) | AdapterKind::Prompt(_))) {
        let (base, model) = (classifier(), adapted(&kind));
        assert_eq!(pooled(&model), pooled(&base), "{kind:?}");
        disturb(&model);
        assert_ne!(pooled(&model), pooled(&base), "{kind:?}");
    }
}

#[test]
fn every_kind_lowers_the_loss() {
    let settings = Hyperparameters { weight_average: 0.0, ..Hyperparameters::default() };
    for kind in all() {
        let model = adapted(&kind);
        // The heads have next to nothing to answer with: what is learned comes from the adapter.
        model.parameters().iter().for_each(|parameter| parameter.set_learning(false));
        model.adapter().parameters().iter().for_each(|it| it.set_learning(it.role() != Role::Record));
        let mut optimizer = Optimizer::new(&model.parameters(), &settings);
        let value = || loss(&model, Mode::Evaluation).to_scalar::<f32>().unwrap();
        let before = value();
        for step in 0..30 {
            loss(&model, Mode::Training { seed: 1, step, dropout: 0.0 }).backward().unwrap();
            model.before_step();
            optimizer.step(&model.parameters(), 0.02);
            model.after_step(step as usize, 30);
        }
        assert!(value() < before - 0.02, "{kind:?}: {before}, then {}", value());
    }
}

#[test]
fn a_low_rank_change_is_what_it_is_counted_by_hand() {
    let (base, model) = (classifier(), adapted(&lora(&[Target::Value, Target::Output])));
    disturb(&model);
    pooled(&model);
    let value = |model: &Classifier, name: &str| {
        let parameters = model.parameters();
        parameters.iter().find(|parameter| parameter.name() == name).unwrap().value().clone()
    };
    // Values are the last third of what attention stacks.
    for (weight, change, first, rows, inputs) in [
        ("encoder.layer.1.attention.self.*.weight", "encoder.layer.1.attention.self.value", 36, 18, 18),
        ("encoder.layer.0.output.dense.weight", "encoder.layer.0.output.dense", 0, 18, 21),
    ] {
        let (before, after) = (value(&base, weight), value(&model, weight));
        let (down, up) = (value(&model, &format!("{change}.lora_a")), value(&model, &format!("{change}.lora_b")));
        assert_eq!(before[..first * inputs], after[..first * inputs]);
        for (row, column) in (0..rows).flat_map(|row| (0..inputs).map(move |column| (row, column))) {
            let sum: f32 = (0..3).map(|inner| up[row * 3 + inner] * down[inner * inputs + column]).sum();
            let place = (first + row) * inputs + column;
            assert!((after[place] - before[place] - 2.0 * sum).abs() < 1e-5, "{weight}[{row}, {column}]");
        }
    }
}

#[test]
fn a_merged_model_answers_as_before_without_its_adapter() {
    for kind in all().into_iter().filter(|kind| kind.is_merged()) {
        let model = adapted(&kind);
        disturb(&model);
        let expected = pooled(&model);
        // Weights that were moved after the last pass are merged, too.
        let snapshot = model.snapshot();
        disturb(&model);
        assert_ne!(pooled(&model), expected);
        model.restore(snapshot);
        let directory = tempfile::tempdir().unwrap();
        model.save(&directory.path().join("model.safetensors")).unwrap();
        let weights = Weights::load(directory.path()).unwrap();
        assert!(!weights.has("encoder.layer.0.attention.self.query.lora_a"));
        let plain = Classifier::new(&config(), &weights, &[3, 4], 6).unwrap();
        for (own, expected) in pooled(&plain).iter().zip(&expected) {
            assert!((own - expected).abs() < 1e-5, "{kind:?}: {own}, not {expected}");
        }
    }
}

#[test]
fn what_is_as_wide_as_the_encoder_is_refused() {
    let message = AdapterKind::Lora(Lora { rank: 19, ..Lora::default() }).check(18).unwrap_err().to_string();
    assert!(message.contains("hyperparameters.adapter") && message.contains("18 wide"), "{message}");
    assert!(AdapterKind::Lora(Lora { rank: 18, ..Lora::default() }).check(18).is_ok());
}

#[test]
fn a_sequence_with_prefix_or_prompt_answers_as_if_alone() {
    for kind in [AdapterKind::Prefix(Prefix { length: 3 }), AdapterKind::Prompt(Prompt { length: 2 })] {
        let model = adapted(&kind);
        disturb(&model);
        let together = pooled(&model);
        for (row, span) in batch().spans().enumerate() {
            let alone = Arc::new(PackedBatch::new([&batch().tokens()[span]]));
            let alone =
                model.encode(&alone, Mode::Evaluation).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let close =
                alone.iter().zip(&together[row * 18..]).all(|(alone, together)| (alone - together).abs() < 1e-5);
            assert!(close, "{kind:?}, row {row}");
        }
    }
}

#[test]
fn every_token_keeps_its_state_behind_a_prompt() {
    let config = config();
    let mut encoder = Encoder::new(&config, &weights(&config)).unwrap();
    encoder.adapt(&AdapterKind::Prompt(Prompt { length: 2 }), 1);
    let rows = |tokens: Tokens| encoder.states(&batch(), tokens, Mode::Evaluation).unwrap().to_vec2::<f32>().unwrap();
    let (all, firsts) = (rows(Tokens::All), rows(Tokens::Read));
    assert_eq!(all.len(), batch().tokens().len());
    for (span, first) in batch().spans().zip(firsts) {
        assert!(all[span.start].iter().zip(&first).all(|(one, other)| (one - other).abs() < 1e-5));
    }
}
