use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inference::TextTokenizer;
use ndarray::Array2;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::files::ModelFiles;
use super::*;
use crate::dataset::Row;
use crate::directory::{read_json, write_json};
use crate::engine::{AdapterKind, Mode, PackedBatch, Prefix, write_tensors};
use crate::error::{Location, TrainingError};
use crate::export::{check_parity, export};
use crate::fine_tuned::FineTuned;
use crate::trainer::tests::run;

/// A fine-tuned model with a WordPiece vocabulary: letters, and words about shares.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/inference/tests/fixtures/tiny");

const ONCE: KeptTokens = KeptTokens { least: NonZeroUsize::MIN, most: None };

struct Work(TempDir);

impl Work {
    fn new() -> Self {
        let work = Self(tempfile::tempdir().unwrap());
        fs::create_dir(work.path("model")).unwrap();
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            fs::copy(Path::new(FIXTURE).join(file), work.path("model").join(file)).unwrap();
        }
        work
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Changes a JSON file of the model.
    fn edit(&self, file: &str, edit: impl FnOnce(&mut Value)) {
        let path = self.path("model").join(file);
        let mut value = read_json(&path).unwrap();
        edit(&mut value);
        write_json(&path, &value).unwrap();
    }

    /// Sets the columns of a head's share in a layer's output matrix to 0.
    fn silence(&self, layer: usize, head: usize) {
        let mut files = ModelFiles::read(&self.path("model")).unwrap();
        let name = format!("encoder.layer.{layer}.attention.output.dense.weight");
        let tensor = files.tensors.iter_mut().find(|tensor| tensor.name.ends_with(&name)).unwrap();
        tensor
            .values
            .iter_mut()
            .enumerate()
            .filter(|(place, _)| place % 8 / 4 == head)
            .for_each(|(_, value)| *value = 0.0);
        write_tensors(&files.tensors, &self.path("model").join("model.safetensors")).unwrap();
    }

    fn trim(&self, texts: &[&str], kept: KeptTokens) -> Result<VocabularyReport, TrainingError> {
        let texts: Vec<String> = texts.iter().map(|text| text.to_string()).collect();
        trim_vocabulary(&self.path("model"), &self.path("small"), &texts, kept)
    }

    fn drop(&self, layers: &str) -> Result<LayersReport, TrainingError> {
        drop_layers(&self.path("model"), &self.path("small"), &layers.parse().unwrap())
    }

    fn prune(&self, share: f64) -> Result<HeadsReport, TrainingError> {
        prune_heads(&self.path("model"), &self.path("small"), share, &rows(), None)
    }

    fn logits(&self, name: &str, texts: &[&str]) -> Array2<f32> {
        logits(&self.path(name), texts)
    }

    fn shapes(&self, name: &str) -> BTreeMap<String, Vec<usize>> {
        let files = ModelFiles::read(&self.path(name)).unwrap();
        files.tensors.into_iter().map(|tensor| (tensor.name, tensor.shape)).collect()
    }

    /// Holds the export in every back end against the engine.
    fn check_parity(&self, name: &str) {
        let texts = ["shares of the bank fall", "", "日本 $ %", "profit of the bank rising"];
        export(&self.path(name)).unwrap();
        let report = check_parity(&self.path(name), &|texts| self.logits(name, texts), &texts).unwrap();
        assert_eq!(report.backends.len(), 2, "this test needs ONNX Runtime");
    }
}

fn logits(directory: &Path, texts: &[&str]) -> Array2<f32> {
    let model = FineTuned::open(directory).unwrap();
    let (classifier, tokenizer) = (model.classifier().unwrap(), model.tokenizer().unwrap());
    let tokens: Vec<_> = texts.iter().map(|text| tokenizer.encode(text).unwrap()).collect();
    let batch = Arc::new(PackedBatch::new(tokens.iter().map(|tokens| tokens.ids())));
    let states = classifier.encode(&batch, Mode::Evaluation).unwrap();
    let heads = (0..model.heads.len()).map(|head| classifier.logits(&states, head).unwrap().to_vec2::<f32>().unwrap());
    let heads: Vec<_> = heads.collect();
    let rows = (0..texts.len()).flat_map(|row| heads.iter().flat_map(move |head| head[row].clone()));
    Array2::from_shape_vec((texts.len(), heads.iter().map(|head| head[0].len()).sum()), rows.collect()).unwrap()
}

fn rows() -> Vec<Row> {
    let texts = ["shares fall", "the bank rises", "profit of the bank", "loss of shares", "the fall of the rise"];
    let row = |(place, text): (usize, &&str)| Row {
        text: text.to_string(),
        agreement: 1.0,
        label: ["negative", "neutral", "positive"][place % 3].to_owned(),
        extra: Vec::new(),
        at: Location { path: Path::new("rows.csv").into(), line: 2 },
    };
    texts.iter().enumerate().map(row).collect()
}

#[test]
fn texts_of_kept_tokens_have_the_same_logits_and_others_still_tokenise() {
    let work = Work::new();
    let corpus = ["the bank: shares fall", "the falling bank", "the of of"];
    let report = work.trim(&corpus, ONCE).unwrap();
    // A colon is unknown, as it was. Of 70 tokens all stay but rise, profit and loss.
    assert_eq!((report.texts, report.tokens, report.kept_share), (3, 11, 1.0));
    assert_eq!((report.before, report.after), (70, 67));
    assert_eq!(work.logits("small", &corpus), work.logits("model", &corpus));
    work.check_parity("small");

    let tokenizer = |name: &str| TextTokenizer::open(&work.path(name).join("tokenizer.json"), None).unwrap();
    let (model, small) = (tokenizer("model"), tokenizer("small"));
    let pieces = |tokenizer: &TextTokenizer, text: &str| -> Vec<String> {
        tokenizer.encode(text).unwrap().ids().iter().map(|id| tokenizer.token(*id).unwrap()).collect()
    };
    assert_eq!(pieces(&model, "rise 日"), ["[CLS]", "rise", "[UNK]", "[SEP]"]);
    assert_eq!(pieces(&small, "rise 日"), ["[CLS]", "r", "##i", "##s", "##e", "[UNK]", "[SEP]"]);
}

#[test]
fn rare_tokens_go_and_their_share_is_told() {
    let work = Work::new();
    // Seven tokens: the and of thrice and twice, shares and fall once.
    let corpus = ["the shares of the", "the fall of"];
    let twice = KeptTokens { least: NonZeroUsize::new(2).unwrap(), most: None };
    let report = work.trim(&corpus, twice).unwrap();
    assert_eq!((report.tokens, report.kept_share), (7, 5.0 / 7.0));
    fs::remove_dir_all(work.path("small")).unwrap();
    let most = KeptTokens { most: NonZeroUsize::new(1), ..ONCE };
    let (twice, report) = (report, work.trim(&corpus, most).unwrap());
    assert_eq!((report.kept_share, report.after), (3.0 / 7.0, twice.after - 1));
}

#[test]
fn single_characters_stay_where_their_script_is_used_or_is_none() {
    for (text, kept) in [("the shares", &["%", "##w", "q"][..]), ("the 日", &["%", "##w", "q", "日"][..])] {
        let work = Work::new();
        work.edit("tokenizer.json", |tokenizer| {
            let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
            for (latin, other) in [("x", "日"), ("y", "д"), ("##y", "##д")] {
                let id = vocabulary.remove(latin).unwrap();
                vocabulary.insert(other.to_owned(), id);
            }
        });
        work.trim(&[text], ONCE).unwrap();
        let tokenizer = read_json(&work.path("small/tokenizer.json")).unwrap();
        let stays = |token: &&str| tokenizer["model"]["vocab"].get(token).is_some();
        let found: Vec<_> = ["%", "##w", "q", "日", "д", "##д"].into_iter().filter(stays).collect();
        assert_eq!(found, kept, "{text}");
    }
}

#[test]
fn every_file_speaks_of_the_new_ids() {
    let work = Work::new();
    // A mask and a pad that do not stand first, in all the forms in which files name tokens.
    work.edit("tokenizer.json", |tokenizer| {
        tokenizer["post_processor"] = json!({ "type": "Sequence", "processors": [
            { "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] }] });
        tokenizer["added_tokens"][4]["content"] = json!("##ing");
        tokenizer["added_tokens"][4]["id"] = json!(69);
        tokenizer["padding"]["pad_id"] = json!(61);
        tokenizer["padding"]["pad_token"] = json!("shares");
    });
    work.edit("config.json", |config| config["pad_token_id"] = json!(61));
    let decoder = json!({ "added_tokens_decoder": { "62": { "content": "fall" }, "69": { "content": "##ing" } } });
    write_json(&work.path("model/tokenizer_config.json"), &decoder).unwrap();
    fs::write(work.path("model/vocab.txt"), "old\n").unwrap();
    let report = work.trim(&["the a"], ONCE).unwrap();
    // Neither [MASK], nor fall to loss, nor of.
    let read = |file: &str| read_json(&work.path("small").join(file)).unwrap();
    let (tokenizer, config) = (read("tokenizer.json"), read("config.json"));
    let id = |token: &str| tokenizer["model"]["vocab"][token].as_u64().unwrap();
    assert_eq!((id("[CLS]"), id("."), id("shares"), id("the"), id("##ing")), (2, 4, 60, 61, 62));
    assert_eq!(tokenizer["post_processor"]["processors"][0]["sep"], json!(["[SEP]", 3]));
    assert_eq!((&tokenizer["added_tokens"][4]["id"], &tokenizer["padding"]["pad_id"]), (&json!(62), &json!(60)));
    assert_eq!((&config["vocab_size"], &config["pad_token_id"], report.after), (&json!(63), &json!(60), 63));
    assert_eq!(read("tokenizer_config.json"), json!({ "added_tokens_decoder": { "62": { "content": "##ing" } } }));
    let list = fs::read_to_string(work.path("small/vocab.txt")).unwrap();
    assert_eq!((list.lines().count(), list.lines().last()), (63, Some("##ing")));
}

#[test]
fn no_layer_dropped_is_the_same_model() {
    let work = Work::new();
    assert_eq!(work.drop("top:0").unwrap(), LayersReport { before: 2, kept: vec![0, 1] });
    let bytes = |name: &str| ModelFiles::read(&work.path(name)).unwrap().tensors;
    for (own, whole) in bytes("small").into_iter().zip(bytes("model")) {
        assert_eq!((own.name, own.shape, own.values), (whole.name, whole.shape, whole.values));
    }
}

#[test]
fn layers_that_stay_move_down() {
    for (layers, kept) in [("top:1", 0), ("every-other", 0), ("0", 1)] {
        let work = Work::new();
        assert_eq!(work.drop(layers).unwrap(), LayersReport { before: 2, kept: vec![kept] });
        let (model, small) =
            (ModelFiles::read(&work.path("model")).unwrap(), ModelFiles::read(&work.path("small")).unwrap());
        assert_eq!((small.config.num_hidden_layers, model.tensors.len() - small.tensors.len()), (1, 16));
        let query = |files: &ModelFiles, layer: usize| {
            let name = format!("bert.encoder.layer.{layer}.attention.self.query.weight");
            files.tensors.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.values.clone())
        };
        assert_eq!(query(&small, 0).unwrap(), query(&model, kept).unwrap());
        assert!(query(&small, 1).is_none());
        work.check_parity("small");
    }
}

#[test]
fn a_head_that_is_not_heard_goes_first_and_costs_nothing() {
    let work = Work::new();
    work.silence(1, 0);
    let report = work.prune(0.25).unwrap();
    assert_eq!((report.rows, report.heads.len()), (5, 4));
    for head in &report.heads {
        let silent = (head.layer, head.head) == (1, 0);
        assert_eq!((head.importance == 0.0, head.pruned), (silent, silent), "{head:?}");
    }
    let square = |layer| -> f64 {
        report.heads.iter().filter(|head| head.layer == layer).map(|head| head.importance.powi(2)).sum()
    };
    assert!((square(0) - 1.0).abs() < 1e-9 && (square(1) - 1.0).abs() < 1e-9);

    let texts = ["shares of the bank fall", "profit", ""];
    let delta = work.logits("small", &texts) - work.logits("model", &texts);
    assert!(delta.iter().all(|delta| delta.abs() < 1e-6), "{delta}");
    let shapes = work.shapes("small");
    let shape = |layer: usize, part: &str| &*shapes[&format!("bert.encoder.layer.{layer}.attention.{part}")];
    assert_eq!((shape(1, "self.key.weight"), shape(1, "self.value.bias")), (&[4, 8][..], &[4][..]));
    assert_eq!((shape(1, "output.dense.weight"), shape(1, "output.dense.bias")), (&[8, 4][..], &[8][..]));
    assert_eq!((shape(0, "self.key.weight"), shape(0, "output.dense.weight")), (&[8, 8][..], &[8, 8][..]));
    assert_eq!(read_json(&work.path("small/config.json")).unwrap()["pruned_heads"], json!({ "1": [0] }));
    work.check_parity("small");
}

#[test]
fn heads_are_pruned_twice_and_layers_below_them_dropped() {
    let work = Work::new();
    work.silence(1, 0);
    work.prune(0.25).unwrap();
    let report = prune_heads(&work.path("small"), &work.path("smaller"), 0.34, &rows(), Some("sentiment")).unwrap();
    let left: Vec<_> = report.heads.iter().map(|head| (head.layer, head.head)).collect();
    assert_eq!((left, report.heads[2].pruned), (vec![(0, 0), (0, 1), (1, 1)], false));
    drop_layers(&work.path("smaller"), &work.path("smallest"), &DroppedLayers::Listed([0].into())).unwrap();
    let config = read_json(&work.path("smallest/config.json")).unwrap();
    assert_eq!((&config["pruned_heads"], &config["num_hidden_layers"]), (&json!({ "0": [0] }), &json!(1)));
    assert_eq!(config["_name_or_path"], "model, pruned");
    work.check_parity("smaller");
    work.check_parity("smallest");
}

#[test]
fn what_is_pruned_is_a_base_to_train_from() {
    let work = Work::new();
    work.trim(&["up down rain sun and the shares today again"], ONCE).unwrap();
    prune_heads(&work.path("small"), &work.path("base"), 0.25, &rows(), None).unwrap();
    let prefix = AdapterKind::Prefix(Prefix { length: 3 });
    for (name, adapter) in
        [("whole", None), ("prefix", Some(prefix)), ("lora", Some(AdapterKind::Lora(Default::default())))]
    {
        fs::create_dir(work.path(name)).unwrap();
        let mut run = run(&work.path(name));
        run.base = Some(work.path("base"));
        run.hyperparameters.epochs = 1;
        run.hyperparameters.adapter = adapter;
        run.hyperparameters.max_tokens = 24;
        let trained = crate::train(&run, &work.path(name).join("trained")).unwrap();
        export(&trained.staging).unwrap();
        let texts = ["the shares are up today", "rain"];
        check_parity(&trained.staging, &|texts| trained.logits(texts).unwrap(), &texts).unwrap();
    }
}

#[test]
fn what_cannot_be_pruned_is_named() {
    #[track_caller]
    fn check<T: std::fmt::Debug>(pruned: Result<T, TrainingError>, parts: &[&str]) {
        let message = pruned.unwrap_err().to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{parts:?} are not all in: {message}");
    }
    let work = Work::new();
    check(work.trim(&[], ONCE), &["no word in 0 texts"]);
    check(work.trim(&["", " "], ONCE), &["no word in 2 texts"]);
    check(work.drop("top:2"), &["config.json", "no layer of 2 would be left"]);
    check(work.drop("0,1"), &["no layer of 2"]);
    check(work.drop("2"), &["there is no layer 2"]);
    check(work.prune(0.75), &["3 of 4 heads", "2 can go at most"]);
    check(prune_heads(&work.path("model"), &work.path("small"), 0.2, &[], None), &["no row"]);
    check(prune_heads(&work.path("model"), &work.path("small"), 0.2, &rows(), Some("mood")), &["no head \"mood\""]);
    for wrong in ["", "top", "top:x", "1;2", "-1"] {
        assert!(wrong.parse::<DroppedLayers>().unwrap_err().contains("top:2"), "{wrong}");
    }
    work.edit("config.json", |config| config["pooling"] = json!("mean"));
    check(work.prune(0.25), &["config.json", "pooling is \"mean\""]);
    work.edit("config.json", |config| config["vocab_size"] = json!(69));
    check(work.trim(&["the"], ONCE), &["tokenizer.json", "token 69", "vocab_size is 69"]);
    work.edit("tokenizer.json", |tokenizer| tokenizer["model"]["type"] = json!("Unigram"));
    check(work.trim(&["the"], ONCE), &["tokenizer.json", "Unigram", "only WordPiece"]);
    work.edit("config.json", |config| config["pruned_heads"] = json!({ "0": [0, 1] }));
    check(work.drop("top:1"), &["config.json", "pruned_heads has {0, 1} for layer 0"]);
    fs::remove_file(work.path("model/model.safetensors")).unwrap();
    work.edit("config.json", |config| config["pruned_heads"] = json!({}));
    check(work.drop("top:1"), &["model.safetensors", "the one that it was made from"]);
    assert!(!work.path("small").exists(), "half a model was left");
}
