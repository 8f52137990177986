//! Runs of a few rows a label, from contrast to what is served.

use super::distillation::one_task;
use super::interruption::finish;
use super::*;
use crate::engine::Pooling;
use crate::few_shot::FewShot;
use crate::fine_tuned::FineTuned;

/// Some rows of each of two labels, over a base that knows nothing of them.
fn few(directory: &Path) -> TrainingRun {
    let mut run = one_task(directory);
    run.few_shot = Some(FewShot { temperature: 0.5 });
    run.tasks[0].split.rows_per_label = Some(60);
    run.hyperparameters = Hyperparameters {
        epochs: 20,
        batch_size: 32,
        learning_rate: 1e-3,
        dropout: 0.0,
        weight_average: 0.0,
        ..run.hyperparameters
    };
    run
}

#[test]
fn contrast_teaches_the_encoder_and_its_vectors_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let run = few(directory.path());
    let trained = train(&run, &directory.path().join("staging")).unwrap();
    let TrainingReport { tasks, epochs, .. } = &trained.report;
    assert_eq!((tasks[0].train_rows, tasks[0].test.rows(), epochs.len()), (120, 60, 20));
    assert!(epochs[19].loss < 0.3 * epochs[0].loss, "{epochs:?}");
    // The same head on the encoder as it was.
    let mut frozen = run.clone();
    frozen.hyperparameters = Hyperparameters { epochs: 1, freeze: Freeze::Layers(2), ..frozen.hyperparameters };
    let before = train(&frozen, &directory.path().join("frozen")).unwrap().report;
    let (before, after) = (before.tasks[0].test.score(), tasks[0].test.score());
    assert!(after > 0.9 && after > before + 0.05, "{before}, then {after}");

    export(&trained.staging).unwrap();
    let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
    let parity = check_parity(&trained.staging, &|texts| trained.logits(texts).unwrap(), &sample).unwrap();
    assert_eq!(parity.backends.len(), 2, "this test needs ONNX Runtime");
    let config: Value = serde_json::from_slice(&std::fs::read(trained.staging.join("config.json")).unwrap()).unwrap();
    assert_eq!((&config["pooling"], &config["model_type"]), (&json!("mean"), &json!("pulsewire-bert")));
    assert!(config.get("architectures").is_none(), "transformers would read another vector");

    // It can teach and be gone on from, and reads the mean there too.
    let again = FineTuned::open(&trained.staging).unwrap();
    assert_eq!(again.config.pooling, Some(Pooling::Mean));
    let classifier = again.classifier().unwrap();
    let tokens = again.tokenizer().unwrap().encode(sample[0]).unwrap();
    let packed = Arc::new(PackedBatch::new([tokens.ids()]));
    let states = classifier.encode(&packed, Mode::Evaluation).unwrap();
    let logits: Vec<f32> = classifier.logits(&states, 0).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(logits, trained.logits(&sample[..1]).unwrap().into_raw_vec_and_offset().0);
    let further = TrainingRun { base: Some(trained.staging), few_shot: None, ..run };
    let further = train(&further, &directory.path().join("further")).unwrap();
    assert_eq!(EncoderConfig::load(&further.staging).unwrap().pooling, Some(Pooling::Mean));
}

#[test]
fn the_run_says_what_vector_heads_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = few(directory.path());
    run.hyperparameters = Hyperparameters { epochs: 1, pooling: Some(Pooling::Pooler), ..run.hyperparameters };
    let mut config = |few_shot, pooling| -> Value {
        run.few_shot = few_shot;
        run.hyperparameters.pooling = pooling;
        let trained = train(&run, &directory.path().join("staging")).unwrap();
        serde_json::from_slice(&std::fs::read(trained.staging.join("config.json")).unwrap()).unwrap()
    };
    let plain = config(Some(FewShot::default()), Some(Pooling::Pooler));
    assert_eq!((plain.get("pooling"), &plain["model_type"]), (None, &json!("bert")));
    assert_eq!(config(None, Some(Pooling::Cls))["pooling"], "cls");
    assert_eq!(config(None, None).get("pooling"), None);
}

#[test]
fn a_run_of_few_rows_goes_on_as_if_nothing_had_happened() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = few(directory.path());
    run.hyperparameters = Hyperparameters { epochs: 4, dropout: 0.1, weight_average: 0.9, ..run.hyperparameters };
    // Eight steps an epoch.
    let undisturbed = finish(&run, directory.path(), 1000).unwrap();
    for last in [19, 24, 32] {
        assert_eq!(finish(&run, directory.path(), last).unwrap(), undisturbed, "checkpoints change nothing");
        assert_eq!(finish(&run, directory.path(), 1000).unwrap(), undisturbed, "from step {last}");
        run.few_shot = Some(FewShot { temperature: 0.2 });
        let other = finish(&run, directory.path(), 1000).err().unwrap().to_string();
        assert!(other.contains("temperature"), "{other}");
        run.few_shot = Some(FewShot { temperature: 0.5 });
        std::fs::remove_file(directory.path().join("checkpoint")).unwrap();
    }
}
