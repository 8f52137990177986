use std::fs;

use tempfile::TempDir;

use super::*;
use crate::onnx::TypeValue;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny");

/// A copy of the tiny model, to be spoiled.
fn copy() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in [CONFIG, TOKENIZER, ONNX] {
        fs::copy(Path::new(FIXTURE).join(file), directory.path().join(file)).unwrap();
    }
    directory
}

fn edit_config(directory: &TempDir, edit: impl FnOnce(&mut serde_json::Value)) {
    let path = directory.path().join(CONFIG);
    let mut config = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    edit(&mut config);
    fs::write(path, config.to_string()).unwrap();
}

fn edit_onnx(directory: &TempDir, edit: impl FnOnce(&mut ModelProto)) {
    let path = directory.path().join(ONNX);
    let mut model = ModelProto::read(&path).unwrap();
    edit(&mut model);
    model.write(&path).unwrap();
}

/// Opening the directory must fail with a message that has all these parts.
#[track_caller]
fn check_refused(directory: &TempDir, parts: &[&str]) {
    let error = ModelDirectory::open(directory.path()).unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn opens_a_model_with_two_heads() {
    let directory = ModelDirectory::open(FIXTURE).unwrap();
    let heads: Vec<(&str, usize)> = directory.heads().iter().map(|head| (&*head.name, head.labels.len())).collect();
    assert_eq!(heads, [("sentiment", 3), ("topic", 4)]);
    assert_eq!(directory.inputs(), INPUTS);
    assert_eq!((directory.tokenizer().max_tokens(), directory.tokenizer().cleaning()), (24, TextRules::default()));
}

#[test]
fn without_heads_there_is_one() {
    let directory = copy();
    edit_config(&directory, |config| {
        config.as_object_mut().unwrap().remove("heads");
    });
    let opened = ModelDirectory::open(directory.path()).unwrap();
    assert_eq!(opened.heads().len(), 1);
    assert_eq!(&*opened.heads()[0].name, DEFAULT_HEAD);
    assert_eq!(opened.heads()[0].labels.len(), 7);
}

/// The tiny model said to label tokens, with an axis of them in its logits.
fn of_tokens() -> TempDir {
    let directory = copy();
    edit_config(&directory, |config| {
        config.as_object_mut().unwrap().remove("heads");
        config["architectures"] = serde_json::json!(["BertForTokenClassification"]);
    });
    edit_onnx(&directory, |model| {
        let output = &mut model.graph.as_mut().unwrap().output[0];
        let Some(TypeValue::TensorType(tensor)) = &mut output.r#type.as_mut().unwrap().value else { panic!() };
        let axes = &mut tensor.shape.as_mut().unwrap().dim;
        axes.insert(1, axes[0].clone());
    });
    directory
}

#[test]
fn a_model_of_transformers_that_labels_tokens_is_known() {
    let opened = ModelDirectory::open(of_tokens().path()).unwrap();
    assert!(opened.labels_words() && !ModelDirectory::open(FIXTURE).unwrap().labels_words());
    assert_eq!((opened.heads().len(), opened.heads()[0].kind), (1, TaskKind::Tokens));

    let directory = of_tokens();
    edit_config(&directory, |config| config["architectures"] = serde_json::json!(["BertForSequenceClassification"]));
    check_refused(&directory, &[ONNX, "3 axes where [batch, labels] belongs"]);
    let directory = copy();
    edit_config(&directory, |config| config["heads"][0]["kind"] = "tokens".into());
    check_refused(&directory, &[CONFIG, "must be the only one"]);
}

#[test]
fn the_kind_of_one_head_is_that_of_transformers() {
    let kind_of = |problem_type: serde_json::Value| {
        let directory = copy();
        edit_config(&directory, |config| {
            config.as_object_mut().unwrap().remove("heads");
            config["problem_type"] = problem_type;
        });
        ModelDirectory::open(directory.path()).map(|opened| opened.heads()[0].kind).map_err(|error| error.to_string())
    };
    for (kind, name) in TaskKind::ALL.into_iter().filter_map(|kind| Some((kind, kind.problem_type()?))) {
        assert_eq!(kind_of(name.into()).unwrap(), kind);
    }
    assert_eq!(kind_of(serde_json::Value::Null).unwrap(), TaskKind::SingleLabel);
    let message = kind_of("ranking".into()).unwrap_err();
    assert!(message.contains("\"ranking\" is none of") && message.contains("multi_label_classification"), "{message}");
}

#[test]
fn heads_name_their_kinds() {
    let directory = copy();
    edit_config(&directory, |config| config["heads"][1]["kind"] = "multi-label".into());
    let heads = ModelDirectory::open(directory.path()).unwrap().heads().clone();
    assert_eq!((heads[0].kind, heads[1].kind), (TaskKind::SingleLabel, TaskKind::MultiLabel));
    edit_config(&directory, |config| {
        let labels: Vec<_> = (0..7).map(|id| config["id2label"][id.to_string()].clone()).collect();
        config["heads"] = serde_json::json!([{ "name": "all", "kind": "multi-label", "labels": labels }]);
        config["problem_type"] = "regression".into();
    });
    check_refused(&directory, &["problem_type must be \"multi_label_classification\"", "\"all\" is multi-label"]);
}

#[test]
fn a_model_cleans_its_texts_as_its_training_did() {
    let plain = ModelDirectory::open(FIXTURE).unwrap();
    let directory = copy();
    edit_config(&directory, |config| config["text_cleaning"]["html"] = true.into());
    let opened = ModelDirectory::open(directory.path()).unwrap();
    let (text, html) = ("profit rose & shares fell", "<p>profit <b>rose</b> &amp;\nshares fell</p>");
    let encode = |directory: &ModelDirectory, text: &str| directory.tokenizer().encode(text).unwrap();
    assert_eq!(encode(&opened, html), encode(&plain, text));
    assert_ne!(encode(&plain, html), encode(&plain, text));
    let cleaned = ModelDirectory::open_for_cleaned_texts(directory.path()).unwrap();
    assert_eq!(encode(&cleaned, html), encode(&plain, html));

    edit_config(&directory, |config| config["text_pair"] = true.into());
    let pairs = ModelDirectory::open(directory.path()).unwrap();
    let pair = |first, second| encode(&pairs, &crate::pair::join(first, second));
    assert_eq!(pair("<i>profit</i>", html), pair("profit", text));
    edit_config(&directory, |config| config["text_cleaning"]["htlm"] = true.into());
    check_refused(&directory, &[CONFIG, "htlm"]);
}

#[test]
fn heads_may_share_a_label() {
    let directory = copy();
    edit_config(&directory, |config| {
        config["heads"][1]["labels"][2] = "neutral".into();
        config["id2label"]["1"] = "sentiment: neutral".into();
        config["id2label"]["5"] = "topic: neutral".into();
    });
    let heads = ModelDirectory::open(directory.path()).unwrap().heads().clone();
    assert_eq!((heads[0].position("neutral"), heads[1].position("neutral")), (Some(1), Some(2)));
}

#[test]
fn a_missing_file_is_named_with_its_mend() {
    for (file, mend) in [(CONFIG, "train again"), (TOKENIZER, "encoder"), (ONNX, "pulsewire export")] {
        let directory = copy();
        fs::remove_file(directory.path().join(file)).unwrap();
        check_refused(&directory, &[&directory.path().display().to_string(), file, mend]);
    }
}

#[test]
fn a_config_that_does_not_fit_is_refused() {
    let refused = |edit: fn(&mut serde_json::Value), parts: &[&str]| {
        let directory = copy();
        edit_config(&directory, edit);
        check_refused(&directory, parts);
    };
    refused(|config| config["id2label"] = serde_json::Value::Null, &[CONFIG, "id2label is missing"]);
    refused(|config| config["id2label"] = serde_json::json!({"1": "a"}), &[CONFIG, "number its 1 labels"]);
    refused(|config| config["heads"][0]["labels"][0] = "bad".into(), &[CONFIG, "in order", "\"bad\""]);
    refused(|config| config["heads"] = serde_json::json!([]), &[CONFIG, "at least one head"]);
    refused(|config| config["vocab_size"] = 10.into(), &[CONFIG, "vocab_size is 10", "different models"]);

    let directory = copy();
    fs::write(directory.path().join(CONFIG), "{\"id2label\": ").unwrap();
    check_refused(&directory, &[CONFIG, "line 1"]);
}

#[test]
fn a_damaged_tokenizer_is_refused() {
    let directory = copy();
    fs::write(directory.path().join(TOKENIZER), "{}").unwrap();
    check_refused(&directory, &[TOKENIZER, "not a readable tokenizer"]);
}

#[test]
fn a_truncated_onnx_file_is_refused() {
    let directory = copy();
    let path = directory.path().join(ONNX);
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        check_refused(&directory, &[ONNX, "not a whole ONNX model"]);
    }
    fs::write(&path, "<html>404 Not Found</html>").unwrap();
    check_refused(&directory, &[ONNX, "not a whole ONNX model"]);
}

#[test]
fn a_foreign_onnx_file_is_refused() {
    let refused = |edit: fn(&mut GraphProto), parts: &[&str]| {
        let directory = copy();
        edit_onnx(&directory, |model| edit(model.graph.as_mut().unwrap()));
        check_refused(&directory, parts);
    };
    use crate::onnx::{DimensionValue, GraphProto};
    fn tensor(value: &mut ValueInfoProto) -> &mut crate::onnx::TensorTypeProto {
        match value.r#type.as_mut().unwrap().value.as_mut().unwrap() {
            TypeValue::TensorType(tensor) => tensor,
        }
    }
    refused(|graph| graph.input[0].name = "pixel_values".into(), &[ONNX, "\"pixel_values\"", "no text classifier"]);
    refused(|graph| drop(graph.input.remove(1)), &[ONNX, "attention_mask"]);
    refused(|graph| tensor(&mut graph.input[0]).elem_type = DataType::Int32 as i32, &[ONNX, "int64"]);
    refused(
        |graph| {
            tensor(&mut graph.input[0]).shape.as_mut().unwrap().dim[1].value = Some(DimensionValue::DimValue(128));
        },
        &[ONNX, "dynamic axes"],
    );
    refused(|graph| graph.output[0].name = "last_hidden_state".into(), &[ONNX, "last_hidden_state", OUTPUT]);
    refused(
        |graph| {
            tensor(&mut graph.output[0]).shape.as_mut().unwrap().dim[1].value = Some(DimensionValue::DimValue(2));
        },
        &[ONNX, "2 columns", "7 labels"],
    );
}

#[test]
fn a_model_without_token_types_is_served() {
    let directory = copy();
    edit_onnx(&directory, |model| model.graph.as_mut().unwrap().input.truncate(2));
    assert_eq!(ModelDirectory::open(directory.path()).unwrap().inputs(), &INPUTS[..2]);
}

#[test]
fn a_model_of_pairs_is_known_by_its_configuration() {
    let directory = copy();
    assert!(!ModelDirectory::open(directory.path()).unwrap().takes_pairs());
    edit_config(&directory, |config| config["text_pair"] = true.into());
    let opened = ModelDirectory::open(directory.path()).unwrap();
    assert!(opened.takes_pairs());
    assert!(matches!(opened.tokenizer().encode("one text"), Err(InferenceError::NoPair)));
}
