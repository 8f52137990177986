use super::*;
use crate::directory::read_json;
use crate::engine::{PackedBatch, Weights};
use crate::source::DataSource;

const WORDS: [&str; 8] = ["shares", "of", "banks", "rise", "after", "strong", "results", "today"];

pub(crate) fn run(directory: &Path, texts: usize) -> LanguageModelRun {
    let path = directory.join("texts.csv");
    // Each text goes through the words in their order, from one of them on: the next word follows from the last.
    let text = |row: usize| (0..9).map(|place| WORDS[(row + place) % WORDS.len()]).collect::<Vec<_>>().join(" ");
    let rows: Vec<String> = (0..texts).map(|row| format!("{row} {}", text(row))).collect();
    std::fs::write(&path, format!("text\n{}\n", rows.join("\n"))).unwrap();
    let settings = LanguageModelSettings {
        epochs: 4,
        batch_size: 8,
        learning_rate: Some(5e-3),
        dropout: 0.0,
        context: 24,
        vocabulary: 300,
        layers: 1,
        width: 32,
        heads: 2,
        ..LanguageModelSettings::default()
    };
    LanguageModelRun { base: None, data: vec![DataSource::new(path)], seed: 3, settings }
}

fn greedy() -> Decoding {
    Decoding { temperature: 0.0, max_tokens: 30, ..Decoding::default() }
}

#[test]
fn the_next_word_is_learned_and_written() {
    let directory = tempfile::tempdir().unwrap();
    let (run, out) = (run(directory.path(), 150), directory.path().join("model"));
    let report = train_language_model(&run, &out).unwrap();
    assert_eq!((report.texts, report.held_out, report.measured.len()), (147, 3, 5));
    let (before, after) = (report.measured[0], report.measured[report.best_epoch]);
    // Even guesses at first; what follows from the last word is known in the end.
    assert!((before.loss - (report.vocabulary as f64).ln()).abs() < 0.2, "{report}");
    assert!(after.perplexity < 4.0 && (after.loss.exp() - after.perplexity).abs() < 1e-9, "{report}");
    let written: LanguageModelReport =
        serde_json::from_value(read_json(&out.join("language_model.json")).unwrap()).unwrap();
    assert_eq!(
        (written.tokens, written.best_epoch, &written.settings),
        (report.tokens, report.best_epoch, &run.settings)
    );

    let model = LanguageModel::open(&out).unwrap();
    let text = &model.write("5 strong results", &greedy(), 1).unwrap()[0];
    assert!(text.text.starts_with("5 strong results today shares of banks rise after"), "{text:?}");
    // A second round goes on where the first ended.
    let again = LanguageModelRun {
        base: Some(out),
        settings: LanguageModelSettings { epochs: 1, learning_rate: Some(1e-7), ..run.settings.clone() },
        ..run
    };
    let second = train_language_model(&again, &directory.path().join("again")).unwrap();
    assert!((second.measured[0].loss - after.loss).abs() < 1e-4, "{second}");
}

#[test]
fn a_seed_gives_the_same_weights_and_the_same_texts() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 110);
    run.settings = LanguageModelSettings { epochs: 1, dropout: 0.2, ..run.settings };
    let weights = |name: &str, run: &LanguageModelRun| {
        let out = directory.path().join(name);
        train_language_model(run, &out).unwrap();
        std::fs::read(out.join("model.safetensors")).unwrap()
    };
    let first = weights("first", &run);
    assert_eq!(first, weights("second", &run));
    run.seed = 4;
    assert_ne!(first, weights("third", &run));

    let model = LanguageModel::open(&directory.path().join("first")).unwrap();
    let write = |seed| model.write("shares", &Decoding { seed, ..Decoding::default() }, 2).unwrap();
    assert_eq!(write(1), write(1));
    assert_ne!(write(1), write(2));
    assert_ne!(write(1)[0], write(1)[1]);
    // Beyond the context, from an empty prompt, and from one that is longer than the context itself.
    let long = Decoding { max_tokens: 70, ..greedy() };
    for prompt in ["", &"of banks ".repeat(40)] {
        let text = &model.write(prompt, &long, 1).unwrap()[0];
        assert!(text.text.starts_with(prompt) && (text.ended || text.tokens == 70), "{text:?}");
    }
}

#[test]
fn epochs_that_bring_nothing_end_the_run_and_the_best_weights_stay() {
    let directory = tempfile::tempdir().unwrap();
    let (mut run, out) = (run(directory.path(), 150), directory.path().join("model"));
    run.settings = LanguageModelSettings {
        epochs: 60,
        batch_size: 150,
        patience: 1,
        warmup: 0.0,
        learning_rate: Some(0.3),
        ..run.settings
    };
    let report = train_language_model(&run, &out).unwrap();
    assert!(report.measured.len() < 61 && report.best_epoch + 2 == report.measured.len(), "{report}");
    let again = LanguageModelRun { base: Some(out), ..run };
    let second = train_language_model(&again, &directory.path().join("again")).unwrap();
    assert!((second.measured[0].loss - report.measured[report.best_epoch].loss).abs() < 1e-6, "{second}");
}

#[test]
fn what_cannot_be_trained_is_refused_before_the_first_step() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let refusal = |run: &LanguageModelRun| train_language_model(run, &out).unwrap_err().to_string();
    let mut few = run(directory.path(), 40);
    assert!(refusal(&few).contains("40 distinct texts"), "{}", refusal(&few));
    few.settings.heads = 3;
    assert!(refusal(&few).contains("must divide width"), "{}", refusal(&few));
    let mut base = LanguageModelRun { base: Some(directory.path().join("nowhere")), ..run(directory.path(), 120) };
    assert!(refusal(&base).contains("nowhere"), "{}", refusal(&base));
    let made = directory.path().join("made");
    base.base = None;
    base.settings.epochs = 1;
    train_language_model(&base, &made).unwrap();
    base.base = Some(made.clone());
    let config = std::fs::read_to_string(made.join("config.json")).unwrap();
    std::fs::write(made.join("config.json"), config.replace("gelu_new", "relu")).unwrap();
    assert!(refusal(&base).contains("gelu_new"), "{}", refusal(&base));
    std::fs::write(made.join("config.json"), config.replace("\"n_embd\": 32", "\"n_embd\": 64")).unwrap();
    assert!(refusal(&base).contains("config.json asks for"), "{}", refusal(&base));
    let error = LanguageModel::open(&directory.path().join("nowhere")).unwrap_err();
    assert!(matches!(error, TrainingError::Unreadable { .. }), "{error}");
    assert!(!out.exists());
}

#[test]
fn an_export_agrees_in_every_back_end() {
    let directory = tempfile::tempdir().unwrap();
    let (mut run, out) = (run(directory.path(), 110), directory.path().join("model"));
    run.settings.epochs = 1;
    train_language_model(&run, &out).unwrap();
    let report = export_language_model(&out).unwrap();
    assert!(report.backends.iter().any(|backend| backend.backend == "tract"), "{report:?}");
    assert!(report.backends.iter().all(|backend| backend.max_abs_delta < 2e-5), "{report:?}");
    let opened = inference::ModelDirectory::open_language_model(&out).unwrap();
    assert_eq!(opened.inputs(), ["input_ids", "attention_mask"]);
    // Another model's file beside the weights is told.
    let mut config = read_json(&out.join("config.json")).unwrap();
    config["vocab_size"] = serde_json::json!(report.texts);
    std::fs::write(out.join("config.json"), config.to_string()).unwrap();
    let error = inference::ModelDirectory::open_language_model(&out).unwrap_err();
    assert!(error.to_string().contains("columns"), "{error}");
}

const SCRIPT: &str = r#"
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
tokens = tokenizer(sys.argv[2], return_tensors="pt")
with torch.no_grad():
    logits = model(**tokens).logits[0].tolist()
print(json.dumps({"class": type(model).__name__, "tokens": tokens.input_ids[0].tolist(), "logits": logits}))
"#;

/// `PULSEWIRE_PYTHON` names an interpreter that has `torch` and `transformers`; without it, the test says that it is skipped.
#[test]
fn transformers_loads_a_model_with_the_same_tokens_and_logits() {
    let Ok(python) = std::env::var("PULSEWIRE_PYTHON") else {
        eprintln!("skipped: PULSEWIRE_PYTHON names no Python that has torch and transformers");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let (run, out) = (run(directory.path(), 150), directory.path().join("model"));
    train_language_model(&run, &out).unwrap();
    let text = "7 shares of Größe banks rise";
    let output = std::process::Command::new(python)
        .args(["-c", SCRIPT])
        .arg(&out)
        .arg(text)
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["class"], "GPT2LMHeadModel");
    let tokens = tokenizer::TextCodec::open(&out.join("tokenizer.json")).unwrap().encode(text).unwrap();
    assert_eq!(serde_json::from_value::<Vec<u32>>(answer["tokens"].clone()).unwrap(), tokens);
    let config = crate::engine::DecoderConfig::load(&out).unwrap();
    let decoder = crate::engine::Decoder::new(&config, &Weights::load(&out).unwrap()).unwrap();
    let own: Vec<Vec<f32>> =
        decoder.logits(&std::sync::Arc::new(PackedBatch::new([tokens.as_slice()]))).unwrap().to_vec2().unwrap();
    let theirs: Vec<Vec<f32>> = serde_json::from_value(answer["logits"].clone()).unwrap();
    let delta =
        own.concat().iter().zip(theirs.concat()).fold(0.0f32, |most, (own, their)| most.max((own - their).abs()));
    assert!(own.len() == theirs.len() && delta < 1e-4, "logits differ by {delta}");
}
