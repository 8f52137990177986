//! Pairs of texts, from files to the scores that are served.

use inference::{EncoderModel, InferenceError, Model as _, ModelDirectory, pair};

use super::*;
use crate::dataset::read_rows;
use crate::evaluation::{Measured, measure};
use crate::metrics::HeadReport;

/// Pairs whose label is the text that "up" stands in, and whose score is 10 if it stands in the first.
fn run_of_pairs(directory: &Path) -> TrainingRun {
    let mut random = crate::random::Random::new(1, "pairs");
    let mut content = "left,right,label,score\n".to_owned();
    for row in 0..600 {
        let mut text = || -> Vec<&str> { (0..random.below(4) + 2).map(|_| WORDS[4 + random.below(5)]).collect() };
        let mut texts = [text(), text()];
        let (side, place) = (row % 2, random.below(2));
        texts[side][place] = "up";
        let [left, right] = texts.map(|words| words.join(" "));
        content.push_str(&format!("{left},{right},{},{}\n", ["first", "second"][side], 10 - 10 * side));
    }
    let path = directory.join("pairs.csv");
    std::fs::write(&path, content).unwrap();
    let source = |label: &str| DataSource {
        text: Some("left".to_owned()),
        text_pair: Some("right".to_owned()),
        label: Some(label.to_owned()),
        ..DataSource::new(path.clone())
    };
    let mut run = run(directory);
    let mut score = task("score", source("score"));
    score.kind = TaskKind::Regression;
    run.tasks = vec![task("side", source("label")), score];
    run.hyperparameters.learning_rate = 4e-3;
    run
}

#[test]
fn pairs_are_learned_and_served_as_they_were_learned() {
    let directory = tempfile::tempdir().unwrap();
    let run = run_of_pairs(directory.path());
    let trained = train(&run, &directory.path().join("staging")).unwrap();
    let report = &trained.report;
    assert!(report.tasks[0].test.score() > 0.9, "{report}");
    let HeadReport::Regression(figures) = &report.tasks[1].test else { panic!("{report}") };
    assert!(figures.spearman.unwrap() > 0.7, "{report}");

    export(&trained.staging).unwrap();
    let sample: Vec<&str> = trained.sample.iter().map(String::as_str).collect();
    assert!(sample.iter().all(|text| pair::split(text).is_some()));
    let parity = check_parity(&trained.staging, &|texts| trained.logits(texts).unwrap(), &sample).unwrap();
    assert!(!parity.backends.is_empty());

    let served = ModelDirectory::open(&trained.staging).unwrap();
    assert!(served.takes_pairs());
    let mut model = EncoderModel::load(&served, "1", &Default::default()).unwrap();
    let source = &run.tasks[0].data[0];
    let rows = read_rows(source, &[], None, CleaningRules::default(), &mut Default::default()).unwrap();
    let Measured::SingleLabel(figures) = measure(&mut model, &rows, Some("side")).unwrap() else { panic!() };
    assert!(figures.report.accuracy > 0.9);
    assert!(matches!(model.score(&["up and down"]), Err(InferenceError::NoPair)));
}

#[test]
fn what_reads_otherwise_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let staging = |name: &str| directory.path().join(name);
    let mut pairs = run_of_pairs(directory.path());
    pairs.hyperparameters.epochs = 1;
    pairs.tasks.truncate(1);
    train(&pairs, &staging("pairs")).unwrap();
    let mut texts = TrainingRun {
        tasks: vec![task("side", file(directory.path(), ["up", "down"]))],
        base: Some(staging("pairs")),
        ..pairs.clone()
    };
    // As a base alone it may be anything; what comes of it reads texts.
    train(&texts, &staging("texts")).unwrap();
    assert!(!std::fs::read_to_string(staging("texts").join("config.json")).unwrap().contains("text_pair"));
    texts.continual = Some(crate::Continual::default());
    let message = train(&texts, &staging("new")).err().unwrap().to_string();
    assert!(message.contains("reads pairs of texts"), "{message}");
    let taught = json!({ "teachers": [staging("texts")] });
    let taught = serde_json::from_value(taught).unwrap();
    let message = train(&TrainingRun { distillation: Some(taught), ..pairs.clone() }, &staging("new")).err().unwrap();
    assert!(message.to_string().contains("the rows are pairs"), "{message}");

    let path = directory.path().join("base/config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("\"type_vocab_size\": 2", "\"type_vocab_size\": 1")).unwrap();
    let message = train(&pairs, &staging("new")).err().unwrap().to_string();
    assert!(message.contains("type_vocab_size"), "{message}");
}
