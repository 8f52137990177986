//! Runs of a task of words.

use inference::{BackendChoice, BackendConfig, EncoderModel, ModelDirectory, WordTagger};

use super::*;
use crate::dataset::tagged;
use crate::dataset::{CleanRequest, People, clean};
use crate::evaluation::find_entities;
use crate::metrics::HeadReport;

/// Words in which "up" and "down" begin an entity of the type SIDE, which an "again" after them is part of, and "rain" one of the
/// type SKY. "again" is in no entity elsewhere, so that neighbours must be read.
fn tagged_file(directory: &Path, name: &str, texts: usize) -> DataSource {
    let mut random = crate::random::Random::new(1, name);
    let mut content = "-DOCSTART- O\n\n".to_owned();
    for _ in 0..texts {
        let mut before = "";
        for _ in 0..random.below(9) + 3 {
            let word = WORDS[random.below(WORDS.len())];
            let tag = match (word, before) {
                ("up" | "down", _) => "B-SIDE",
                ("again", "up" | "down") => "I-SIDE",
                ("rain", _) => "I-SKY",
                _ => "O",
            };
            content.push_str(&format!("{word} {tag}\n"));
            before = word;
        }
        content.push('\n');
    }
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    DataSource::new(path)
}

pub(super) fn word_run(directory: &Path) -> TrainingRun {
    let mut run = run(directory);
    let data = tagged_file(directory, "train.conll", 300);
    let test = vec![tagged_file(directory, "test.conll", 60)];
    run.tasks = vec![Task { kind: TaskKind::Tokens, test, ..task("sides", data) }];
    run.hyperparameters = Hyperparameters {
        epochs: 20,
        batch_size: 8,
        learning_rate: 5e-3,
        dropout: 0.0,
        label_smoothing: 0.0,
        r_drop: 0.0,
        weight_average: 0.0,
        ..run.hyperparameters
    };
    run
}

#[test]
fn entities_are_learned_exported_and_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let run = word_run(directory.path());
    let trained = train(&run, &directory.path().join("staging")).unwrap();
    let task = &trained.report.tasks[0];
    let HeadReport::Entities(test) = &task.test else { panic!("{}", trained.report) };
    assert!(test.f1 > 0.85 && test.support > 50 && test.rows == 60, "{}", trained.report);
    assert_eq!(task.test.score(), test.f1);
    let types: Vec<&str> = test.types.iter().map(|of_type| &*of_type.label).collect();
    assert_eq!(types, ["SIDE", "SKY"]);

    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(trained.staging.join(name)).unwrap()).unwrap()
    };
    let config = read("config.json");
    assert_eq!(config["architectures"], json!(["BertForTokenClassification"]));
    let labels = json!({ "0": "O", "1": "B-SIDE", "2": "I-SIDE", "3": "B-SKY", "4": "I-SKY" });
    assert_eq!((&config["id2label"], &config["heads"][0]["kind"]), (&labels, &json!("tokens")));
    let report: TrainingReport = serde_json::from_value(read("report.json")).unwrap();
    assert_eq!(report.tasks[0].test, task.test);
    let weights = Weights::load(&trained.staging).unwrap();
    assert!(weights.has("classifier.weight") && !weights.has("pooler.dense.weight"));

    export(&trained.staging).unwrap();
    let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
    let expected = trained.logits(&sample).unwrap();
    let words: usize = sample.iter().map(|text| tagged::words(text).len()).sum();
    assert_eq!(expected.dim(), (words, 5));
    let parity = check_parity(&trained.staging, &|_| expected.clone(), &sample).unwrap();
    assert!(parity.texts > 30 && !parity.backends.is_empty());
    let error = check_parity(&trained.staging, &|_| Array2::zeros((3, 5)), &sample).unwrap_err().to_string();
    assert!(error.contains("[3, 5]"), "{error}");

    // What is served finds the entities that the trainer found, and is not taken for a model of texts.
    let opened = ModelDirectory::open(&trained.staging).unwrap();
    let config = BackendConfig { backend: BackendChoice::Tract, ..BackendConfig::default() };
    let mut tagger = WordTagger::load(&opened, &config).unwrap();
    let rows = crate::read_rows(&run.tasks[0].test[0], &[], None, CleaningRules::default(), &mut Default::default());
    let rows = rows.unwrap();
    let found = find_entities(&mut tagger, &rows).unwrap();
    assert_eq!(&found, test);
    let masked = |kind: &str| {
        let mut people = People::new(WordTagger::load(&opened, &config).unwrap(), kind)?;
        let path = directory.path().join("texts.csv");
        std::fs::write(&path, "text,label\nthe sun up the shares,a\nthe sun the shares,b\n").unwrap();
        let (rows, cleaning) = clean(CleanRequest {
            data: &[DataSource::new(path)],
            test: &[],
            names: None,
            rules: CleaningRules::default(),
            people: Some(&mut people),
            extra: &[],
        })?;
        Ok::<_, TrainingError>((rows.into_iter().map(|row| row.text).collect::<Vec<_>>(), cleaning.names))
    };
    let expected = ["the sun [NAME] the shares", "the sun the shares"].map(str::to_owned);
    assert_eq!(masked("SIDE").unwrap(), (expected.to_vec(), 1));
    let message = masked("PER").unwrap_err().to_string();
    assert!(message.contains("\"PER\"") && message.contains("\"B-SKY\""), "{message}");
    let mut other = rows[0].clone();
    other.label = other.label.replace("O", "B-DATE");
    let message = find_entities(&mut tagger, &[other]).unwrap_err().to_string();
    assert!(message.contains("test.conll:3: unknown label \"B-DATE\""), "{message}");
    assert!(matches!(find_entities(&mut tagger, &[]), Err(TrainingError::NoRows)));
    let message = EncoderModel::load(&opened, "1", &config).err().unwrap().to_string();
    assert!(message.contains("labels the words of texts"), "{message}");
}

#[test]
fn an_uncased_encoder_is_told_capitals_by_the_words_shapes() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = crate::random::Random::new(1, "capitals");
    let mut file = |name: &str, texts: usize| {
        let mut content = String::new();
        for _ in 0..texts {
            for _ in 0..random.below(6) + 3 {
                let word = WORDS[random.below(WORDS.len())];
                let line = match random.below(3) {
                    0 => format!("{}{} B-NAME\n", word[..1].to_uppercase(), &word[1..]),
                    1 => format!("{} O\n", word.to_uppercase()),
                    _ => format!("{word} O\n"),
                };
                content.push_str(&line);
            }
            content.push('\n');
        }
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        DataSource::new(path)
    };
    let (data, test) = (file("names.conll", 200), file("other-names.conll", 60));
    let mut run = word_run(directory.path());
    run.tasks = vec![Task { kind: TaskKind::Tokens, test: vec![test], ..task("names", data) }];
    let plain = train(&run, &directory.path().join("plain")).unwrap().report.tasks[0].test.score();
    run.hyperparameters.word_shapes = true;
    let trained = train(&run, &directory.path().join("shaped")).unwrap();
    let shaped = trained.report.tasks[0].test.score();
    assert!(plain < 0.6 && shaped > 0.95, "{plain} without shapes, {shaped} with them");

    export(&trained.staging).unwrap();
    let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
    check_parity(&trained.staging, &|texts| trained.logits(texts).unwrap(), &sample).unwrap();
    let config: Value =
        serde_json::from_str(&std::fs::read_to_string(trained.staging.join("config.json")).unwrap()).unwrap();
    let found = (&config["model_type"], &config["word_shapes"], &config["type_vocab_size"]);
    assert_eq!(found, (&json!("pulsewire-bert"), &json!(true), &json!(4)));
    let config = BackendConfig { backend: BackendChoice::Tract, ..BackendConfig::default() };
    let mut tagger = WordTagger::load(&ModelDirectory::open(&trained.staging).unwrap(), &config).unwrap();
    let texts = ["Rain", "rain", "RAIN"].map(|word| vec!["the", word]);
    let labels: Vec<Option<usize>> = tagger.label(&texts).unwrap().into_iter().map(|text| text[1]).collect();
    assert_eq!(labels, [Some(1), Some(0), Some(0)]);
}

#[test]
fn words_that_are_cut_off_are_missed_not_misread() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = word_run(directory.path());
    let path = directory.path().join("long.conll");
    std::fs::write(&path, format!("{}up B-SIDE\n\nup B-SIDE\n", "the O\n".repeat(31))).unwrap();
    run.tasks[0].test = vec![DataSource::new(path)];
    let trained = train(&run, &directory.path().join("staging")).unwrap();
    let HeadReport::Entities(test) = &trained.report.tasks[0].test else { panic!("{}", trained.report) };
    assert_eq!((test.rows, test.words, test.support, test.recall), (2, 33, 2, 0.5));
    // 30 words and two special tokens are seen.
    assert_eq!(trained.logits(&["the rain", &"the ".repeat(40)]).unwrap().dim(), (2 + 30, 5));
}

#[test]
fn other_methods_learn_words_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = word_run(directory.path());
    run.hyperparameters = Hyperparameters {
        r_drop: 0.5,
        dropout: 0.05,
        mixup: 0.1,
        adversarial: Some(Adversarial::Fgm(Fgm { epsilon: 0.1 })),
        ..run.hyperparameters
    };
    run.tasks[0].loss = LossKind::ClassBalanced(ClassBalanced::default());
    run.tasks[0].test.clear();
    let report = train(&run, &directory.path().join("staging")).unwrap().report;
    assert!(report.tasks[0].test.score() > 0.8, "{report}");
}

#[test]
fn adapters_learn_words_and_are_served_as_they_were_trained() {
    for kind in adapted::all() {
        let directory = tempfile::tempdir().unwrap();
        let mut run = word_run(directory.path());
        run.hyperparameters = Hyperparameters { epochs: 2, adapter: Some(kind.clone()), ..run.hyperparameters };
        let trained = train(&run, &directory.path().join("staging")).unwrap();
        let epochs = &trained.report.epochs;
        assert!(epochs[1].loss < epochs[0].loss, "{kind:?}: {}", trained.report);
        export(&trained.staging).unwrap();
        let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
        let parity = check_parity(&trained.staging, &|texts| trained.logits(texts).unwrap(), &sample).unwrap();
        assert!(!parity.backends.is_empty());
    }
}

#[test]
fn a_model_of_words_teaches_no_texts() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = word_run(directory.path());
    run.hyperparameters.epochs = 1;
    let staging = directory.path().join("staging");
    train(&run, &staging).unwrap();
    let message = crate::fine_tuned::FineTuned::open(&staging).unwrap_err().to_string();
    assert!(message.contains("config.json") && message.contains("labels the words of texts"), "{message}");
}

#[test]
fn entities_are_cross_validated() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = word_run(directory.path());
    run.hyperparameters.epochs = 10;
    let request = CrossValidationRequest { run: &run, folds: 2, only: &[1], from: &[], slices: &[], out_of_fold: None };
    let found = cross_validate(&request).unwrap();
    let [task] = &found.others[..] else { panic!("{found}") };
    assert_eq!((&*task.task, task.folds[0].0, task.figures[2].0), ("sides", 1, "entity_f1"));
    assert!(task.figures[2].1.mean > 0.7 && found.to_string().contains("1 of 2 folds"), "{found}");
}

#[test]
fn bad_tags_are_named_before_training() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = word_run(directory.path());
    let mut refusal = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        run.tasks[0].test = vec![DataSource::new(path)];
        train(&run, &directory.path().join("staging")).err().unwrap().to_string()
    };
    let message = refusal("a.conll", "up B-SIDE\nrain B-DATE\n");
    assert!(message.contains("a.conll:1: unknown label \"B-DATE\""), "{message}");
    let message = refusal("b.conll", "up B-SIDE\n\nrain SKY\n");
    assert!(message.contains("b.conll:3: tag: \"SKY\""), "{message}");
    let message = refusal("c.csv", "text,label\nup again,B-SIDE\n");
    assert!(message.contains("c.csv:2: label: has 1 tags for 2 words"), "{message}");
}
