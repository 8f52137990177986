//! The tiny model of `fixtures/tiny` in both back ends, against logits computed by hand (numpy, f64).
//!
//! `training` holds that its exporter writes this very `model.onnx`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foundation::parts::Part;
use inference::{
    Backend, BackendChoice, BackendConfig, BatchLimits, BatchingConfig, EncoderModel, Engine, InferenceError,
    Model as _, ModelDirectory, Scores, TextTokenizer, TokenBatch, pair,
};
use ndarray::Array2;
use serde::Deserialize;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny");
const TOLERANCE: f32 = 2e-5;

#[derive(Deserialize)]
struct Expected {
    text: String,
    tokens: Vec<u32>,
    logits: Vec<f32>,
}

fn expected() -> Vec<Expected> {
    serde_json::from_str(&std::fs::read_to_string(format!("{FIXTURE}/expected.json")).unwrap()).unwrap()
}

fn model(backend: BackendChoice, threads: usize) -> EncoderModel {
    let config = BackendConfig { backend, threads: threads.try_into().ok(), onnx_runtime: None };
    EncoderModel::load(&ModelDirectory::open(FIXTURE).unwrap(), "tiny@1", &config).unwrap()
}

fn max_abs_delta(own: &Array2<f32>, expected: &[Expected]) -> f32 {
    let deltas = own.outer_iter().zip(expected).flat_map(|(own, expected)| {
        assert_eq!(own.len(), expected.logits.len());
        own.iter().zip(&expected.logits).map(|(own, expected)| (own - expected).abs()).collect::<Vec<_>>()
    });
    deltas.fold(0.0, f32::max)
}

#[track_caller]
fn check_backend(backend: BackendChoice) {
    let expected = expected();
    let texts: Vec<&str> = expected.iter().map(|expected| &*expected.text).collect();
    for threads in [1, 3] {
        let mut model = model(backend, threads);
        // One batch for all, then one for each: padding must not count.
        for rows in [64, 1] {
            let limits = BatchLimits { tokens: 10_000.try_into().unwrap(), rows: rows.try_into().unwrap() };
            model = model.with_limits(limits);
            let logits = model.logits(&texts).unwrap();
            assert_eq!(logits.nrows(), texts.len());
            let delta = max_abs_delta(&logits, &expected);
            assert!(delta < TOLERANCE, "{} with {threads} threads, {rows} rows: {delta}", model.backend());
        }
    }
}

#[test]
fn ort_computes_the_expected_logits() {
    testkit::parts::ensure_installed().unwrap();
    Part::OnnxRuntime.locate().expect("this test needs ONNX Runtime");
    check_backend(BackendChoice::Ort);
}

#[test]
fn tract_computes_the_expected_logits() {
    check_backend(BackendChoice::Tract);
}

#[test]
fn auto_falls_back_to_tract_and_ort_does_not() {
    let directory = ModelDirectory::open(FIXTURE).unwrap();
    let nowhere = Some("/nowhere/libonnxruntime.so".into());
    let auto = BackendConfig { onnx_runtime: nowhere.clone(), ..BackendConfig::default() };
    // A library that another test has loaded serves the whole process, wherever it came from.
    let backend = EncoderModel::load(&directory, "1", &auto).unwrap().backend();
    assert!(["tract", "ort"].contains(&backend));
    let ort = BackendConfig { backend: BackendChoice::Ort, ..auto };
    match EncoderModel::load(&directory, "1", &ort) {
        Ok(model) => assert_eq!((model.backend(), backend), ("ort", "ort")),
        Err(error) => assert!(error.to_string().contains("pulsewire setup"), "{error}"),
    }
}

#[test]
fn tokens_are_those_of_the_python_library() {
    let directory = ModelDirectory::open(FIXTURE).unwrap();
    for expected in expected() {
        assert_eq!(directory.tokenizer().encode(&expected.text).unwrap().ids(), expected.tokens, "{}", expected.text);
    }
}

#[test]
fn long_and_strange_texts_are_cut_to_the_longest_input() {
    let tokenizer = ModelDirectory::open(FIXTURE).unwrap().tokenizer().clone();
    let full = |text: &str| tokenizer.encode(text).unwrap();
    let words = "shares of the bank fall ";
    // The tokens of a text that was cut are those of the whole one.
    assert_eq!(full(&words.repeat(20_000)), full(&words.repeat(10)));
    assert_eq!(full(&words.repeat(450_000)).len(), 24);
    for text in ["\0".repeat(1000), "日".repeat(4_000_000), "x".repeat(10_000_000), " ".repeat(10_000_000)] {
        let tokens = full(&text);
        assert!((2..=24).contains(&tokens.len()), "{}", tokens.len());
        assert_eq!((tokens.ids()[0], tokens.ids()[tokens.len() - 1]), (2, 3));
    }
    // Past white space that the first look does not see the end of.
    assert_eq!(full(&format!("{}bank", " ".repeat(1000))), full("bank"));
}

#[test]
fn positions_bound_the_longest_input() {
    let path = format!("{FIXTURE}/tokenizer.json");
    let tokenizer = TextTokenizer::open(path.as_ref(), Some(8)).unwrap();
    assert_eq!(tokenizer.encode("the bank the bank the bank the bank").unwrap().len(), 8);
    // What counts does not cut.
    let counting = TextTokenizer::open_for_counting(path.as_ref()).unwrap();
    assert_eq!(counting.encode(&"the bank ".repeat(1000)).unwrap().len(), 2002);
}

#[test]
fn pairs_are_two_texts_between_the_special_tokens_and_the_longer_one_is_cut() {
    let open = |pairs| {
        let path = format!("{FIXTURE}/tokenizer.json");
        TextTokenizer::open(path.as_ref(), Some(9)).unwrap().of_pairs(pairs)
    };
    let (texts, pairs) = (open(false), open(true));
    let inner = |text: &str| {
        let tokens = texts.encode(text).unwrap();
        tokens.ids()[1..tokens.len() - 1].to_vec()
    };
    let check = |first: &str, second: &str, kept: [usize; 2]| {
        let tokens = pairs.encode(&pair::join(first, second)).unwrap();
        let (first, second) = (&inner(first)[..kept[0]], &inner(second)[..kept[1]]);
        assert_eq!(tokens.ids(), [&[2], first, &[3], second, &[3]].concat());
        assert_eq!(tokens.types(), [vec![0; first.len() + 2], vec![1; second.len() + 1]].concat());
    };
    check("the bank", "shares fall", [2, 2]);
    check("the bank the bank the bank", "shares", [5, 1]);
    check("shares", &"the bank ".repeat(100_000), [1, 5]);
    check("the bank the bank", "shares fall shares fall", [3, 3]);
    assert!(matches!(pairs.encode("the bank"), Err(InferenceError::NoPair)));
    // For a tokenizer of texts the separator is a control character as any other.
    assert_eq!(texts.encode(&pair::join("the ", "bank")).unwrap(), texts.encode("the bank").unwrap());
}

#[test]
fn words_are_found_by_their_first_tokens() {
    let tokenizer = TextTokenizer::open(format!("{FIXTURE}/tokenizer.json").as_ref(), Some(8)).unwrap();
    let check = |words: &[&str], firsts: &[usize]| {
        let encoded = tokenizer.encode_words(words).unwrap();
        let found: Vec<usize> = encoded.firsts().iter().map(|first| first.unwrap_or(0)).collect();
        assert_eq!(found, firsts, "{words:?}");
        assert_eq!(encoded.tokens(), &tokenizer.encode(&words.join(" ")).unwrap(), "{words:?}");
    };
    // "xy" is no word of the vocabulary and is written in two pieces; a control character leaves no token.
    check(&["the", "bank", "xy", "the"], &[1, 2, 3, 5]);
    check(&["the", "\u{1}", "bank"], &[1, 0, 2]);
    check(&[], &[]);
    // Six tokens beside the special ones: the last word does not come in, the one before it in part.
    check(&["the", "the", "the", "xy", "xy", "xy"], &[1, 2, 3, 4, 6, 0]);
    let long = "the".repeat(100_000);
    assert_eq!(tokenizer.encode_words(&[&long, "bank"]).unwrap().firsts()[0], Some(1));
}

#[test]
fn tokens_are_traced_back_to_words_of_the_text() {
    let tokenizer = TextTokenizer::open(format!("{FIXTURE}/tokenizer.json").as_ref(), Some(8)).unwrap();
    let check = |text: &str, expected: &[(&str, std::ops::Range<usize>)]| {
        let spanned = tokenizer.encode_spans(text).unwrap();
        assert_eq!(spanned.tokens(), &tokenizer.encode(text).unwrap(), "{text}");
        let words: Vec<_> =
            spanned.words().iter().map(|word| (&text[word.bytes.clone()], word.tokens.clone())).collect();
        assert_eq!(words, expected, "{text}");
    };
    check("the xy,  The", &[("the", 1..2), ("xy", 2..4), (",", 4..5), ("The", 5..6)]);
    // Accents go when the tokenizer reads, two-byte characters before a word and control characters in it count.
    check("é the ba\u{1}nk", &[("é", 1..2), ("the", 2..3), ("ba\u{1}nk", 3..4)]);
    check("", &[]);
    check("the the the the the the the", &[1, 2, 3, 4, 5, 6].map(|place| ("the", place..place + 1)));
    check(
        "the the the the the xy",
        &[("the", 1..2), ("the", 2..3), ("the", 3..4), ("the", 4..5), ("the", 5..6), ("x", 6..7)],
    );
}

#[tokio::test]
async fn an_engine_gives_the_scores_of_the_model() {
    let expected = expected();
    let texts: Vec<Arc<str>> = expected.iter().cycle().take(500).map(|own| Arc::from(&*own.text)).collect();
    let mut own = model(BackendChoice::Tract, 1);
    let by_model = own.score(&texts.iter().map(|text| &**text).collect::<Vec<_>>()).unwrap();
    let directory = ModelDirectory::open(FIXTURE).unwrap();
    let tract = BackendConfig { backend: BackendChoice::Tract, ..BackendConfig::default() };
    let inner = inference::backend::load(&directory, &tract).unwrap();
    let backend = Counting { inner, rows: Arc::default(), shift: 0.0, budget: 64 };
    let served = EncoderModel::with_backend(&directory, "tiny@1", Box::new(backend)).unwrap();
    let config = BatchingConfig { max_tokens: 64, recent_texts: 0, ..BatchingConfig::default() };
    let engine = Engine::spawn(Box::new(served), &config).unwrap();
    let block = engine.score_block(texts).await.unwrap();
    assert_eq!(&*block.version, "tiny@1");
    for (by_engine, by_model) in block.scores.iter().zip(&by_model) {
        assert!(distance(by_engine, by_model) < 1e-5);
        assert!((by_engine.head(0).iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

/// Counts the rows that reach the back end, and shifts all logits of the first label.
struct Counting {
    inner: Box<dyn Backend>,
    rows: Arc<AtomicUsize>,
    shift: f32,
    budget: usize,
}

impl Backend for Counting {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn run(&mut self, batch: &TokenBatch) -> Result<Array2<f32>, InferenceError> {
        assert!(batch.rows() == 1 || batch.rows() * batch.width() <= self.budget, "the batch is too large");
        self.rows.fetch_add(batch.rows(), Ordering::Relaxed);
        let mut logits = self.inner.run(batch)?;
        logits.column_mut(0).mapv_inplace(|logit| logit + self.shift);
        Ok(logits)
    }
}

#[tokio::test]
async fn a_text_that_was_scored_a_moment_ago_is_not_scored_again_by_the_same_model() {
    let rows = Arc::new(AtomicUsize::new(0));
    let model = |version: &str, shift: f32| {
        let directory = ModelDirectory::open(FIXTURE).unwrap();
        let config = BackendConfig { backend: BackendChoice::Tract, ..BackendConfig::default() };
        let inner = inference::backend::load(&directory, &config).unwrap();
        let backend = Counting { inner, rows: rows.clone(), shift, budget: 1024 };
        Box::new(EncoderModel::with_backend(&directory, version, Box::new(backend)).unwrap())
    };
    let engine = Engine::spawn(model("1", 0.0), &BatchingConfig::default()).unwrap();
    let texts = || vec![Arc::from("bank"), Arc::from("profit")];
    let first = engine.score_block(texts()).await.unwrap();
    assert_eq!(engine.score_block(texts()).await.unwrap(), first);
    assert_eq!(rows.load(Ordering::Relaxed), 2);
    let statistics = engine.statistics();
    assert_eq!((statistics.texts, statistics.rows, statistics.joined, statistics.repeated), (4, 2, 0, 2));
    assert_eq!((statistics.batches, statistics.tokens, statistics.padding), (1, 6, 0));
    engine.swap(model("2", 1.0)).await.unwrap();
    let second = engine.score_block(texts()).await.unwrap();
    assert_eq!((&*second.version, rows.load(Ordering::Relaxed)), ("2", 4));
    assert!(second.scores[0].head(0)[0] > first.scores[0].head(0)[0], "the new model's scores, not the kept ones");
}

fn distance(left: &Scores, right: &Scores) -> f32 {
    let pairs = left.heads().iter().zip(right.heads()).flat_map(|(left, right)| left.iter().zip(right));
    pairs.map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}
