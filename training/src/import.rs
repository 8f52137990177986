//! Base encoders that are only to be had as ONNX: their weights and measures, read back from the graph.
//!
//! PyTorch's exporter keeps the names of biases, tables and normalisations. A matrix loses its own to a number and stands
//! transposed; the product that uses it still tells which one it is (`/encoder/layer.0/attention/self/query/MatMul`).

mod comparison;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use inference::onnx::{DataType, GraphProto, ModelProto, NodeProto, TensorProto};
use inference::{INPUTS, TextTokenizer};
use serde::Serialize;
use serde_json::json;

use crate::directory::write_json;
use crate::engine::{Encoder, EncoderConfig, NamedTensor, Weights, write_tensors};
use crate::error::TrainingError;

const WORDS: &str = "embeddings.word_embeddings.weight";

/// What was read of an ONNX file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportReport {
    /// Values of its weights.
    pub parameters: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Attention heads of a layer.
    pub heads: usize,
    /// The width of token states.
    pub hidden: usize,
    /// Tokens of the vocabulary.
    pub tokens: usize,
    /// The largest difference between a state of a token in the graph and one in the trainer's engine; none where the graph could not
    /// be run.
    pub max_abs_delta: Option<f32>,
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameters, layers, heads, hidden, tokens, max_abs_delta } = self;
        let millions = *parameters as f64 / 1e6;
        writeln!(f, "{millions:.2} M parameters: {layers} layers of {heads} heads, width {hidden}, {tokens} tokens")?;
        match max_abs_delta {
            Some(delta) => write!(f, "tokens' states are the graph's, to {delta:.1e}"),
            None => write!(f, "not compared with the graph, which tract cannot run"),
        }
    }
}

/// Makes a base encoder's directory of a BERT that PyTorch has exported and of its `tokenizer.json`.
///
/// # Errors
///
/// [`TrainingError::Import`] where the graph is no BERT in f32 or something optimised it, so that weights lost their names, where it
/// computes other states than a BERT of these weights, or where the tokenizer has other tokens; what reading and writing say.
pub fn import_onnx(onnx: &Path, tokenizer: &Path, target: &Path) -> Result<ImportReport, TrainingError> {
    let refused = |path: &Path, message: String| TrainingError::Import { path: path.to_owned(), message };
    let graph = ModelProto::read(onnx)?.graph.unwrap_or_default();
    let graph = Graph::new(&graph).map_err(|message| refused(onnx, message))?;
    let found = graph.weights().and_then(|weights| Ok((weights, graph.measures()?)));
    let (tensors, measures) = found.map_err(|message| refused(onnx, message))?;

    let unwritable = |source| TrainingError::Unwritable { path: target.to_owned(), source };
    fs::create_dir_all(target).map_err(unwritable)?;
    let file_name = onnx.file_stem().unwrap_or_default().to_string_lossy();
    let config = json!({
        "_name_or_path": file_name,
        "architectures": ["BertModel"],
        "model_type": "bert",
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_size": measures.hidden,
        "intermediate_size": measures.intermediate,
        "layer_norm_eps": measures.epsilon,
        "max_position_embeddings": measures.positions,
        "num_attention_heads": measures.heads,
        "num_hidden_layers": measures.layers,
        "type_vocab_size": measures.types,
        "vocab_size": measures.tokens,
    });
    write_json(&target.join("config.json"), &config)?;
    write_tensors(&tensors, &target.join("model.safetensors"))?;
    fs::copy(tokenizer, target.join("tokenizer.json"))
        .map_err(|source| TrainingError::Unreadable { path: tokenizer.to_owned(), source })?;

    // Whatever is missing or of another shape is told by the one who would read it.
    let encoder = Encoder::new(&EncoderConfig::load(target)?, &Weights::load(target)?)?;
    let known = TextTokenizer::open_for_counting(&target.join("tokenizer.json"))?.vocabulary_size();
    if known > measures.tokens {
        let message = format!("has {known} tokens, the encoder {}: they are not of one model", measures.tokens);
        return Err(refused(tokenizer, message));
    }
    let max_abs_delta = match graph.states(measures.layers) {
        Some(states) => comparison::largest_difference(onnx, &graph.inputs(), states, &measures, &encoder)?,
        None => None,
    };
    if let Some(delta) = max_abs_delta.filter(|delta| *delta > comparison::LIMIT) {
        let message = format!(
            "computes other states of tokens than a BERT of its weights, by up to {delta:.1e}: it is no BERT, and cannot be trained"
        );
        return Err(refused(onnx, message));
    }
    Ok(ImportReport {
        parameters: tensors.iter().map(|tensor| tensor.values.len()).sum(),
        layers: measures.layers,
        heads: measures.heads,
        hidden: measures.hidden,
        tokens: measures.tokens,
        max_abs_delta,
    })
}

/// What `config.json` tells of an encoder and no weight's name does.
#[derive(Debug, PartialEq)]
struct Measures {
    tokens: usize,
    hidden: usize,
    intermediate: usize,
    positions: usize,
    types: usize,
    layers: usize,
    heads: usize,
    epsilon: f64,
}

/// An exported graph, whose weights' names begin with `prefix` (`bert.`, or nothing).
struct Graph<'a> {
    graph: &'a GraphProto,
    prefix: &'a str,
    constants: BTreeMap<&'a str, &'a TensorProto>,
    makers: BTreeMap<&'a str, &'a NodeProto>,
}

impl<'a> Graph<'a> {
    fn new(graph: &'a GraphProto) -> Result<Self, String> {
        let stored = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor));
        let constants = graph.node.iter().filter(|node| node.op_type == "Constant");
        let constants = constants.filter_map(|node| Some((node.output.first()?.as_str(), tensor_of(node)?)));
        let prefix = graph.initializer.iter().find_map(|tensor| tensor.name.strip_suffix(WORDS));
        let Some(prefix) = prefix else {
            return Err(format!("is no BERT encoder as PyTorch exports one: it has no {WORDS}"));
        };
        let makers = graph.node.iter().flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node)));
        Ok(Self { graph, prefix, constants: stored.chain(constants).collect(), makers: makers.collect() })
    }

    /// The encoder's weights in the order of their names, matrices `[output, input]` as PyTorch has them.
    fn weights(&self) -> Result<Vec<NamedTensor>, String> {
        let kept =
            self.graph.initializer.iter().filter_map(|tensor| Some((self.own(&tensor.name)?.to_owned(), tensor)));
        let kept = kept.filter(|(name, _)| !name.ends_with("position_ids"));
        let mut tensors = kept.map(|(name, tensor)| named(name, tensor)).collect::<Result<Vec<_>, _>>()?;
        for node in self.graph.node.iter().filter(|node| node.op_type == "MatMul") {
            let dotted = node.name.trim_start_matches('/').replace('/', ".");
            let module = dotted.strip_suffix(".MatMul").and_then(|module| self.own(module));
            let matrix = node.input.get(1).and_then(|input| self.constants.get(input.as_str()));
            if let (Some(module), Some(matrix)) = (module, matrix) {
                tensors.push(transposed(named(format!("{module}.weight"), matrix)?)?);
            }
        }
        tensors.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(tensors)
    }

    fn measures(&self) -> Result<Measures, String> {
        let shape = |name: &str| {
            let tensor = self.constants.get(format!("{}{name}", self.prefix).as_str());
            let [rows, columns] = tensor.map_or(&[][..], |tensor| &tensor.dims) else {
                return Err(format!("is no BERT encoder as PyTorch exports one: it has no table {name}"));
            };
            Ok((*rows as usize, *columns as usize))
        };
        let (tokens, hidden) = shape(WORDS)?;
        let inner = format!("{}encoder.layer.0.intermediate.dense.bias", self.prefix);
        let intermediate = self.constants.get(inner.as_str()).map_or(0, |bias| elements(bias));
        let layers = self.graph.initializer.iter().filter_map(|tensor| {
            self.own(&tensor.name)?.strip_prefix("encoder.layer.")?.split('.').next()?.parse::<usize>().ok()
        });
        if !self.scope("encoder/layer.0/intermediate/").any(|node| matches!(node.op_type.as_str(), "Erf" | "Gelu")) {
            return Err("has another activation than GELU: only that one can be trained".to_owned());
        }
        Ok(Measures {
            tokens,
            hidden,
            intermediate,
            positions: shape("embeddings.position_embeddings.weight")?.0,
            types: shape("embeddings.token_type_embeddings.weight")?.0,
            layers: layers.max().map_or(0, |last| last + 1),
            heads: self.heads(hidden).ok_or("does not show how attention divides its heads: was it optimised?")?,
            epsilon: self.epsilon().ok_or("does not show what is added to a variance: was it optimised?")?,
        })
    }

    /// A weight's or a module's name in the encoder; none of what is beside it.
    fn own<'n>(&self, name: &'n str) -> Option<&'n str> {
        let name = name.strip_prefix(self.prefix)?;
        ["embeddings.", "encoder.", "pooler."].iter().any(|part| name.starts_with(part)).then_some(name)
    }

    /// The operations of a module.
    fn scope(&self, module: &str) -> impl Iterator<Item = &'a NodeProto> {
        let scope = format!("/{}{module}", self.prefix.replace('.', "/"));
        self.graph.node.iter().filter(move |node| node.name.starts_with(&scope))
    }

    /// A layer's vectors are given the shape `[batch, sequence, heads, size]` before heads attend.
    fn heads(&self, hidden: usize) -> Option<usize> {
        let reshapes = self.scope("encoder/layer.0/attention/self/").filter(|node| node.op_type == "Reshape");
        reshapes.filter_map(|node| self.integers(node.input.get(1)?)).find_map(|shape| match shape[..] {
            [.., heads, size] if heads > 0 && size > 0 && heads * size == hidden as i64 => Some(heads as usize),
            _ => None,
        })
    }

    fn epsilon(&self) -> Option<f64> {
        self.scope("embeddings/LayerNorm/").find_map(|node| match node.op_type.as_str() {
            "LayerNormalization" => {
                node.attribute.iter().find(|attribute| attribute.name == "epsilon")?.f.map(f64::from)
            }
            "Add" => {
                let added = node.input.iter().filter_map(|input| self.constants.get(input.as_str()));
                let mut added = added.filter(|tensor| elements(tensor) == 1).filter_map(|tensor| floats(tensor));
                added.next()?.first().copied().map(shortest)
            }
            _ => None,
        })
    }

    fn inputs(&self) -> Vec<&'static str> {
        INPUTS.into_iter().filter(|name| self.graph.input.iter().any(|input| input.name == *name)).collect()
    }

    /// The name of the last layer's states, `[batch, sequence, hidden]`.
    fn states(&self, layers: usize) -> Option<&'a str> {
        let last = self.scope(&format!("encoder/layer.{}/output/LayerNorm/", layers.checked_sub(1)?)).last()?;
        last.output.first().map(String::as_str)
    }

    /// The known numbers of a shape; those that the batch decides are left out.
    fn integers(&self, name: &str) -> Option<Vec<i64>> {
        if let Some(tensor) = self.constants.get(name) {
            let (numbers, rest) = tensor.raw_data.as_chunks::<8>();
            let whole = tensor.data_type == DataType::Int64 as i32 && rest.is_empty();
            return whole.then(|| numbers.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect());
        }
        let maker = self.makers.get(name).filter(|maker| maker.op_type == "Concat")?;
        Some(maker.input.iter().filter_map(|input| self.integers(input)).flatten().collect())
    }
}

/// The number that an f32 was written as: `1e-12`, where the nearest f32 is 9.999999960041972e-13.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn tensor_of(node: &NodeProto) -> Option<&TensorProto> {
    node.attribute.iter().find(|attribute| attribute.name == "value")?.t.as_ref()
}

fn elements(tensor: &TensorProto) -> usize {
    tensor.dims.iter().map(|size| *size as usize).product()
}

/// A tensor's values, if they are f32 and all there.
fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    let (numbers, rest) = tensor.raw_data.as_chunks::<4>();
    let whole = tensor.data_type == DataType::Float as i32 && rest.is_empty() && numbers.len() == elements(tensor);
    whole.then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn named(name: String, tensor: &TensorProto) -> Result<NamedTensor, String> {
    let Some(values) = floats(tensor) else {
        return Err(format!("has {name} in another form than f32 in the file itself: take the uncompressed export"));
    };
    Ok(NamedTensor { name, shape: tensor.dims.iter().map(|size| *size as usize).collect(), values })
}

fn transposed(matrix: NamedTensor) -> Result<NamedTensor, String> {
    let NamedTensor { name, shape, values } = matrix;
    let [rows, columns] = shape[..] else { return Err(format!("has {name} of shape {shape:?}, which is no matrix")) };
    let places = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
    let values = places.map(|place| values[place]).collect();
    Ok(NamedTensor { name, shape: vec![columns, rows], values })
}

#[cfg(test)]
mod tests;
