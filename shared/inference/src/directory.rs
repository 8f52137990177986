//! A model directory in Hugging Face's layout, checked as a whole before anything runs on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::cleaning::TextRules;
use crate::error::InferenceError;
use crate::heads::{self, Head, TaskKind};
use crate::onnx::{DataType, ModelProto, ValueInfoProto};
use crate::tokenizer::TextTokenizer;

/// The inputs that a model may take, in the order in which the back ends give them.
pub const INPUTS: [&str; 3] = ["input_ids", "attention_mask", "token_type_ids"];

/// The output that a model must have.
pub(crate) const OUTPUT: &str = "logits";

/// The name of the one head of a model that names none.
const DEFAULT_HEAD: &str = "label";

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const ONNX: &str = "model.onnx";

/// A checked model directory: `config.json`, `tokenizer.json` and `model.onnx`, which agree with each other.
#[derive(Debug, Clone)]
pub struct ModelDirectory {
    path: PathBuf,
    heads: Arc<[Head]>,
    tokenizer: Arc<TextTokenizer>,
    inputs: Vec<&'static str>,
    takes_pairs: bool,
}

impl ModelDirectory {
    /// Opens and checks a directory.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, InferenceError> {
        Self::open_cleaning(path.into(), |rules| rules)
    }

    /// The same for texts that are cleaned already, as those of training are: the model's own rules are not followed again.
    pub fn open_for_cleaned_texts(path: impl Into<PathBuf>) -> Result<Self, InferenceError> {
        Self::open_cleaning(path.into(), |_| TextRules::default())
    }

    fn open_cleaning(path: PathBuf, rules: fn(TextRules) -> TextRules) -> Result<Self, InferenceError> {
        let config_path = require(&path, CONFIG, "copy it from the model that this one was made from, or train again")?;
        let tokenizer_path = require(&path, TOKENIZER, "copy it from the encoder that the model was trained from")?;
        let onnx_path = require(&path, ONNX, "write it with `pulsewire export`")?;

        let config = Config::read(&config_path)?;
        let heads = config.heads(&config_path)?;
        let tokenizer = TextTokenizer::open(&tokenizer_path, config.max_position_embeddings)?
            .of_pairs(config.text_pair)
            .of_word_shapes(config.word_shapes)
            .of_cleaning(rules(config.text_cleaning));
        if let Some(known) = config.vocab_size.filter(|known| *known < tokenizer.vocabulary_size()) {
            return Err(InferenceError::Config {
                path: config_path,
                message: format!(
                    "vocab_size is {known}, but tokenizer.json has {} tokens: the two files are of different models",
                    tokenizer.vocabulary_size()
                ),
            });
        }
        let inputs = check_onnx(&onnx_path, heads::width(&heads), heads::label_words(&heads))?;
        Ok(Self { path, heads, tokenizer: Arc::new(tokenizer), inputs, takes_pairs: config.text_pair })
    }

    /// Opens the directory of a language model: a labeller of tokens whose labels are the tokens that may come next.
    pub fn open_language_model(path: impl Into<PathBuf>) -> Result<Self, InferenceError> {
        let path = path.into();
        let config_path = require(&path, CONFIG, "train the model again")?;
        let tokenizer_path = require(&path, TOKENIZER, "train the model again")?;
        let onnx_path = require(&path, ONNX, "write it with `pulsewire language-model export`")?;
        let config = Config::read(&config_path)?;
        let tokenizer = TextTokenizer::open(&tokenizer_path, config.n_positions)?;
        let tokens = 0..config.vocab_size.unwrap_or_else(|| tokenizer.vocabulary_size()) as u32;
        let labels = tokens.map(|id| tokenizer.token(id).unwrap_or_default());
        let heads: Arc<[Head]> = [Head::new("next token", labels).of_kind(TaskKind::Tokens)].into();
        let inputs = check_onnx(&onnx_path, heads::width(&heads), true)?;
        Ok(Self { path, heads, tokenizer: Arc::new(tokenizer), inputs, takes_pairs: false })
    }

    /// Opens the directory of an encoder, which answers a vector for each text: a head of as many numbers.
    pub fn open_encoder(path: impl Into<PathBuf>) -> Result<Self, InferenceError> {
        let path = path.into();
        let config_path = require(&path, CONFIG, "train the encoder again")?;
        let tokenizer_path = require(&path, TOKENIZER, "train the encoder again")?;
        let onnx_path = require(&path, ONNX, "train the encoder again")?;
        let config = Config::read(&config_path)?;
        let Some(width) = config.hidden_size else {
            return Err(InferenceError::Config {
                path: config_path,
                message: "hidden_size is missing: the vectors have no known width".to_owned(),
            });
        };
        let tokenizer = TextTokenizer::open(&tokenizer_path, config.max_position_embeddings)?;
        let places = (0..width).map(|place| place.to_string());
        let heads: Arc<[Head]> = [Head::new("vector", places).of_kind(TaskKind::Regression)].into();
        let inputs = check_onnx(&onnx_path, width, false)?;
        Ok(Self { path, heads, tokenizer: Arc::new(tokenizer), inputs, takes_pairs: false })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The ONNX file in it.
    pub fn onnx_path(&self) -> PathBuf {
        self.path.join(ONNX)
    }

    /// The classification heads, whose labels in order are the columns of `logits`.
    pub fn heads(&self) -> &Arc<[Head]> {
        &self.heads
    }

    /// Whether the model labels the words of texts, and so is a [`WordTagger`](crate::WordTagger), rather than texts.
    pub fn labels_words(&self) -> bool {
        heads::label_words(&self.heads)
    }

    /// Whether the model reads pairs of texts ([`pair`](crate::pair)) rather than texts.
    pub fn takes_pairs(&self) -> bool {
        self.takes_pairs
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Arc<TextTokenizer> {
        &self.tokenizer
    }

    /// Which of `input_ids`, `attention_mask` and `token_type_ids` the model takes, in this order.
    pub fn inputs(&self) -> &[&'static str] {
        &self.inputs
    }
}

fn require(directory: &Path, file: &'static str, mend: &'static str) -> Result<PathBuf, InferenceError> {
    let path = directory.join(file);
    if path.is_file() {
        return Ok(path);
    }
    Err(InferenceError::MissingFile { directory: directory.to_owned(), file, mend })
}

/// What serving needs of `config.json`.
#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    architectures: Vec<String>,
    id2label: Option<BTreeMap<String, Arc<str>>>,
    heads: Option<Vec<Head>>,
    problem_type: Option<String>,
    hidden_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    /// What GPT-2 calls it.
    n_positions: Option<usize>,
    vocab_size: Option<usize>,
    #[serde(default)]
    text_cleaning: TextRules,
    #[serde(default)]
    text_pair: bool,
    #[serde(default)]
    word_shapes: bool,
}

impl Config {
    fn read(path: &Path) -> Result<Self, InferenceError> {
        let text =
            fs::read_to_string(path).map_err(|source| InferenceError::Unreadable { path: path.to_owned(), source })?;
        serde_json::from_str(&text)
            .map_err(|error| InferenceError::Config { path: path.to_owned(), message: error.to_string() })
    }

    /// The heads, whose labels together must be those of `id2label`.
    fn heads(&self, path: &Path) -> Result<Arc<[Head]>, InferenceError> {
        let invalid = |message: String| InferenceError::Config { path: path.to_owned(), message };
        let Some(named) = &self.id2label else {
            return Err(invalid(
                "id2label is missing: this is an encoder without a classifier; train one on it".into(),
            ));
        };
        let labels = (0..named.len())
            .map(|id| named.get(&id.to_string()).cloned())
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| invalid(format!("id2label must number its {} labels from \"0\" on", named.len())))?;
        let Some(heads) = &self.heads else {
            return if labels.is_empty() {
                Err(invalid("id2label is empty: a classifier has labels".into()))
            } else {
                let kind = self.kind(labels.len()).map_err(invalid)?;
                Ok([Head::new(DEFAULT_HEAD, labels).of_kind(kind)].into())
            };
        };
        if heads.is_empty() || heads.iter().any(|head| head.labels.is_empty()) {
            return Err(invalid("heads must name at least one head, each with labels".into()));
        }
        if heads.len() > 1 && heads::label_words(heads) {
            return Err(invalid("a head that labels words must be the only one".into()));
        }
        if let [head] = &heads[..]
            && self.problem_type.is_some()
            && self.kind(labels.len()).map_err(invalid)? != head.kind
        {
            let wanted = head.kind.problem_type().map_or("left out".to_owned(), |name| format!("{name:?}"));
            return Err(invalid(format!("problem_type must be {wanted}, as head {:?} is {}", head.name, head.kind)));
        }
        let of_heads: Vec<(&str, &str)> =
            heads.iter().flat_map(|head| head.labels.iter().map(|label| (&*head.name, &**label))).collect();
        // Where heads share a label, id2label tells them apart: `topic: other`.
        let agrees = |(own, (head, label)): (&Arc<str>, &(&str, &str))| {
            **own == **label || own.split_once(": ") == Some((head, label))
        };
        if labels.len() != of_heads.len() || !labels.iter().zip(&of_heads).all(agrees) {
            return Err(invalid(format!(
                "the labels of heads, in order, must be those of id2label; heads have {of_heads:?}, \
                 id2label has {labels:?}"
            )));
        }
        Ok(heads.clone().into())
    }

    /// What a model of one head answers, as Transformers understands it: one label without a kind is a number.
    fn kind(&self, labels: usize) -> Result<TaskKind, String> {
        if self.architectures.iter().any(|name| name.ends_with("ForTokenClassification")) {
            return Ok(TaskKind::Tokens);
        }
        let Some(name) = &self.problem_type else {
            return Ok(if labels == 1 { TaskKind::Regression } else { TaskKind::SingleLabel });
        };
        TaskKind::of_problem_type(name).ok_or_else(|| {
            let known: Vec<&str> = TaskKind::ALL.into_iter().filter_map(TaskKind::problem_type).collect();
            format!("problem_type {name:?} is none of {}", known.join(", "))
        })
    }
}

/// Checks names, types and shapes of inputs and output, and tells which inputs the model takes.
fn check_onnx(path: &Path, labels: usize, of_words: bool) -> Result<Vec<&'static str>, InferenceError> {
    let model = ModelProto::read(path)?;
    let foreign = |reason: String| InferenceError::OnnxForeign { path: path.to_owned(), reason };
    let graph = model.graph.unwrap_or_default();
    let names = |values: &[ValueInfoProto]| values.iter().map(|value| value.name.clone()).collect::<Vec<_>>();

    // Old exporters list the weights among the inputs.
    let weights: std::collections::HashSet<&str> = graph.initializer.iter().map(|weight| &*weight.name).collect();
    let given: Vec<ValueInfoProto> =
        graph.input.iter().filter(|input| !weights.contains(&*input.name)).cloned().collect();
    if let Some(unknown) = given.iter().find(|input| !INPUTS.contains(&&*input.name)) {
        return Err(foreign(format!("its input {:?} is none of {INPUTS:?}: it is no text classifier", unknown.name)));
    }
    let inputs: Vec<&'static str> =
        INPUTS.into_iter().filter(|name| given.iter().any(|input| input.name == *name)).collect();
    if !inputs.starts_with(&INPUTS[..2]) {
        return Err(foreign(format!("it needs the inputs {:?} and has {:?}", &INPUTS[..2], names(&given))));
    }
    for input in &given {
        if input.element_type() != Some(DataType::Int64) {
            return Err(foreign(format!("its input {} must be int64", input.name)));
        }
        if input.dimensions().is_some_and(|axes| axes.len() != 2 || axes.iter().any(Option::is_some)) {
            return Err(foreign(format!(
                "its input {} must have two dynamic axes, batch and sequence: export it again with dynamic axes",
                input.name
            )));
        }
    }

    let Some(output) = graph.output.iter().find(|output| output.name == OUTPUT) else {
        return Err(foreign(format!("it needs an output {OUTPUT:?} and has {:?}", names(&graph.output))));
    };
    let expected: &[&str] = if of_words { &["batch", "sequence", "labels"] } else { &["batch", "labels"] };
    match output.dimensions().as_deref() {
        Some(axes) if axes.len() != expected.len() => {
            Err(foreign(format!("its {OUTPUT} have {} axes where [{}] belongs", axes.len(), expected.join(", "))))
        }
        Some([.., Some(found)]) if usize::try_from(*found) != Ok(labels) => Err(foreign(format!(
            "its {OUTPUT} have {found} columns, but config.json names {labels} labels: \
             the two files are of different models, export again"
        ))),
        _ => Ok(inputs),
    }
}

#[cfg(test)]
mod tests;
