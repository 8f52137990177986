//! A BERT encoder with a classifier as an ONNX graph.
//!
//! The operations stand as PyTorch's exporter writes them, since that is the form in which ONNX Runtime's optimiser
//! recognises attention, GELU and the layer normalisations, and puts its own fast ones in their place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use inference::onnx::ModelProto;
use inference::{Head, TaskKind};
use serde::Deserialize;

use crate::engine::{AdapterKind, Pooling, PrunedHeads};
use crate::export::ExportError;
use crate::export::graph::{Attribute, GraphBuilder, Value};
use crate::export::linear::Quantized;
use crate::export::precision::Form;
use crate::export::weights::Weights;

/// What an attention logit of padding is lowered by: far beyond any logit, and far from the end of f32.
pub(super) const MASKED: f32 = -10_000.0;

/// What the graph needs of `config.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct EncoderConfig {
    /// Size of a token's vector.
    pub hidden_size: usize,
    /// Size of the feed-forward layer.
    pub intermediate_size: usize,
    /// Encoder layers.
    pub num_hidden_layers: usize,
    /// Attention heads; they divide `hidden_size`.
    pub num_attention_heads: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Longest input.
    pub max_position_embeddings: usize,
    /// Kinds of sentences.
    pub type_vocab_size: usize,
    /// Added to a variance.
    pub layer_norm_eps: f32,
    /// The feed-forward layer's activation; only `gelu` can be exported.
    pub hidden_act: String,
    /// The classifier's labels.
    #[serde(default)]
    pub id2label: BTreeMap<String, String>,
    /// The classes of transformers that the model is of.
    #[serde(default)]
    pub architectures: Vec<String>,
    /// What it answers (Pulsewire's own key).
    #[serde(default)]
    pub heads: Vec<Head>,
    /// How the tokens' vectors become the text's (Pulsewire's own key).
    #[serde(default)]
    pub pooling: Pooling,
    /// The heads that layers have lost.
    #[serde(default)]
    pub pruned_heads: PrunedHeads,
    /// What was added to the encoder (Pulsewire's own key).
    #[serde(default)]
    pub adapter: Option<AdapterKind>,
    #[serde(skip)]
    path: PathBuf,
}

impl EncoderConfig {
    /// Reads and checks a `config.json`.
    pub fn read(path: &Path) -> Result<Self, ExportError> {
        let config = Self::read_encoder(path)?;
        if config.id2label.is_empty() {
            let message = "id2label is missing: the model has no classifier to export".to_owned();
            return Err(ExportError::Config { path: path.to_owned(), message });
        }
        Ok(config)
    }

    /// The same of an encoder, which has no classifier.
    pub(super) fn read_encoder(path: &Path) -> Result<Self, ExportError> {
        let invalid = |message: String| ExportError::Config { path: path.to_owned(), message };
        let text = fs::read_to_string(path).map_err(|source| ExportError::Io { path: path.to_owned(), source })?;
        let config: Self = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        if config.hidden_act != "gelu" {
            return Err(invalid(format!("hidden_act is {:?}; only \"gelu\" can be exported", config.hidden_act)));
        }
        if config.num_attention_heads == 0 || !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            return Err(invalid("num_attention_heads must divide hidden_size".to_owned()));
        }
        if let Some(fault) = config.pruned_heads.fault(config.num_hidden_layers, config.num_attention_heads) {
            return Err(invalid(fault));
        }
        Ok(Self { path: path.to_owned(), ..config })
    }

    /// Whether the classifier labels each token rather than the text.
    pub fn labels_tokens(&self) -> bool {
        self.architectures.iter().any(|architecture| architecture.ends_with("ForTokenClassification"))
            || self.heads.iter().any(|head| head.kind == TaskKind::Tokens)
    }

    /// Size of a head's vectors.
    pub(super) fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// The file that this was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Builds the graph of an encoder with its weights in this form. Without labels it answers texts' vectors, of length one.
pub(super) fn build(config: &EncoderConfig, weights: &Weights, form: &Form) -> Result<ModelProto, ExportError> {
    let graph = GraphBuilder::new("bert-classifier");
    let mut writer = Writer { config, weights, form, graph, quantized: BTreeMap::new() };
    let axes = ["batch", "sequence"];
    let input_ids = writer.graph.input("input_ids", &axes);
    let attention_mask = writer.graph.input("attention_mask", &axes);
    let token_type_ids = writer.graph.input("token_type_ids", &axes);

    let hidden = writer.embeddings(&input_ids, &attention_mask, &token_type_ids)?;
    let mask = writer.mask(&attention_mask);
    let (mut hidden, mask) = writer.prompted(hidden, mask)?;
    for layer in 0..config.num_hidden_layers {
        let heads = config.pruned_heads.left(layer, config.num_attention_heads).len();
        hidden = writer.layer(&format!("encoder.layer.{layer}"), heads, &hidden, &mask)?;
    }
    let hidden = writer.unprompted(hidden);
    let answering = match config.pooling {
        _ if config.labels_tokens() => hidden,
        Pooling::Pooler => writer.pooler(&hidden)?,
        Pooling::Cls => writer.first_token(&hidden),
        Pooling::Mean => writer.mean(&hidden, &attention_mask),
    };
    let labels = config.id2label.len();
    if labels == 0 {
        let unit = writer.unit(&answering);
        writer.graph.output(&unit, &axes[..1], config.hidden_size);
        return Ok(writer.graph.finish());
    }
    let logits = writer.linear("classifier", "logits", &answering, [config.hidden_size, labels])?;
    writer.graph.output(&logits, if config.labels_tokens() { &axes } else { &axes[..1] }, labels);
    Ok(writer.graph.finish())
}

/// A graph on its way; how it writes linear layers and tables stands in files of their own.
pub(super) struct Writer<'a> {
    pub(super) config: &'a EncoderConfig,
    pub(super) weights: &'a Weights,
    pub(super) form: &'a Form,
    pub(super) graph: GraphBuilder,
    /// The values that have been made integers, by name: layers that share an input share its integers.
    pub(super) quantized: BTreeMap<String, Quantized>,
}

impl Writer<'_> {
    fn embeddings(
        &mut self,
        input_ids: &Value,
        attention_mask: &Value,
        token_type_ids: &Value,
    ) -> Result<Value, ExportError> {
        let config = self.config;
        let hidden = config.hidden_size;
        let words = self.table("embeddings.word_embeddings.weight", [config.vocab_size, hidden])?;
        let types = self.table("embeddings.token_type_embeddings.weight", [config.type_vocab_size, hidden])?;
        let positions =
            self.table("embeddings.position_embeddings.weight", [config.max_position_embeddings, hidden])?;

        let words = self.gather(&words, "embeddings.words", input_ids);
        let types = self.gather(&types, "embeddings.types", token_type_ids);
        let sum = self.graph.node("Add", "embeddings.words_types", &[&words, &types], &[]);

        // Counted from the mask, positions keep the axes' names, which the optimiser needs to see that shapes agree.
        let graph = &mut self.graph;
        let (axis, one) = (graph.integer("positions.axis", 1), graph.integer("positions.one", 1));
        let counted = graph.node("CumSum", "positions.counted", &[attention_mask, &axis], &[]);
        let counted = graph.node("Sub", "positions.ids", &[&counted, &one], &[]);
        let positions = self.gather(&positions, "embeddings.positions", &counted);
        let sum = self.graph.node("Add", "embeddings.sum", &[&sum, &positions], &[]);
        self.normalise("embeddings.LayerNorm", &sum)
    }

    /// 0 for tokens and [`MASKED`] for padding, `[batch, 1, 1, sequence]`.
    fn mask(&mut self, attention_mask: &Value) -> Value {
        let graph = &mut self.graph;
        let (one, masked) = (graph.scalar("mask.one", 1.0), graph.scalar("mask.masked", MASKED));
        let mask = graph.node("Unsqueeze", "mask.rows", &[attention_mask], &[Attribute::Ints("axes", &[1])]);
        let mask = graph.node("Unsqueeze", "mask.heads", &[&mask], &[Attribute::Ints("axes", &[2])]);
        let mask = graph.float("mask.float", &mask);
        let padding = graph.node("Sub", "mask.padding", &[&one, &mask], &[]);
        graph.node("Mul", "mask.added", &[&padding, &masked], &[])
    }

    fn layer(&mut self, name: &str, heads: usize, hidden: &Value, mask: &Value) -> Result<Value, ExportError> {
        let (size, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let attended = self.attention(name, heads, hidden, mask)?;
        let output = format!("{name}.attention.output");
        let dense = format!("{output}.dense");
        let attended = self.linear(&dense, &dense, &attended, [heads * self.config.head_size(), size])?;
        let sum = self.graph.node("Add", &format!("{output}.residual"), &[&attended, hidden], &[]);
        let hidden = self.normalise(&format!("{output}.LayerNorm"), &sum)?;
        let hidden = self.follow(&format!("{name}.attention.adapter"), hidden)?;

        let wide = format!("{name}.intermediate.dense");
        let wide = self.linear(&wide, &wide, &hidden, [size, inner])?;
        let wide = self.gelu(&format!("{name}.intermediate.gelu"), &wide);
        let output = format!("{name}.output");
        let narrow = self.linear(&format!("{output}.dense"), &format!("{output}.dense"), &wide, [inner, size])?;
        let sum = self.graph.node("Add", &format!("{output}.residual"), &[&narrow, &hidden], &[]);
        let hidden = self.normalise(&format!("{output}.LayerNorm"), &sum)?;
        self.follow(&format!("{name}.adapter"), hidden)
    }

    fn attention(&mut self, name: &str, heads: usize, hidden: &Value, mask: &Value) -> Result<Value, ExportError> {
        let (size, head_size) = (self.config.hidden_size, self.config.head_size());
        let width = heads * head_size;
        let own = |part: &str| format!("{name}.attention.self.{part}");

        let mut projected = Vec::with_capacity(3);
        // Queries and values as [batch, heads, sequence, head], keys transposed to be multiplied with.
        for (part, order) in [("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])] {
            let linear = self.linear(&own(part), &own(part), hidden, [size, width])?;
            let shape = self.graph.integers(&own(&format!("{part}.shape")), &[0, 0, heads as i64, head_size as i64]);
            let split = self.graph.node("Reshape", &own(&format!("{part}.split")), &[&linear, &shape], &[]);
            let attribute = Attribute::Ints("perm", &order);
            projected.push(self.graph.node("Transpose", &own(&format!("{part}.heads")), &[&split], &[attribute]));
        }
        let [query, key, value] = &*projected else { return Ok(hidden.clone()) };

        let prefix_name = own("prefix");
        let prefix = self.prefix(&prefix_name, heads)?;
        let graph = &mut self.graph;
        let products = graph.node("MatMul", &own("products"), &[query, key], &[]);
        let scale = graph.scalar(&own("scale"), (head_size as f32).sqrt());
        let scaled = graph.node("Div", &own("scaled"), &[&products, &scale], &[]);
        let mut scores = graph.node("Add", &own("masked"), &[&scaled, mask], &[]);
        if let Some(prefix) = &prefix {
            scores = self.prefix_scores(&prefix_name, prefix, query, &scale, &scores);
        }
        let shares = self.graph.node("Softmax", &own("shares"), &[&scores], &[Attribute::Int("axis", 3)]);
        let mixed = match &prefix {
            Some(prefix) => self.prefix_mixed(&prefix_name, prefix, &shares, value),
            None => self.graph.node("MatMul", &own("mixed"), &[&shares, value], &[]),
        };
        let graph = &mut self.graph;
        let order = Attribute::Ints("perm", &[0, 2, 1, 3]);
        let mixed = graph.node("Transpose", &own("mixed.rows"), &[&mixed], &[order]);
        let shape = graph.integers(&own("joined.shape"), &[0, 0, width as i64]);
        Ok(graph.node("Reshape", &own("joined"), &[&mixed, &shape], &[]))
    }

    /// `x / 2 * (1 + erf(x / √2))`, in the order of PyTorch's exporter.
    pub(super) fn gelu(&mut self, name: &str, x: &Value) -> Value {
        let graph = &mut self.graph;
        let own = |part: &str| format!("{name}.{part}");
        let root = graph.scalar(&own("root"), std::f32::consts::SQRT_2);
        let (one, half) = (graph.scalar(&own("one"), 1.0), graph.scalar(&own("half"), 0.5));
        let erf = graph.node("Div", &own("scaled"), &[x, &root], &[]);
        let erf = graph.node("Erf", &own("erf"), &[&erf], &[]);
        let erf = graph.node("Add", &own("shifted"), &[&erf, &one], &[]);
        let product = graph.node("Mul", &own("product"), &[x, &erf], &[]);
        graph.node("Mul", name, &[&product, &half], &[])
    }

    fn pooler(&mut self, hidden: &Value) -> Result<Value, ExportError> {
        let size = self.config.hidden_size;
        let first = self.first_token(hidden);
        let dense = self.linear("pooler.dense", "pooler.dense", &first, [size, size])?;
        Ok(self.graph.node("Tanh", "pooler.tanh", &[&dense], &[]))
    }

    fn first_token(&mut self, hidden: &Value) -> Value {
        let zero = self.graph.integer("pooler.position", 0);
        self.graph.node("Gather", "pooler.first_token", &[hidden, &zero], &[Attribute::Int("axis", 1)])
    }

    fn mean(&mut self, hidden: &Value, attention_mask: &Value) -> Value {
        let graph = &mut self.graph;
        let over_tokens = || [Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 0)];
        let mask = graph.float("pooler.mask", attention_mask);
        let mask = graph.node("Unsqueeze", "pooler.mask_rows", &[&mask], &[Attribute::Ints("axes", &[2])]);
        let kept = graph.node("Mul", "pooler.kept", &[hidden, &mask], &[]);
        let sum = graph.node("ReduceSum", "pooler.sum", &[&kept], &over_tokens());
        let count = graph.node("ReduceSum", "pooler.count", &[&mask], &over_tokens());
        graph.node("Div", "pooler.mean", &[&sum, &count], &[])
    }

    /// Vectors of length one, under the name of the output that back ends know.
    fn unit(&mut self, vectors: &Value) -> Value {
        let graph = &mut self.graph;
        let squares = graph.node("Mul", "unit.squares", &[vectors, vectors], &[]);
        let over_columns = [Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 1)];
        let sum = graph.node("ReduceSum", "unit.sum", &[&squares], &over_columns);
        let length = graph.node("Sqrt", "unit.length", &[&sum], &[]);
        graph.node("Div", "logits", &[vectors, &length], &[])
    }

    fn normalise(&mut self, layer: &str, x: &Value) -> Result<Value, ExportError> {
        let size = self.config.hidden_size;
        let weight = self.weight(&format!("{layer}.weight"), &[size])?;
        let bias = self.weight(&format!("{layer}.bias"), &[size])?;
        Ok(self.graph.normalise(layer, x, &weight, &bias, self.config.layer_norm_eps))
    }

    pub(super) fn weight(&mut self, name: &str, shape: &[usize]) -> Result<Value, ExportError> {
        let weight = self.weights.get(name, shape)?;
        Ok(self.graph.weight(name, weight))
    }
}
