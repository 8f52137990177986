use std::path::PathBuf;

use super::*;
use crate::source::DataSource;
use crate::trainer::tests::{WORDS, base};

/// The tiny base encoder, whose last word gives its place to `[MASK]`.
fn masking_base(directory: &Path) -> PathBuf {
    let base = base(directory);
    let path = base.join("tokenizer.json");
    let tokenizer = std::fs::read_to_string(&path).unwrap().replace(WORDS[8], "[MASK]");
    std::fs::write(&path, tokenizer).unwrap();
    base
}

pub(crate) fn adaptation(directory: &Path, texts: usize) -> Adaptation {
    let path = directory.join("texts.csv");
    // Each text goes through the words in their order, from one of them on: a hidden word follows from its neighbours.
    let words = &WORDS[..8];
    let text = |row: usize| (0..9).map(|place| words[(row + place) % words.len()]).collect::<Vec<_>>().join(" ");
    let rows: Vec<String> =
        (0..texts).map(|row| format!("{} {}", "and ".repeat(row / words.len()), text(row))).collect();
    std::fs::write(&path, format!("text\n{}\n", rows.join("\n"))).unwrap();
    let settings =
        AdaptationSettings { epochs: 30, batch_size: 16, learning_rate: 5e-3, ..AdaptationSettings::default() };
    let (base, data) = (Some(masking_base(directory)), vec![DataSource::new(path)]);
    Adaptation { base, data, seed: 3, settings }
}

#[test]
fn hidden_words_are_learned_and_the_encoder_is_a_base() {
    let directory = tempfile::tempdir().unwrap();
    let (adaptation, out) = (adaptation(directory.path(), 150), directory.path().join("adapted"));
    let report = adapt(&adaptation, &out).unwrap();
    assert_eq!((report.texts, report.held_out, report.measured.len()), (147, 3, 31));
    let (before, after) = (report.measured[0], report.measured[30]);
    // Better than even guesses among the words.
    assert!(after.loss < before.loss && after.loss < 0.75 * (WORDS.len() as f64).ln(), "{report}");
    let written = crate::directory::read_json(&out.join("adaptation.json")).unwrap();
    let written = serde_json::from_value::<AdaptationReport>(written).unwrap();
    assert_eq!((written.texts, &written.settings, &written.data_digest), (147, &report.settings, &report.data_digest));
    assert_eq!(
        crate::directory::read_json(&out.join("config.json")).unwrap()["architectures"],
        serde_json::json!(["BertForMaskedLM"])
    );
    // A second round goes on where the first ended.
    let again = Adaptation {
        base: Some(out),
        settings: AdaptationSettings { epochs: 1, learning_rate: 1e-6, ..adaptation.settings.clone() },
        ..adaptation
    };
    let second = adapt(&again, &directory.path().join("again")).unwrap();
    assert!((second.measured[0].loss - after.loss).abs() < 1e-5, "{second}");
}

#[test]
fn a_seed_gives_the_same_weights() {
    let directory = tempfile::tempdir().unwrap();
    let mut adaptation = adaptation(directory.path(), 110);
    adaptation.settings.epochs = 1;
    let weights = |name: &str, adaptation: &Adaptation| {
        let out = directory.path().join(name);
        adapt(adaptation, &out).unwrap();
        std::fs::read(out.join("model.safetensors")).unwrap()
    };
    let first = weights("first", &adaptation);
    assert_eq!(first, weights("second", &adaptation));
    adaptation.seed = 4;
    assert_ne!(first, weights("third", &adaptation));
}

#[test]
fn what_cannot_be_adapted_is_refused_before_the_first_step() {
    let directory = tempfile::tempdir().unwrap();
    let mut few = adaptation(directory.path(), 40);
    let out = directory.path().join("out");
    let refusal = |adaptation: &Adaptation| adapt(adaptation, &out).unwrap_err().to_string();
    assert!(refusal(&few).contains("40 distinct texts"), "{}", refusal(&few));
    few.settings.hidden = 0.0;
    assert!(refusal(&few).contains("hidden"), "{}", refusal(&few));
    few.settings.hidden = 0.15;
    few.data[0].text = Some("body".to_owned());
    assert!(refusal(&few).contains("body"), "{}", refusal(&few));
    let path = directory.path().join("base/tokenizer.json");
    let tokenizer = std::fs::read_to_string(&path).unwrap().replace("[MASK]", "[HOLE]");
    std::fs::write(&path, tokenizer).unwrap();
    let unmasked = Adaptation { base: few.base, ..many(directory.path()) };
    assert!(refusal(&unmasked).contains("[MASK]"), "{}", refusal(&unmasked));
    assert!(!out.exists());
}

fn many(directory: &Path) -> Adaptation {
    let other = directory.join("many");
    std::fs::create_dir(&other).unwrap();
    adaptation(&other, 120)
}

#[test]
fn the_order_of_pairs_is_learned_beside_hidden_words() {
    let directory = tempfile::tempdir().unwrap();
    let mut adaptation = adaptation(directory.path(), 120);
    // Of two texts that follow each other, the first is made of two words and the second of two others.
    let text = |row: usize| {
        let words: Vec<&str> = (1..8).map(|bit| WORDS[2 * (row % 2) + (row >> bit) % 2]).collect();
        words.join(" ")
    };
    let rows: Vec<String> = (0..240).map(text).collect();
    std::fs::write(&adaptation.data[0].path, format!("text\n{}\n", rows.join("\n"))).unwrap();
    adaptation.settings.pairs = Some(PairTask::Order);
    adaptation.settings.epochs = 40;
    let out = directory.path().join("adapted");
    let report = adapt(&adaptation, &out).unwrap();
    assert_eq!((report.texts, report.held_out), (118, 2));
    let (before, after) = (report.measured[0], report.measured[40]);
    assert!(after.pair_loss < Some(0.3) && after.pair_loss < before.pair_loss, "{report}");
    assert!(after.pair_accuracy == Some(1.0) && report.to_string().contains("100.0 % of pairs told right"), "{report}");
    let written = crate::directory::read_json(&out.join("config.json")).unwrap();
    assert_eq!(written["architectures"], serde_json::json!(["BertForPreTraining"]));
    // A second round goes on where the first ended, pooler and head included.
    adaptation.base = Some(out);
    adaptation.settings = AdaptationSettings { epochs: 1, learning_rate: 1e-6, ..adaptation.settings };
    let second = adapt(&adaptation, &directory.path().join("again")).unwrap();
    assert!((second.measured[0].pair_loss.unwrap() - after.pair_loss.unwrap()).abs() < 1e-5, "{second}");
}
