//! Tasks of several kinds on one encoder, from files to the scores that are served.

use inference::backend::{self, BackendChoice, BackendConfig};
use inference::{EncoderModel, InferenceError, Model as _, ModelDirectory};

use super::*;
use crate::export::{Form, Precision, check_agreement, compress};
use crate::metrics::HeadReport;

/// Texts whose tags are the words `up` and `rain`, where they stand in them, and whose warmth is 1000, 200 more with `up` in them
/// and 200 less with `rain`.
fn rows() -> String {
    let mut random = crate::random::Random::new(1, "kinds");
    let mut content = "text,tags,warmth\n".to_owned();
    for _ in 0..400 {
        let mut words: Vec<&str> = (0..random.below(5) + 6).map(|_| WORDS[4 + random.below(5)]).collect();
        let tags: Vec<&str> = ["up", "rain"].into_iter().filter(|_| random.below(2) == 0).collect();
        for (place, tag) in tags.iter().enumerate() {
            words[2 * place] = tag;
        }
        let degrees = |tag: &str| 200 * i32::from(tags.contains(&tag));
        let warmth = 1000 + degrees("up") - degrees("rain");
        content.push_str(&format!("{},{},{warmth}\n", words.join(" "), tags.join("; ")));
    }
    content
}

pub(super) fn run_of_kinds(directory: &Path) -> TrainingRun {
    let path = directory.join("kinds.csv");
    std::fs::write(&path, rows()).unwrap();
    let source = |label: &str| DataSource { label: Some(label.to_owned()), ..DataSource::new(path.clone()) };
    let mut run = run(directory);
    let mut tags = task("tags", DataSource { label_separator: Some(';'), ..source("tags") });
    tags.kind = TaskKind::MultiLabel;
    let mut warmth = task("warmth", source("warmth"));
    warmth.kind = TaskKind::Regression;
    run.tasks = vec![run.tasks.remove(0), tags, warmth];
    run.hyperparameters.learning_rate = 4e-3;
    run
}

#[test]
fn tasks_of_every_kind_learn_together_and_are_served_as_they_were_learned() {
    let directory = tempfile::tempdir().unwrap();
    let run = run_of_kinds(directory.path());
    let trained = train(&run, &directory.path().join("staging")).unwrap();
    let report = &trained.report;
    let [tone, tags, warmth] = &report.tasks[..] else { panic!("{report}") };
    assert!(tone.test.score() > 0.9, "{report}");
    let HeadReport::MultiLabel(tags) = &tags.test else { panic!("{report}") };
    assert!(tags.micro_f1 > 0.9 && tags.mean_average_precision > 0.95 && tags.hamming_loss < 0.1, "{report}");
    let HeadReport::Regression(figures) = &warmth.test else { panic!("{report}") };
    // The numbers' deviation is 141.
    assert!(figures.root_mean_squared_error < 70.0 && figures.spearman.unwrap() > 0.85, "{report}");
    assert_eq!((warmth.kind, &warmth.labels[..]), (TaskKind::Regression, &["warmth".to_owned()][..]));
    assert!(
        report.to_string().contains("Hamming loss") && report.to_string().contains("mean absolute error"),
        "{report}"
    );

    let config = std::fs::read_to_string(trained.staging.join("config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["heads"][1], json!({ "name": "tags", "kind": "multi-label", "labels": ["rain", "up"] }));
    assert_eq!(config["heads"][2], json!({ "name": "warmth", "kind": "regression", "labels": ["warmth"] }));
    assert_eq!((&config["id2label"]["4"], &config["problem_type"]), (&json!("warmth"), &Value::Null));
    assert!(
        trained.staging.join("confusion-tone.svg").exists() && !trained.staging.join("confusion-tags.svg").exists()
    );

    export(&trained.staging).unwrap();
    let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
    check_parity(&trained.staging, &|texts| trained.logits(texts).unwrap(), &sample).unwrap();
    let small = directory.path().join("small");
    std::fs::create_dir(&small).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(trained.staging.join(file), small.join(file)).unwrap();
    }
    compress(&trained.staging, &small, &Form::Fp16).unwrap();
    let agreement = check_agreement(&trained.staging, &small, Precision::Fp16, &sample).unwrap();
    assert!(agreement.max_abs_delta < 0.1 && agreement.heads.iter().all(|head| head.share > 0.99), "{agreement:?}");
    let opened = ModelDirectory::open(&trained.staging).unwrap();
    let expected = trained.logits(&sample).unwrap();
    for choice in [BackendChoice::Ort, BackendChoice::Tract] {
        let config = BackendConfig { backend: choice, ..BackendConfig::default() };
        let backend = match backend::load(&opened, &config) {
            Err(InferenceError::NoOnnxRuntime(_)) => continue,
            other => other.unwrap(),
        };
        let mut model = EncoderModel::with_backend(&opened, "", backend).unwrap();
        for (scores, logits) in model.score(&sample).unwrap().iter().zip(expected.rows()) {
            assert!((scores.head(0).iter().sum::<f32>() - 1.0).abs() < 1e-5);
            let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
            for (score, logit) in scores.head(1).iter().zip([logits[2], logits[3]]) {
                assert!((score - sigmoid(logit)).abs() < 1e-4, "{choice:?}: {scores:?}, not {logits}");
            }
            assert!((scores.head(2)[0] - logits[4]).abs() < 0.1, "{choice:?}: {scores:?}, not {logits}");
        }
        // In the file's unit.
        let warm = model.score(&["up the shares and today and again", "rain the shares and again today"]).unwrap();
        let [warm, cold] = [warm[0].head(2)[0], warm[1].head(2)[0]];
        assert!((cold..=warm).contains(&1000.0) && warm - cold > 200.0, "{choice:?}: {warm} and {cold}");
    }
}

#[test]
fn a_model_of_one_head_tells_transformers_its_kind() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run_of_kinds(directory.path());
    run.hyperparameters.epochs = 1;
    for task in run.tasks.clone() {
        run.tasks = vec![task];
        let trained = train(&run, &directory.path().join("staging")).unwrap();
        let config = std::fs::read_to_string(trained.staging.join("config.json")).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["problem_type"], json!(run.tasks[0].kind.problem_type()));
        export(&trained.staging).unwrap();
        let heads = ModelDirectory::open(&trained.staging).unwrap().heads().clone();
        assert_eq!(heads[0].kind, run.tasks[0].kind);
    }
}

#[test]
fn other_methods_take_every_kind() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run_of_kinds(directory.path());
    run.tasks[1].loss = LossKind::Focal(Focal::default());
    run.hyperparameters = Hyperparameters {
        r_drop: 0.0,
        mixup: 0.2,
        adversarial: Some(Adversarial::Fgm(Fgm { epsilon: 0.1 })),
        ..run.hyperparameters
    };
    let report = train(&run, &directory.path().join("staging")).unwrap().report;
    let scores: Vec<f64> = report.tasks.iter().map(|task| task.test.score()).collect();
    assert!(scores[1] > 0.9 && scores[2] > 0.9, "{report}");
}

#[test]
fn tasks_of_all_kinds_are_cross_validated() {
    let directory = tempfile::tempdir().unwrap();
    let run = run_of_kinds(directory.path());
    let request = CrossValidationRequest { run: &run, folds: 2, only: &[], from: &[], slices: &[], out_of_fold: None };
    let found = cross_validate(&request).unwrap();
    assert_eq!((found.tasks.len(), found.others.len()), (1, 2));
    for task in &found.others {
        let (folds, scores): (Vec<usize>, Vec<f64>) = task.folds.iter().map(|(fold, own)| (*fold, own.score())).unzip();
        assert!(folds == [1, 2] && scores.iter().all(|score| *score > 0.6), "{found}");
        let rows: usize = task.folds.iter().map(|(_, report)| report.rows()).sum();
        assert_eq!(rows, task.cleaning.read - task.cleaning.duplicates - task.cleaning.conflicting_labels);
    }
    let slices = ["label".to_owned()];
    let message = cross_validate(&CrossValidationRequest { slices: &slices, ..request }).err().unwrap().to_string();
    assert!(message.contains("slices") && message.contains("single-label"), "{message}");
}
