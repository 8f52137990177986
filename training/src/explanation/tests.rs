use std::collections::HashMap;
use std::fs;
use std::path::Path as FilePath;

use inference::{BackendChoice, BackendConfig, EncoderModel, Model as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::trainer::{tests::run, train};

/// A tiny model whose tokenizer knows a few words, and writes others in letters.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/inference/tests/fixtures/tiny");

const TEXT: &str = "Bank profit rises, the loss of çxy falls.";

/// The tiny model with heads of every kind that answers for texts.
fn model() -> (TempDir, ModelDirectory) {
    let directory = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors", "model.onnx"] {
        fs::copy(FilePath::new(FIXTURE).join(file), directory.path().join(file)).unwrap();
    }
    edit(&directory, |config| {
        config["heads"] = json!([
            { "name": "sentiment", "labels": ["negative", "neutral", "positive"] },
            { "name": "topics", "kind": "multi-label", "labels": ["markets", "earnings", "other"] },
            { "name": "price", "kind": "regression", "labels": ["none"] },
        ]);
    });
    let opened = ModelDirectory::open(directory.path()).unwrap();
    (directory, opened)
}

fn edit(directory: &TempDir, edit: impl FnOnce(&mut Value)) {
    let path = directory.path().join("config.json");
    let mut config = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    edit(&mut config);
    fs::write(path, config.to_string()).unwrap();
}

fn explainer(head: &str) -> Explainer {
    Explainer::open(&model().1, Some(head), None).unwrap()
}

/// Changes one of its weights, by the end of the name.
fn change(explainer: &Explainer, name: &str, change: impl Fn(&mut [f32])) {
    let parameters = explainer.classifier.parameters();
    let found: Vec<_> = parameters.iter().filter(|parameter| parameter.name().ends_with(name)).collect();
    assert!(!found.is_empty(), "no {name}");
    found.iter().for_each(|parameter| change(&mut parameter.value_mut()));
}

fn attribution(explanation: &Explanation, word: &str) -> f64 {
    explanation.words.iter().find(|own| own.word == word).unwrap().attribution
}

#[track_caller]
fn check_completeness(explanation: &Explanation) {
    let sum: f64 = explanation.words.iter().map(|word| word.attribution).sum();
    let size: f64 = explanation.words.iter().map(|word| word.attribution.abs()).sum();
    let error = (sum - (explanation.answer - explanation.baseline)).abs() / size;
    assert!(explanation.complete && (error - explanation.completeness_error).abs() < 1e-9, "{explanation}");
}

#[test]
fn answers_of_every_kind_are_those_that_are_served_and_are_parted_completely() {
    let (_keep, directory) = model();
    let config = BackendConfig { backend: BackendChoice::Tract, ..BackendConfig::default() };
    let mut served = EncoderModel::load(&directory, "", &config).unwrap();
    for text in [TEXT, "shares of the bank fall", "日本 $ %"] {
        let scores = served.score(&[text]).unwrap().remove(0);
        for (index, head) in directory.heads().iter().enumerate() {
            for (label, expected) in head.labels.iter().zip(scores.head(index)) {
                let explanation =
                    Explainer::open(&directory, Some(&head.name), Some(label)).unwrap().explain(text).unwrap();
                let answer = explanation.answer;
                assert!((answer - f64::from(*expected)).abs() < 2e-5, "{label}: {answer}, not {expected}");
                assert!((answer - explanation.baseline).abs() > 1e-4, "{explanation}");
                check_completeness(&explanation);
            }
            let best = Explainer::open(&directory, Some(&head.name), None).unwrap().explain(text).unwrap();
            assert_eq!(best.label, *head.labels[scores.best(index).unwrap().0]);
        }
    }
}

#[test]
fn words_have_their_places_in_the_text() {
    let explanation = explainer("sentiment").explain(TEXT).unwrap();
    let found: Vec<&str> = explanation.words.iter().map(|word| word.word.as_str()).collect();
    assert_eq!(found, ["Bank", "profit", "rises", ",", "the", "loss", "of", "çxy", "falls", "."]);
    let characters: Vec<char> = TEXT.chars().collect();
    for word in &explanation.words {
        assert_eq!(characters[word.start..word.end].iter().collect::<String>(), word.word);
    }
    assert!(!explanation.cut);
}

/// One text's path, each place of it a word.
fn path<'a>(explainer: &'a Explainer, tokens: &'a [u32], words: Vec<Range<usize>>) -> Path<'a> {
    let answer = Answer { head: 0, kind: TaskKind::SingleLabel, label: 0 };
    Path::new(&explainer.classifier, tokens, words, &explainer.padding, answer)
}

#[test]
fn slopes_agree_with_finite_differences_and_a_word_has_those_of_its_tokens() {
    let explainer = explainer("sentiment");
    let tokens = [2, 64, 65, 32, 59, 3];
    let apart = path(&explainer, &tokens, (1..5).map(|place| place..place + 1).collect());
    let joined = path(&explainer, &tokens, vec![1..2, 2..5]);
    for place in [0.1, 0.5, 0.9] {
        let at = |place: f64| apart.points(&[place]).unwrap().remove(0);
        let slope: f64 = at(place).slopes.iter().sum();
        let expected = (at(place + 0.02).answer - at(place - 0.02).answer) / 0.04;
        assert!((slope - expected).abs() < 1e-3 + 0.01 * expected.abs(), "{slope}, not {expected}");
        let (apart, joined) = (at(place).slopes, joined.points(&[place]).unwrap().remove(0).slopes);
        assert!((joined[0] - apart[0]).abs() < 1e-9, "{joined:?} {apart:?}");
        assert!((joined[1] - apart[1..].iter().sum::<f64>()).abs() < 1e-9, "{joined:?} {apart:?}");
    }
}

#[test]
fn a_long_path_goes_through_the_model_in_parts() {
    let explainer = explainer("sentiment");
    let tokens: Vec<u32> = (0..24).map(|place| 61 + place % 7).collect();
    let path = path(&explainer, &tokens, vec![1..12, 12..23]);
    let places: Vec<f64> = (0..200).map(|place| f64::from(place) / 200.0).collect();
    assert!(places.len() * tokens.len() > 2 * path::TOKENS_AT_ONCE);
    for (place, point) in places.iter().zip(path.points(&places).unwrap()) {
        let alone = path.points(&[*place]).unwrap().remove(0);
        assert!((alone.answer - point.answer).abs() < 1e-6, "{alone:?}, not {point:?}");
        assert!((alone.slopes[1] - point.slopes[1]).abs() < 1e-4, "{alone:?}, not {point:?}");
    }
}

#[test]
fn words_that_the_answer_cannot_tell_apart_share_alike() {
    let explainer = explainer("sentiment");
    let apart = explainer.explain("fall the fall").unwrap();
    assert!((apart.words[0].attribution - apart.words[2].attribution).abs() > 1e-5, "{apart}");
    // Without positions there is no first and no second.
    change(&explainer, "position_embeddings.weight", |values| values.fill(0.0));
    let alike = explainer.explain("fall the fall").unwrap();
    assert!((alike.words[0].attribution - alike.words[2].attribution).abs() < 1e-7, "{alike}");
    assert!(alike.words[0].attribution.abs() > 1e-4, "{alike}");
}

#[test]
fn a_word_that_does_not_matter_gets_nothing() {
    let explainer = explainer("sentiment");
    assert!(attribution(&explainer.explain("the bank").unwrap(), "the") != 0.0);
    // A word that is no other than padding.
    let (the, width) = (67, explainer.padding.len());
    change(&explainer, "word_embeddings.weight", |values| {
        values[the * width..(the + 1) * width].copy_from_slice(&explainer.padding);
    });
    let explanation = explainer.explain("the bank").unwrap();
    assert_eq!(attribution(&explanation, "the"), 0.0);
    assert!(attribution(&explanation, "bank") != 0.0);
    // Where attention hands on nothing, the first token, which heads read, knows of no word.
    change(&explainer, "attention.output.dense.weight", |values| values.fill(0.0));
    let explanation = explainer.explain(TEXT).unwrap();
    assert!(explanation.words.iter().all(|word| word.attribution == 0.0), "{explanation}");
    assert_eq!((explanation.answer, explanation.completeness_error), (explanation.baseline, 0.0));
}

#[test]
fn a_text_that_is_cut_says_where() {
    let text = format!("{}bank", "profit ".repeat(40));
    let explanation = explainer("topics").explain(&text).unwrap();
    // 24 tokens, two of them special.
    assert_eq!((explanation.words.len(), explanation.cut), (22, true));
    assert_eq!(explanation.words[21].end, 22 * 7 - 1);
    check_completeness(&explanation);
    assert!(!explainer("topics").explain(&"profit ".repeat(22)).unwrap().cut);
}

#[test]
fn a_text_without_words_has_nothing_to_attribute() {
    for text in ["", "\u{200b}"] {
        let explanation = explainer("price").explain(text).unwrap();
        assert!(explanation.words.is_empty() && explanation.complete, "{explanation:?}");
        assert_eq!(explanation.answer, explanation.baseline);
        assert!(explanation.to_string().contains("reads no word"), "{explanation}");
    }
}

#[test]
fn what_a_model_learned_is_what_explains_it() {
    let directory = tempfile::tempdir().unwrap();
    let trained = train(&run(directory.path()), &directory.path().join("staging")).unwrap();
    crate::export::export(&trained.staging).unwrap();
    let opened = ModelDirectory::open(&trained.staging).unwrap();
    let of_label = |label| Explainer::open(&opened, Some("tone"), Some(label)).unwrap();
    let (up, down) = (of_label("up"), of_label("down"));
    let mut attributions: HashMap<String, Vec<f64>> = HashMap::new();
    for place in 0..20 {
        let mut words = ["the", "shares", "and", "today", "again"];
        words.rotate_left(place / 4);
        words[place % 5] = if place % 2 == 0 { "up" } else { "down" };
        let text = words.join(" ");
        let explanation = up.explain(&text).unwrap();
        check_completeness(&explanation);
        // Of two labels one loses what the other gains.
        for (word, other) in explanation.words.iter().zip(down.explain(&text).unwrap().words) {
            assert!((word.attribution + other.attribution).abs() < 0.02, "{explanation}");
            attributions.entry(other.word).or_default().push(word.attribution);
        }
    }
    let mean = |word: &str| attributions[word].iter().sum::<f64>() / attributions[word].len() as f64;
    let others = ["the", "shares", "and", "today", "again"].map(|word| mean(word).abs());
    let strongest = others.into_iter().fold(0.0, f64::max);
    assert!(mean("up") > 0.0 && mean("down") < -2.0 * strongest, "{attributions:?}");
}

#[test]
fn bad_questions_and_models_are_refused() {
    let (keep, directory) = model();
    let refusal =
        |directory: &ModelDirectory, head, label| Explainer::open(directory, head, label).unwrap_err().to_string();
    let message = refusal(&directory, Some("topic"), None);
    assert!(message.contains("no head \"topic\"") && message.contains("\"topics\""), "{message}");
    let message = refusal(&directory, None, Some("bullish"));
    assert!(message.contains("\"sentiment\" has no label \"bullish\"") && message.contains("\"neutral\""), "{message}");
    edit(&keep, |config| config["pad_token_id"] = json!(70));
    let message = refusal(&directory, None, None);
    assert!(message.contains("config.json: pad_token_id is 70"), "{message}");
    fs::remove_file(keep.path().join("model.safetensors")).unwrap();
    let message = refusal(&directory, None, None);
    assert!(message.contains("compressed models have none"), "{message}");
    let heads = [Head::new("entities", ["O", "B-ORG"]).of_kind(TaskKind::Tokens)];
    let message = choose(&heads, None, None).unwrap_err().to_string();
    assert!(message.contains("head \"entities\" is tokens"), "{message}");
}
