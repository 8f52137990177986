use super::*;
use crate::directory::read_json;
use crate::source::DataSource;
use crate::trainer::tests::{WORDS, base};

/// Queries of three words whose answers have other words, one for one: what belongs together cannot be seen, only learned.
pub(crate) fn run(directory: &Path) -> RankingRun {
    let mut rows = "question,reply\n".to_owned();
    for (first, second, third) in (0..512).map(|place| (place / 64, place / 8 % 8, place % 8)) {
        if first <= second && second <= third {
            let words = |shift: usize| [first, second, third].map(|word| WORDS[(word + shift) % 8]).join(" ");
            rows.push_str(&format!("{},{}\n", words(0), words(4)));
        }
    }
    let path = directory.join("pairs.csv");
    std::fs::write(&path, rows).unwrap();
    let mut source = DataSource::new(path);
    (source.text, source.text_pair) = (Some("question".to_owned()), Some("reply".to_owned()));
    let settings = RankingSettings {
        epochs: 12,
        batch_size: 16,
        learning_rate: 5e-3,
        dropout: 0.0,
        max_tokens: 16,
        ..RankingSettings::default()
    };
    RankingRun { base: Some(base(directory)), data: vec![source], seed: 3, settings }
}

#[test]
fn answers_are_found_and_the_encoder_is_exported_and_a_base() {
    let directory = tempfile::tempdir().unwrap();
    let (run, out) = (run(directory.path()), directory.path().join("out"));
    let report = train_ranking(&run, &out).unwrap();
    assert_eq!((report.queries, report.answers, report.after.candidates, report.measured.len()), (120, 120, 120, 13));
    let (before, after) = (report.before, report.after);
    assert!(after.reciprocal_rank > before.reciprocal_rank + 0.2 && after.recall_at_10 > 0.6, "{report}");
    assert!(report.parity.backends.iter().any(|backend| backend.backend == "tract"), "{:?}", report.parity);
    let written: RankingReport = serde_json::from_value(read_json(&out.join("ranking.json")).unwrap()).unwrap();
    assert_eq!(written, report);
    let config = read_json(&out.join("config.json")).unwrap();
    assert_eq!((&config["architectures"][0], &config["pooling"]), (&"BertModel".into(), &"mean".into()));
    for file in ["modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "tokenizer.json", "model.onnx"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    // A second round starts where the first ended.
    let again = RankingRun { base: Some(out), settings: RankingSettings { epochs: 1, ..run.settings.clone() }, ..run };
    assert_eq!(train_ranking(&again, &directory.path().join("again")).unwrap().before, after);
}

#[test]
fn a_seed_gives_the_same_weights() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path());
    run.settings.epochs = 1;
    run.settings.dropout = 0.1;
    let mut weights = |name: &str, seed: u64| {
        let out = directory.path().join(name);
        run.seed = seed;
        train_ranking(&run, &out).unwrap();
        std::fs::read(out.join("model.safetensors")).unwrap()
    };
    let first = weights("first", 3);
    assert!(first == weights("second", 3) && first != weights("third", 4));
}

#[test]
fn values_that_cannot_be_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let run = run(directory.path());
    let refusal = |change: fn(&mut RankingSettings)| {
        let mut run = run.clone();
        change(&mut run.settings);
        train_ranking(&run, &directory.path().join("out")).unwrap_err().to_string()
    };
    assert!(refusal(|settings| settings.batch_size = 1).contains("batch_size"));
    assert!(refusal(|settings| settings.temperature = 0.0).contains("temperature"));
    assert!(refusal(|settings| settings.test = 0.9).contains("validation"));
    assert!(refusal(|settings| settings.learning_rate = f64::NAN).contains("learning_rate"));
    assert!(!directory.path().join("out").exists());
}
