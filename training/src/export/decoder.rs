//! A language model's decoder, shaped as GPT-2, as an ONNX graph: `logits`, `[batch, sequence, vocabulary]`, for the token after
//! each.

use inference::onnx::ModelProto;

use crate::engine::DecoderConfig;
use crate::export::ExportError;
use crate::export::bert::MASKED;
use crate::export::graph::{Attribute, GraphBuilder, Value};
use crate::export::weights::{Weight, Weights};

/// Builds the graph of a decoder.
pub(super) fn build(config: &DecoderConfig, weights: &Weights) -> Result<ModelProto, ExportError> {
    let mut writer = Writer { config, weights, graph: GraphBuilder::new("gpt2-language-model") };
    let axes = ["batch", "sequence"];
    let input_ids = writer.graph.input("input_ids", &axes);
    let attention_mask = writer.graph.input("attention_mask", &axes);

    let words = writer.weight("wte.weight", &[config.vocab_size, config.n_embd])?;
    let places = writer.weight("wpe.weight", &[config.n_positions, config.n_embd])?;
    let graph = &mut writer.graph;
    let (axis, one) = (graph.integer("positions.axis", 1), graph.integer("positions.one", 1));
    let counted = graph.node("CumSum", "positions.counted", &[&attention_mask, &axis], &[]);
    let positions = graph.node("Sub", "positions.ids", &[&counted, &one], &[]);
    let mask = writer.mask(&positions, &attention_mask);
    let graph = &mut writer.graph;
    let of_words = graph.node("Gather", "embeddings.words", &[&words, &input_ids], &[]);
    let of_places = graph.node("Gather", "embeddings.positions", &[&places, &positions], &[]);
    let mut hidden = graph.node("Add", "embeddings", &[&of_words, &of_places], &[]);
    for layer in 0..config.n_layer {
        hidden = writer.layer(&format!("h.{layer}"), &hidden, &mask)?;
    }
    let hidden = writer.normalise("ln_f", &hidden)?;
    let graph = &mut writer.graph;
    let columns = graph.node("Transpose", "output.words", &[&words], &[Attribute::Ints("perm", &[1, 0])]);
    let logits = graph.node("MatMul", "logits", &[&hidden, &columns], &[]);
    graph.output(&logits, &axes, config.vocab_size);
    Ok(writer.graph.finish())
}

struct Writer<'a> {
    config: &'a DecoderConfig,
    weights: &'a Weights,
    graph: GraphBuilder,
}

impl Writer<'_> {
    /// What scores are changed by, `[batch, 1, sequence, sequence]`: [`MASKED`] for keys after the query, and for padding.
    fn mask(&mut self, positions: &Value, attention_mask: &Value) -> Value {
        let graph = &mut self.graph;
        let (one, masked) = (graph.scalar("mask.one", 1.0), graph.scalar("mask.masked", MASKED));
        let positions = graph.float("mask.positions", positions);
        let queries = graph.node("Unsqueeze", "mask.queries", &[&positions], &[Attribute::Ints("axes", &[1, 3])]);
        let keys = graph.node("Unsqueeze", "mask.keys", &[&positions], &[Attribute::Ints("axes", &[1, 2])]);
        let later = graph.node("Less", "mask.later", &[&queries, &keys], &[]);
        let later = graph.float("mask.later.float", &later);
        let known = graph.float("mask.known", attention_mask);
        let padding = graph.node("Sub", "mask.padding", &[&one, &known], &[]);
        let padding = graph.node("Unsqueeze", "mask.padding.keys", &[&padding], &[Attribute::Ints("axes", &[1, 2])]);
        let hidden = graph.node("Add", "mask.hidden", &[&later, &padding], &[]);
        graph.node("Mul", "mask.added", &[&hidden, &masked], &[])
    }

    fn layer(&mut self, name: &str, hidden: &Value, mask: &Value) -> Result<Value, ExportError> {
        let (size, wide) = (self.config.n_embd, self.config.inner());
        let normal = self.normalise(&format!("{name}.ln_1"), hidden)?;
        let attended = self.attention(&format!("{name}.attn"), &normal, mask)?;
        let attended = self.linear(&format!("{name}.attn.c_proj"), &attended, [size, size])?;
        let hidden = self.graph.node("Add", &format!("{name}.attn.sum"), &[hidden, &attended], &[]);
        let normal = self.normalise(&format!("{name}.ln_2"), &hidden)?;
        let inner = self.linear(&format!("{name}.mlp.c_fc"), &normal, [size, wide])?;
        let inner = self.gelu(&format!("{name}.mlp.gelu"), &inner);
        let narrow = self.linear(&format!("{name}.mlp.c_proj"), &inner, [wide, size])?;
        Ok(self.graph.node("Add", &format!("{name}.mlp.sum"), &[&hidden, &narrow], &[]))
    }

    fn attention(&mut self, name: &str, hidden: &Value, mask: &Value) -> Result<Value, ExportError> {
        let (size, heads) = (self.config.n_embd, self.config.n_head);
        let own = |part: &str| format!("{name}.{part}");
        let weight = self.weights.get(&own("c_attn.weight"), &[size, 3 * size])?;
        let bias = self.weights.get(&own("c_attn.bias"), &[3 * size])?;
        let mut projected = Vec::with_capacity(3);
        // Queries and values as [batch, heads, sequence, head], keys transposed to be multiplied with.
        for (index, (part, order)) in
            [("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])].into_iter().enumerate()
        {
            let columns = index * size..(index + 1) * size;
            let third = |row: &[f32]| row[columns.clone()].to_vec();
            let rows: Vec<f32> = weight.values.chunks_exact(3 * size).flat_map(third).collect();
            let graph = &mut self.graph;
            let matrix =
                graph.weight(&own(&format!("{part}.weight")), Weight { shape: vec![size, size], values: rows });
            let bias = graph.floats(&own(&format!("{part}.bias")), &[size], &bias.values[columns.clone()]);
            let product = graph.node("MatMul", &own(&format!("{part}.product")), &[hidden, &matrix], &[]);
            let linear = graph.node("Add", &own(part), &[&product, &bias], &[]);
            let shape = graph.integers(&own(&format!("{part}.shape")), &[0, 0, heads as i64, (size / heads) as i64]);
            let split = graph.node("Reshape", &own(&format!("{part}.split")), &[&linear, &shape], &[]);
            let attribute = Attribute::Ints("perm", &order);
            projected.push(graph.node("Transpose", &own(&format!("{part}.heads")), &[&split], &[attribute]));
        }
        let [query, key, value] = &*projected else { return Ok(hidden.clone()) };
        let graph = &mut self.graph;
        let products = graph.node("MatMul", &own("products"), &[query, key], &[]);
        let scale = graph.scalar(&own("scale"), ((size / heads) as f32).sqrt());
        let scaled = graph.node("Div", &own("scaled"), &[&products, &scale], &[]);
        let scores = graph.node("Add", &own("masked"), &[&scaled, mask], &[]);
        let shares = graph.node("Softmax", &own("shares"), &[&scores], &[Attribute::Int("axis", 3)]);
        let mixed = graph.node("MatMul", &own("mixed"), &[&shares, value], &[]);
        let order = Attribute::Ints("perm", &[0, 2, 1, 3]);
        let mixed = graph.node("Transpose", &own("mixed.rows"), &[&mixed], &[order]);
        let shape = graph.integers(&own("joined.shape"), &[0, 0, size as i64]);
        Ok(graph.node("Reshape", &own("joined"), &[&mixed, &shape], &[]))
    }

    /// GELU by the hyperbolic tangent: `x / 2 * (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    fn gelu(&mut self, name: &str, x: &Value) -> Value {
        let graph = &mut self.graph;
        let own = |part: &str| format!("{name}.{part}");
        let root = graph.scalar(&own("root"), (2.0 / std::f32::consts::PI).sqrt());
        let cubic = graph.scalar(&own("cubic"), 0.044_715);
        let (one, half) = (graph.scalar(&own("one"), 1.0), graph.scalar(&own("half"), 0.5));
        let square = graph.node("Mul", &own("square"), &[x, x], &[]);
        let cube = graph.node("Mul", &own("cube"), &[&square, x], &[]);
        let cube = graph.node("Mul", &own("scaled"), &[&cube, &cubic], &[]);
        let inner = graph.node("Add", &own("inner"), &[x, &cube], &[]);
        let inner = graph.node("Mul", &own("rooted"), &[&inner, &root], &[]);
        let tanh = graph.node("Tanh", &own("tanh"), &[&inner], &[]);
        let shifted = graph.node("Add", &own("shifted"), &[&tanh, &one], &[]);
        let product = graph.node("Mul", &own("product"), &[x, &shifted], &[]);
        graph.node("Mul", name, &[&product, &half], &[])
    }

    fn linear(&mut self, name: &str, x: &Value, shape: [usize; 2]) -> Result<Value, ExportError> {
        let weight = self.weight(&format!("{name}.weight"), &shape)?;
        let bias = self.weight(&format!("{name}.bias"), &shape[1..])?;
        let product = self.graph.node("MatMul", &format!("{name}.product"), &[x, &weight], &[]);
        Ok(self.graph.node("Add", name, &[&product, &bias], &[]))
    }

    fn normalise(&mut self, name: &str, x: &Value) -> Result<Value, ExportError> {
        let size = self.config.n_embd;
        let weight = self.weight(&format!("{name}.weight"), &[size])?;
        let bias = self.weight(&format!("{name}.bias"), &[size])?;
        Ok(self.graph.normalise(name, x, &weight, &bias, self.config.layer_norm_epsilon as f32))
    }

    fn weight(&mut self, name: &str, shape: &[usize]) -> Result<Value, ExportError> {
        let weight = self.weights.get(name, shape)?;
        Ok(self.graph.weight(name, weight))
    }
}
