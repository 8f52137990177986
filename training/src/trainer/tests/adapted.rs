//! Runs that learn a part beside a frozen encoder, from training to what is served.

use super::*;
use crate::engine::{AdaLora, AdapterKind, Bottleneck, Lora, Prefix, Prompt, Target};
use crate::export::{Calibration, Form, RangeMethod, check_agreement, compress};

/// One of each kind.
pub(super) fn all() -> Vec<AdapterKind> {
    vec![
        AdapterKind::Lora(Lora { rank: 4, alpha: 8.0, ..Lora::default() }),
        AdapterKind::AdaLora(AdaLora { rank: 4, target_rank: 2, alpha: 8.0, ..AdaLora::default() }),
        AdapterKind::Bottleneck(Bottleneck { size: 6 }),
        AdapterKind::Prefix(Prefix { length: 4 }),
        AdapterKind::Prompt(Prompt { length: 4 }),
    ]
}

/// A run over a base that knows nothing of its tasks.
pub(super) fn adapted(directory: &Path, kind: &AdapterKind) -> TrainingRun {
    let mut run = run(directory);
    run.hyperparameters =
        Hyperparameters { learning_rate: 1e-2, r_drop: 0.0, adapter: Some(kind.clone()), ..run.hyperparameters };
    run
}

#[test]
fn every_kind_learns_and_is_served_as_it_was_trained() {
    for kind in all() {
        let directory = tempfile::tempdir().unwrap();
        let run = adapted(directory.path(), &kind);
        let trained = train(&run, &directory.path().join("staging")).unwrap();
        let counts = trained.report.parameters;
        assert!(counts.learning * 2 < counts.all, "{kind:?}: {counts:?}");
        let expected = format!("{} of {} parameters learned", counts.learning, counts.all);
        assert!(trained.report.to_string().contains(&expected));
        // The base is random: where attention stays as it is, there is little to find in it.
        let (first, last) = (trained.report.epochs[0].loss, trained.report.epochs[19].loss);
        assert!(last < 0.96 * first, "{kind:?}: {first}, then {last}");
        let learned = trained.report.tasks.iter().all(|task| task.test.score() > 0.85);
        assert!(learned || !kind.is_merged(), "{kind:?}: {}", trained.report);
        export(&trained.staging).unwrap();
        let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
        let parity = check_parity(&trained.staging, &|texts| trained.logits(texts).unwrap(), &sample).unwrap();
        assert_eq!(parity.backends.len(), 2, "this test needs ONNX Runtime");

        let config = std::fs::read_to_string(trained.staging.join("config.json")).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        let model_type = if kind.is_merged() { "bert" } else { "pulsewire-bert" };
        assert_eq!(
            (config["model_type"].as_str(), config.get("adapter").is_none()),
            (Some(model_type), kind.is_merged())
        );
        let plain = EncoderConfig::load(&trained.staging);
        assert_eq!(plain.is_ok(), kind.is_merged(), "what is added must not be left out unseen");

        if !kind.is_merged() {
            let texts: Vec<&str> = sample.iter().copied().cycle().take(64).collect();
            let calibration = Calibration::observe(&trained.staging, &texts, RangeMethod::Mse).unwrap();
            for form in [Form::Fp16, Form::Int8(calibration)] {
                let small = directory.path().join(form.precision().as_str());
                std::fs::create_dir(&small).unwrap();
                for file in ["config.json", "tokenizer.json"] {
                    std::fs::copy(trained.staging.join(file), small.join(file)).unwrap();
                }
                compress(&trained.staging, &small, &form).unwrap();
                let agreement = check_agreement(&trained.staging, &small, form.precision(), &sample).unwrap();
                assert_eq!(agreement.heads.len(), 4, "two heads in each of two back ends");
            }
        }
    }
}

#[test]
fn a_merged_run_leaves_the_base_encoders_other_weights_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let kind = AdapterKind::Lora(Lora { targets: vec![Target::Key], ..Lora::default() });
    let mut run = adapted(directory.path(), &kind);
    run.hyperparameters.epochs = 1;
    let trained = train(&run, &directory.path().join("staging")).unwrap();
    let (before, after) =
        (Weights::load(run.base.as_ref().unwrap()).unwrap(), Weights::load(&trained.staging).unwrap());
    let same = |name: &str| before.values(name, &[18, 18]).unwrap() == after.values(name, &[18, 18]).unwrap();
    let part = |part: &str| format!("encoder.layer.1.attention.self.{part}.weight");
    assert!(same(&part("query")) && same(&part("value")) && !same(&part("key")) && !same("pooler.dense.weight"));
}

#[test]
fn an_adapter_that_does_not_fit_is_refused_before_training() {
    let directory = tempfile::tempdir().unwrap();
    let run = adapted(directory.path(), &AdapterKind::Lora(Lora { rank: 64, ..Lora::default() }));
    let message = train(&run, &directory.path().join("staging")).err().unwrap().to_string();
    assert!(message.contains("hyperparameters.adapter") && message.contains("18 wide"), "{message}");
}
