use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use ndarray::Array2;
use serde_json::{Value, json};

use super::*;
use crate::augmentation::{Augmentation, AugmentationKind};
use crate::cross_validation::{CrossValidationRequest, cross_validate};
use crate::dataset::CleaningRules;
use crate::engine::{ClassBalanced, Focal, Freeze, LossKind, OptimizerKind, ScheduleKind, samples};
use crate::export::{check_parity, export};
use crate::out_of_fold::read_files;
use crate::run::{Split, Task, TaskKind};
use crate::source::DataSource;

mod adapted;
mod continual;
mod distillation;
mod few_shot;
mod interruption;
mod kinds;
mod pairs;
mod transformers;
mod words;

pub(crate) const WORDS: [&str; 9] = ["up", "down", "rain", "sun", "and", "the", "shares", "today", "again"];

/// A base encoder's directory: the tiny encoder with a vocabulary of some words.
pub(crate) fn base(directory: &Path) -> PathBuf {
    let base = directory.join("base");
    std::fs::create_dir(&base).unwrap();
    let vocabulary: HashMap<&str, usize> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        .into_iter()
        .chain(WORDS)
        .enumerate()
        .map(|(id, word)| (word, id))
        .collect();
    let tokenizer = json!({
        // Its truncation is shorter than the run's, which counts.
        "version": "1.0", "added_tokens": [], "decoder": null, "normalizer": { "type": "Lowercase" },
        "truncation": { "direction": "Right", "max_length": 16, "strategy": "LongestFirst", "stride": 0 },
        "padding": { "strategy": { "Fixed": 32 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "[PAD]" },
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] },
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]" },
    });
    std::fs::write(base.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(base.join("config.json"), samples::CONFIG).unwrap();
    samples::classifier().save(&base.join("model.safetensors")).unwrap();
    base
}

/// Texts whose label is the word that stands in them.
fn file(directory: &Path, labels: [&str; 2]) -> DataSource {
    let mut random = crate::random::Random::new(1, labels[0]);
    let mut content = "text,label\n".to_owned();
    for row in 0..400 {
        let label = labels[row % 2];
        let mut words: Vec<&str> = (0..random.below(9) + 4).map(|_| WORDS[4 + random.below(5)]).collect();
        let place = random.below(words.len());
        words[place] = label;
        content.push_str(&format!("{},{label}\n", words.join(" ")));
    }
    let path = directory.join(format!("{}.csv", labels[0]));
    std::fs::write(&path, content).unwrap();
    DataSource::new(path)
}

fn task(name: &str, data: DataSource) -> Task {
    Task {
        name: name.to_owned(),
        kind: TaskKind::default(),
        data: vec![data],
        validation: Vec::new(),
        test: Vec::new(),
        label_names: None,
        cleaning: CleaningRules::default(),
        split: Split::default(),
        loss: LossKind::default(),
    }
}

pub(crate) fn run(directory: &Path) -> TrainingRun {
    let hyperparameters = Hyperparameters {
        epochs: 20,
        batch_size: 16,
        learning_rate: 2e-3,
        label_smoothing: 0.05,
        patience: 20,
        max_tokens: 32,
        ..Hyperparameters::default()
    };
    TrainingRun {
        name: "weather".to_owned(),
        seed: 3,
        base: Some(base(directory)),
        tensorboard: None,
        split_seed: None,
        distillation: None,
        augmentation: Vec::new(),
        continual: None,
        few_shot: None,
        tasks: vec![task("tone", file(directory, ["up", "down"])), task("sky", file(directory, ["rain", "sun"]))],
        hyperparameters,
    }
}

#[test]
fn two_heads_learn_and_leave_a_model_directory() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    run.tensorboard = Some(directory.path().join("curves"));
    let trained = train(&run, &directory.path().join("staging")).unwrap();
    let curves = std::fs::read_dir(directory.path().join("curves/weather-3")).unwrap().next().unwrap().unwrap();
    let curves = String::from_utf8_lossy(&std::fs::read(curves.path()).unwrap()).into_owned();
    let steps: usize = trained.report.epochs.len() * 36;
    assert_eq!(curves.matches("train/loss").count(), steps);
    assert_eq!(curves.matches("validation/sky macro_f1").count(), trained.report.epochs.len());
    for task in &trained.report.tasks {
        assert!(task.test.score() > 0.9, "{}", trained.report);
    }
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(trained.staging.join(name)).unwrap()).unwrap()
    };
    let config = read("config.json");
    assert_eq!(config["architectures"], json!(["BertForSequenceClassification"]));
    assert_eq!(config["id2label"], json!({ "0": "down", "1": "up", "2": "rain", "3": "sun" }));
    assert_eq!(config["label2id"]["sun"], json!(3));
    assert_eq!(config["heads"][1], json!({ "name": "sky", "labels": ["rain", "sun"] }));
    assert_eq!(config["hidden_size"], json!(18));
    // What Text Embeddings Inference has no defaults for.
    let needed = ["hidden_dropout_prob", "initializer_range", "layer_norm_eps", "pad_token_id", "type_vocab_size"];
    assert!(needed.iter().all(|key| config[key].is_number()), "{config}");
    let tokenizer = read("tokenizer.json");
    assert_eq!((&tokenizer["padding"], &tokenizer["truncation"]["max_length"]), (&Value::Null, &json!(32)));
    assert_eq!(read("tokenizer_config.json")["model_max_length"], json!(32));
    let report: TrainingReport = serde_json::from_value(read("report.json")).unwrap();
    assert_eq!((report.best_epoch, &report.hyperparameters), (trained.report.best_epoch, &run.hyperparameters));
    assert_eq!(report.tasks[1].labels, ["rain", "sun"]);
    for plot in ["training.svg", "confusion-tone.svg", "confusion-sky.svg"] {
        assert!(std::fs::read_to_string(trained.staging.join(plot)).unwrap().starts_with("<svg"), "{plot}");
    }
    let weights = Weights::load(&trained.staging).unwrap();
    assert_eq!(weights.values("classifier.weight", &[4, 18]).unwrap().len(), 72);

    // What is served answers as what was trained, in every back end that is here.
    export(&trained.staging).unwrap();
    let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
    let parity = check_parity(&trained.staging, &|texts| trained.logits(texts).unwrap(), &sample).unwrap();
    assert!(parity.texts > 30 && !parity.backends.is_empty());
}

#[test]
fn a_text_of_two_tasks_is_one_row_with_two_labels() {
    let directory = tempfile::tempdir().unwrap();
    let row = |number: usize| {
        format!("up text {number},{},{}\n", ["up", "down"][number % 2], ["rain", "sun"][number / 2 % 2])
    };
    let content: String = std::iter::once("text,tone,sky\n".to_owned()).chain((0..100).map(row)).collect();
    let path = directory.path().join("both.csv");
    std::fs::write(&path, content).unwrap();
    let source = |label: &str| DataSource { label: Some(label.to_owned()), ..DataSource::new(path.clone()) };
    let mut tasks = vec![task("tone", source("tone")), task("sky", source("sky"))];
    tasks[0].data.push(file(directory.path(), ["up", "down"]));
    let data = TaskData::load(&tasks, 1).unwrap();
    let base = base(directory.path());
    let tokenizer = TextTokenizer::open(&base.join("tokenizer.json"), Some(32)).unwrap();
    let groups =
        groups::of(&data, &[None, None], &tokenizer, &base, &mut Lessons::default(), &Augmenting::default()).unwrap();
    let found: Vec<_> = groups.iter().map(|group| (&group.tasks[..], group.rows.len())).collect();
    let both = data[1].train.len();
    assert_eq!(found, [(&[0][..], data[0].train.len() - both), (&[0, 1][..], both)]);
    let labels: std::collections::HashSet<_> = groups[1]
        .rows
        .iter()
        .map(|row| row.targets.iter().flat_map(Target::labels).copied().collect::<Vec<_>>())
        .collect();
    assert_eq!(labels.len(), 4);
}

#[test]
fn a_seed_gives_the_same_run() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    run.hyperparameters = Hyperparameters {
        epochs: 2,
        r_drop: 1.0,
        weight_average: 0.9,
        mixup: 0.4,
        adversarial: Some(Adversarial::FreeLb(FreeLb { steps: 2, ..FreeLb::default() })),
        ..run.hyperparameters
    };
    // These texts have no HTML; that it would be taken out is told with the model.
    run.tasks.iter_mut().for_each(|task| task.cleaning.html = true);
    let mut losses = |seed| {
        run.seed = seed;
        let trained = train(&run, &directory.path().join("staging")).unwrap();
        let weights = std::fs::read(trained.staging.join("model.safetensors")).unwrap();
        (trained.report.epochs.iter().map(|epoch| epoch.loss).collect::<Vec<_>>(), foundation::digest::sha256(&weights))
    };
    let first = losses(5);
    assert_eq!(first, losses(5));
    assert_ne!(first, losses(6));
    let config = std::fs::read_to_string(directory.path().join("staging/config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    let rules = json!({ "html": true, "urls": "keep", "handles": "keep", "mask_personal_data": false });
    assert_eq!(config["text_cleaning"], rules);
}

#[test]
fn folds_are_judged_by_models_that_have_not_seen_them_and_parts_make_the_whole() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    run.hyperparameters.epochs = 15;
    let path = |name: &str| directory.path().join(name);
    let slices = ["label".to_owned()];
    let request = |only: &'static [usize]| CrossValidationRequest {
        run: &run,
        folds: 2,
        only,
        from: &[],
        slices: &slices,
        out_of_fold: None,
    };
    let (all, part) = (path("all.ndjson"), path("part.ndjson"));
    let whole = cross_validate(&CrossValidationRequest { out_of_fold: Some(&all), ..request(&[]) }).unwrap();
    for task in &whole.tasks {
        assert!(task.accuracy.mean > 0.65, "{whole}");
        assert_eq!((task.folds.len(), task.pooled.report.rows), (2, task.folds.iter().map(|fold| fold.rows).sum()));
        // Parted by their labels, rows are as right as the label's recall says.
        let recalls = task.pooled.report.labels.iter().map(|label| (label.label.as_str(), label.recall));
        let slice = task.pooled.slices[0].values.iter().map(|value| (value.value.as_str(), value.accuracy));
        assert_eq!(recalls.collect::<BTreeMap<_, _>>(), slice.collect());
    }
    let judged = read_files(std::slice::from_ref(&all)).unwrap();
    assert_eq!((judged.tasks[1].labels.join(" "), judged.tasks[1].folds()), ("rain sun".to_owned(), vec![1, 2]));

    // One machine, a second that goes on from there, a third that only puts together what they have left.
    let one = cross_validate(&CrossValidationRequest { out_of_fold: Some(&part), ..request(&[2]) }).unwrap();
    assert_eq!((one.tasks[0].folds.len(), one.tasks[0].folds[0]), (1, whole.tasks[0].folds[1]));
    let from = [part.clone()];
    let rest = path("rest.ndjson");
    cross_validate(&CrossValidationRequest { from: &from, out_of_fold: Some(&rest), ..request(&[1]) }).unwrap();
    let from = [rest.clone()];
    let joined = cross_validate(&CrossValidationRequest { from: &from, ..request(&[2]) }).unwrap();
    assert_eq!(joined.tasks, whole.tasks);
    assert_eq!(std::fs::read(&rest).unwrap(), std::fs::read(&all).unwrap());

    let refusal = |run: &TrainingRun, request: CrossValidationRequest<'_>| {
        cross_validate(&CrossValidationRequest { run, ..request }).err().unwrap().to_string()
    };
    let other = TrainingRun { seed: 4, ..run.clone() };
    let message = refusal(&other, CrossValidationRequest { from: &from, ..request(&[]) });
    assert!(message.contains("rest.ndjson: its rows are of another run"), "{message}");
    let swap = Augmentation::new(AugmentationKind::Swap);
    let other = TrainingRun { augmentation: vec![swap], ..run.clone() };
    let message = refusal(&other, CrossValidationRequest { from: &from, ..request(&[]) });
    assert!(message.contains("of another run"), "{message}");
    assert!(refusal(&run, request(&[3])).contains("there is no fold 3"));
    let nowhere = path("none").join("a.ndjson");
    let message = refusal(&run, CrossValidationRequest { out_of_fold: Some(&nowhere), ..request(&[]) });
    assert!(message.contains("cannot write"), "{message}");
    let lines = std::fs::read_to_string(&part).unwrap();
    std::fs::write(&part, lines.split_inclusive('\n').skip(1).collect::<String>()).unwrap();
    let message = refusal(&run, CrossValidationRequest { from: &[part], ..request(&[]) });
    assert!(message.contains("of the") && message.contains("rows of fold 2"), "{message}");
}

/// Losses of each epoch, by an earlier version of the engine.
#[test]
fn a_run_of_the_default_methods_goes_as_it_went() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    for (r_drop, weight_average, layer_decay, expected) in
        [(1.0, 0.99, 1.0, [0.69228, 0.65417, 0.62204]), (0.0, 0.0, 0.8, [0.69386, 0.68291, 0.66665])]
    {
        run.hyperparameters = Hyperparameters { epochs: 3, r_drop, weight_average, layer_decay, ..run.hyperparameters };
        let epochs = train(&run, &directory.path().join("staging")).unwrap().report.epochs;
        let losses: Vec<f64> = epochs.iter().map(|epoch| epoch.loss).collect();
        assert!(losses.iter().zip(expected).all(|(loss, expected)| (loss - expected).abs() < 1e-3), "{losses:?}");
    }
}

#[test]
fn a_soup_of_fits_that_differ_in_nothing_is_one_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    run.tasks.truncate(1);
    // All rows in each step, and no dropout: nothing is left to chance.
    run.hyperparameters = Hyperparameters {
        epochs: 4,
        batch_size: 4096,
        dropout: 0.0,
        r_drop: 0.0,
        weight_average: 0.5,
        ..run.hyperparameters
    };
    let base = run.base.clone().unwrap();
    let data = TaskData::load(&run.tasks, run.split_seed()).unwrap();
    let fitted = |soup, batch_size| {
        let hyperparameters = Hyperparameters { soup, batch_size, ..run.hyperparameters.clone() };
        let run = TrainingRun { hyperparameters, ..run.clone() };
        let trainer = Trainer::new(&run, &base, &data).unwrap();
        let history = trainer.fit(None, None).unwrap();
        assert_eq!((history.epochs.len(), history.best_epoch), (4 * soup, 4 * soup));
        trainer.model.snapshot().concat()
    };
    let farthest = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let one = fitted(1, 4096);
    assert!(farthest(&one, &fitted(3, 4096)) < 1e-4);
    // Where orders differ, so do fits.
    assert!(farthest(&fitted(1, 16), &fitted(2, 16)) > 1e-3);
}

#[test]
fn other_methods_learn_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    let accuracies = |run: &TrainingRun| {
        let report = train(run, &directory.path().join("staging")).unwrap().report;
        report.tasks.iter().map(|task| task.test.score()).collect::<Vec<_>>()
    };
    let common = Hyperparameters { r_drop: 0.0, ..run.hyperparameters.clone() };
    run.hyperparameters = Hyperparameters {
        optimizer: OptimizerKind::Sgd,
        nesterov: true,
        learning_rate: 0.1,
        schedule: ScheduleKind::OneCycle,
        warmup: 0.3,
        accumulation: 2,
        ..common.clone()
    };
    assert!(accuracies(&run).iter().all(|accuracy| *accuracy > 0.9), "{:?}", accuracies(&run));
    run.hyperparameters = Hyperparameters {
        optimizer: OptimizerKind::Adafactor,
        schedule: ScheduleKind::Cosine,
        mixup: 0.2,
        adversarial: Some(Adversarial::Fgm(Fgm { epsilon: 0.1 })),
        ..common
    };
    run.tasks[0].loss = LossKind::Focal(Focal::default());
    run.tasks[1].loss = LossKind::ClassBalanced(ClassBalanced::default());
    assert!(accuracies(&run).iter().all(|accuracy| *accuracy > 0.9), "{:?}", accuracies(&run));
}

#[test]
fn more_frozen_layers_than_there_are_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    run.hyperparameters.freeze = Freeze::Layers(3);
    let message = train(&run, &directory.path().join("staging")).err().unwrap().to_string();
    assert!(message.contains("hyperparameters.freeze") && message.contains("2 layers"), "{message}");
}

#[test]
fn training_stops_when_it_no_longer_helps() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    // Too small a rate to change any answer: the first epoch stays the best.
    run.hyperparameters = Hyperparameters { learning_rate: 1e-12, patience: 2, ..run.hyperparameters };
    let report = train(&run, &directory.path().join("staging")).unwrap().report;
    assert_eq!((report.best_epoch, report.epochs.len()), (1, 3));
}

#[test]
fn a_loss_that_is_no_number_stops_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let run = run(directory.path());
    let model = samples::classifier();
    let mut weights = model.snapshot();
    weights[3][0] = f32::NAN;
    model.restore(weights);
    model.save(&run.base.as_ref().unwrap().join("model.safetensors")).unwrap();
    let staging = directory.path().join("staging");
    let error = train(&run, &staging).err().unwrap();
    assert!(matches!(error, TrainingError::Diverged { step: 1, epoch: 1, checkpoint: None }), "{error}");
    assert!(!staging.exists(), "a failed run must leave no model");
}

#[test]
fn a_broken_base_encoder_is_named() {
    let check = |spoil: fn(&Path), expected: &str| {
        let directory = tempfile::tempdir().unwrap();
        let run = run(directory.path());
        spoil(run.base.as_ref().unwrap());
        let message = train(&run, &directory.path().join("staging")).err().unwrap().to_string();
        assert!(message.contains(expected), "{message}");
    };
    check(|base| std::fs::remove_file(base.join("model.safetensors")).unwrap(), "must be in safetensors format");
    check(|base| std::fs::write(base.join("model.safetensors"), b"garbage").unwrap(), "not a whole safetensors file");
    check(|base| std::fs::remove_file(base.join("tokenizer.json")).unwrap(), "tokenizer.json");
    check(|base| std::fs::write(base.join("config.json"), "{\"model_type\": \"gpt2\"}").unwrap(), "config.json");
    check(
        |base| {
            let small = samples::CONFIG.replace("\"vocab_size\": 13", "\"vocab_size\": 9");
            std::fs::write(base.join("config.json"), small).unwrap();
        },
        "tokenizer.json knows 13 tokens",
    );
}
