//! Encoders as Hugging Face stores them: `config.json` and `model.safetensors`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use inference::cleaning::TextRules;
use safetensors::tensor::{Dtype, View};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::parameter::Parameter;
use super::pooling::Pooling;
use super::pruned_heads::PrunedHeads;
use crate::error::TrainingError;

/// The `model_type` of a model that transformers would load but misread. It is to refuse, rather than answer something else.
pub(crate) const OWN_TYPE: &str = "pulsewire-bert";

/// An encoder's measures.
#[derive(Debug, Clone, Deserialize)]
pub struct EncoderConfig {
    /// Only `bert` is known, and `pulsewire-bert` where nothing but the pooling or the words' shapes set a model apart.
    pub model_type: String,
    /// The width of token states.
    pub hidden_size: usize,
    /// The width inside feed-forward blocks.
    pub intermediate_size: usize,
    /// How many attention heads share the width.
    pub num_attention_heads: usize,
    /// How many layers there are.
    pub num_hidden_layers: usize,
    /// Rows of the word table.
    pub vocab_size: usize,
    /// Rows of the position table: the longest sequence.
    pub max_position_embeddings: usize,
    /// Rows of the token type table.
    pub type_vocab_size: usize,
    /// Added to variances.
    #[serde(default = "default_epsilon")]
    pub layer_norm_eps: f64,
    /// Only `gelu` is known.
    #[serde(default = "default_activation")]
    pub hidden_act: String,
    /// Only `absolute` is known.
    #[serde(default = "default_positions")]
    pub position_embedding_type: String,
    /// The heads that layers have lost.
    #[serde(default)]
    pub pruned_heads: PrunedHeads,
    /// How the tokens' vectors become the text's (Pulsewire's own key); the pooler's where it is not set.
    #[serde(default)]
    pub pooling: Option<Pooling>,
    /// How a fine-tuned model cleans its texts (Pulsewire's own key).
    #[serde(default)]
    pub text_cleaning: TextRules,
    /// Whether a token's type is its word's shape ([`inference::WORD_SHAPES`]).
    #[serde(skip)]
    pub word_shapes: bool,
    /// The whole file, for the keys that are handed on.
    #[serde(skip)]
    pub raw: Map<String, Value>,
}

fn default_epsilon() -> f64 {
    1e-12
}

fn default_activation() -> String {
    "gelu".to_owned()
}

fn default_positions() -> String {
    "absolute".to_owned()
}

impl EncoderConfig {
    /// Reads `config.json` of a directory.
    pub fn load(directory: &Path) -> Result<Self, TrainingError> {
        let path = directory.join("config.json");
        let refused = |message: String| TrainingError::BaseEncoder { path: path.clone(), message };
        let text = std::fs::read_to_string(&path)
            .map_err(|source| TrainingError::Unreadable { path: path.clone(), source })?;
        let raw: Map<String, Value> = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
        let mut config: Self =
            serde_json::from_value(Value::Object(raw.clone())).map_err(|error| refused(error.to_string()))?;
        if config.model_type == OWN_TYPE && !raw.contains_key("adapter") {
            "bert".clone_into(&mut config.model_type);
        }
        let known = [
            ("model_type", &config.model_type, "bert"),
            ("hidden_act", &config.hidden_act, "gelu"),
            ("position_embedding_type", &config.position_embedding_type, "absolute"),
        ];
        for (key, value, only) in known {
            if value != only {
                return Err(refused(format!("{key} is {value:?}; only {only:?} can be trained")));
            }
        }
        if config.num_attention_heads == 0 || !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            return Err(refused("hidden_size must be a multiple of num_attention_heads".to_owned()));
        }
        if let Some(fault) = config.pruned_heads.fault(config.num_hidden_layers, config.num_attention_heads) {
            return Err(refused(fault));
        }
        config.raw = raw;
        Ok(config)
    }

    /// The file, with what it leaves to its readers' defaults written out: they are `BertConfig`'s of transformers, but Text
    /// Embeddings Inference, for one, has none.
    pub(crate) fn written_out(&self) -> Map<String, Value> {
        let mut written = self.raw.clone();
        let known = [
            ("hidden_act", json!(self.hidden_act)),
            ("layer_norm_eps", json!(self.layer_norm_eps)),
            ("position_embedding_type", json!(self.position_embedding_type)),
        ];
        written.extend(known.map(|(key, value)| (key.to_owned(), value)));
        let defaults = [
            ("attention_probs_dropout_prob", json!(0.1)),
            ("hidden_dropout_prob", json!(0.1)),
            ("initializer_range", json!(0.02)),
            ("pad_token_id", json!(0)),
        ];
        for (key, value) in defaults {
            written.entry(key).or_insert(value);
        }
        written
    }
}

/// Named weights of a checkpoint.
#[derive(Debug, Default)]
pub struct Weights {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Reads `model.safetensors` of a directory; any float type becomes f32, and a prefix `bert.` or `transformer.` is taken off.
    pub fn load(directory: &Path) -> Result<Self, TrainingError> {
        let path = directory.join("model.safetensors");
        if !path.exists() {
            let message = "is not there; weights must be in safetensors format".to_owned();
            return Err(TrainingError::BaseEncoder { path, message });
        }
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu).map_err(|error| {
            TrainingError::BaseEncoder { path: path.clone(), message: format!("not a whole safetensors file: {error}") }
        })?;
        let bare = |name: &str| {
            ["bert.", "transformer."].iter().find_map(|prefix| name.strip_prefix(prefix).map(str::to_owned))
        };
        let plain = |name: String| bare(&name).unwrap_or(name);
        Ok(Self { tensors: tensors.into_iter().map(|(name, tensor)| (plain(name), tensor)).collect(), path })
    }

    /// These tensors, for tests and for encoders that are made, not loaded.
    pub fn from_tensors(tensors: HashMap<String, Tensor>) -> Self {
        Self { path: PathBuf::from("(made in memory)"), tensors }
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The shape of a tensor.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(Tensor::dims)
    }

    /// The values of a tensor, which must have this shape.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TrainingError> {
        let refused = |message: String| TrainingError::BaseEncoder { path: self.path.clone(), message };
        let tensor = self.tensors.get(name).ok_or_else(|| refused(format!("the tensor {name:?} is missing")))?;
        if tensor.dims() != shape {
            return Err(refused(format!(
                "the tensor {name:?} has shape {:?}, config.json asks for {shape:?}",
                tensor.dims()
            )));
        }
        Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }
}

/// A tensor to be written.
#[derive(Debug, Clone)]
pub(crate) struct NamedTensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl NamedTensor {
    /// A parameter's weights under a name of a checkpoint.
    pub(super) fn of(parameter: &Parameter, name: String) -> Self {
        Self { name, shape: parameter.shape().to_vec(), values: parameter.value().clone() }
    }
}

impl View for &NamedTensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}

/// Writes a safetensors file that transformers reads.
pub(crate) fn write(tensors: &[NamedTensor], path: &Path) -> Result<(), TrainingError> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let named = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor));
    let unwritable = |source| TrainingError::Unwritable { path: path.to_owned(), source };
    // The crate's own way to a file goes by a temporary one that only its owner may read.
    let bytes =
        safetensors::serialize(named, Some(metadata)).map_err(|error| unwritable(std::io::Error::other(error)))?;
    std::fs::write(path, bytes).map_err(unwritable)
}
