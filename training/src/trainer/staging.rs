//! The model directory, in the layout that transformers and our own inference read.

use std::path::Path;

use inference::Head;
use serde_json::{Map, Value, json};

use crate::directory::{read_json, write_json};
use crate::engine::{Classifier, EncoderConfig, OWN_TYPE, Pooling};
use crate::error::TrainingError;
use crate::metrics::HeadReport;
use crate::plots;
use crate::report::TrainingReport;
use crate::run::TaskKind;

pub(super) fn write(
    staging: &Path,
    base: &Path,
    config: &EncoderConfig,
    model: &Classifier,
    report: &TrainingReport,
) -> Result<(), TrainingError> {
    std::fs::create_dir_all(staging)
        .map_err(|source| TrainingError::Unwritable { path: staging.to_owned(), source })?;
    model.save(&staging.join("model.safetensors"))?;
    write_json(&staging.join("config.json"), &Value::Object(model_config(config, report)))?;
    let longest = report.hyperparameters.max_tokens.min(config.max_position_embeddings);
    write_tokenizer(staging, base, longest)?;
    write_plots(staging, report)?;
    let report = serde_json::to_value(report).map_err(std::io::Error::other);
    let path = staging.join("report.json");
    write_json(&path, &report.map_err(|source| TrainingError::Unwritable { path: path.clone(), source })?)
}

/// The base's tokenizer, which cuts texts to `longest` tokens.
pub(crate) fn write_tokenizer(staging: &Path, base: &Path, longest: usize) -> Result<(), TrainingError> {
    write_json(&staging.join("tokenizer.json"), &tokenizer(&base.join("tokenizer.json"), longest)?)?;
    write_json(&staging.join("tokenizer_config.json"), &tokenizer_config(&base.join("tokenizer_config.json"), longest)?)
}

/// `training.svg`, and the `confusion-TASK.svg` of each single-label task on its test side. A plot that cannot be drawn does not cost the model.
fn write_plots(staging: &Path, report: &TrainingReport) -> Result<(), TrainingError> {
    let confusions = report.tasks.iter().filter_map(|task| {
        let HeadReport::SingleLabel(test) = &task.test else { return None };
        let name = task.name.replace(|c: char| !c.is_alphanumeric(), "-");
        let title = format!("{}: {}, {} test rows", report.name, task.name, test.rows);
        Some((format!("confusion-{name}.svg"), plots::confusion(&title, test)))
    });
    let training = ("training.svg".to_owned(), plots::epochs(&report.name, &report.epochs));
    for (name, plot) in std::iter::once(training).chain(confusions) {
        let path = staging.join(name);
        match plot {
            Ok(svg) => std::fs::write(&path, svg).map_err(|source| TrainingError::Unwritable { path, source })?,
            Err(error) => tracing::warn!("{}: {error}", path.display()),
        }
    }
    Ok(())
}

/// The base's `config.json` with our heads: `heads` names them and their kinds, `id2label` is all their labels in order.
fn model_config(config: &EncoderConfig, report: &TrainingReport) -> Map<String, Value> {
    let labels: Vec<String> = report.tasks.iter().flat_map(|task| task.labels.clone()).collect();
    // Transformers wants the labels of one model to differ; heads may share names such as "other".
    let repeated = |label: &String| labels.iter().filter(|other| *other == label).count() > 1;
    let qualified = report.tasks.iter().flat_map(|task| {
        task.labels.iter().map(|label| if repeated(label) { format!("{}: {label}", task.name) } else { label.clone() })
    });
    let (mut id2label, mut label2id) = (Map::new(), Map::new());
    for (id, label) in qualified.enumerate() {
        id2label.insert(id.to_string(), json!(label));
        label2id.insert(label, json!(id));
    }
    let heads: Vec<Head> = report
        .tasks
        .iter()
        .map(|task| Head::new(&*task.name, task.labels.iter().map(|label| &**label)).of_kind(task.kind))
        .collect();
    let mut model = config.written_out();
    model.remove("torch_dtype");
    model.remove("problem_type");
    if let [task] = &report.tasks[..]
        && let Some(name) = task.kind.problem_type()
    {
        model.insert("problem_type".to_owned(), json!(name));
    }
    model.insert("_name_or_path".to_owned(), json!(report.name));
    let of_words = report.tasks.iter().any(|task| task.kind == TaskKind::Tokens);
    let architecture = if of_words { "BertForTokenClassification" } else { "BertForSequenceClassification" };
    model.insert("architectures".to_owned(), json!([architecture]));
    model.insert("id2label".to_owned(), Value::Object(id2label));
    model.insert("label2id".to_owned(), Value::Object(label2id));
    model.insert("heads".to_owned(), json!(heads));
    model.insert("dtype".to_owned(), json!("float32"));
    if let Some(adapter) = report.hyperparameters.adapter.as_ref().filter(|adapter| !adapter.is_merged()) {
        model.insert("adapter".to_owned(), json!(adapter));
    }
    let pooling = config.pooling.filter(|pooling| *pooling != Pooling::Pooler && !of_words);
    model.remove("pooling");
    if let Some(pooling) = pooling {
        model.insert("pooling".to_owned(), json!(pooling));
    }
    // Transformers has no such model. It is to refuse, rather than answer as if nothing had been added and no other vector or shape were read.
    model.insert("type_vocab_size".to_owned(), json!(config.type_vocab_size));
    model.remove("word_shapes");
    if config.word_shapes {
        model.insert("word_shapes".to_owned(), json!(true));
    }
    let is_own = model.contains_key("adapter") || pooling.is_some() || config.word_shapes;
    model.insert("model_type".to_owned(), json!(if is_own { OWN_TYPE } else { "bert" }));
    if is_own {
        model.remove("architectures");
    }
    model.remove("text_pair");
    if report.text_pair {
        model.insert("text_pair".to_owned(), json!(true));
    }
    model.remove("text_cleaning");
    if report.text_cleaning.change_texts() {
        model.insert("text_cleaning".to_owned(), json!(report.text_cleaning));
    }
    model
}

/// The base's tokenizer with the run's truncation and without padding, which is the batch's business.
fn tokenizer(path: &Path, longest: usize) -> Result<Value, TrainingError> {
    let mut tokenizer = read_json(path)?;
    tokenizer["truncation"] =
        json!({ "direction": "Right", "max_length": longest, "strategy": "LongestFirst", "stride": 0 });
    tokenizer["padding"] = Value::Null;
    Ok(tokenizer)
}

fn tokenizer_config(path: &Path, longest: usize) -> Result<Value, TrainingError> {
    let mut config = if path.exists() { read_json(path)? } else { json!({ "tokenizer_class": "BertTokenizer" }) };
    config["model_max_length"] = json!(longest);
    Ok(config)
}
