use std::path::PathBuf;

use candle_core::{Device, Tensor};
use inference::onnx::{AttributeProto, AttributeType};
use tempfile::TempDir;

use super::*;
use crate::engine::samples;
use crate::export::export_encoder;
use crate::trainer::tests::base;

/// The tiny encoder of the trainer's tests, and the same as ONNX under the names that PyTorch's exporter gives.
struct Work {
    directory: TempDir,
    base: PathBuf,
    model: ModelProto,
}

impl Work {
    fn new(prefix: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = base(directory.path());
        Self { model: exported(&base, prefix), base, directory }
    }

    fn graph(&mut self) -> &mut GraphProto {
        self.model.graph.as_mut().unwrap()
    }

    /// The number that the graph knows by this name becomes another.
    fn set(&mut self, name: &str, value: f32) {
        let constant = self.graph().node.iter_mut().find(|node| node.output[0] == name).unwrap();
        constant.attribute[0].t.as_mut().unwrap().raw_data = value.to_le_bytes().to_vec().into();
    }

    fn import(&self) -> Result<ImportReport, TrainingError> {
        let path = |name: &str| self.directory.path().join(name);
        self.model.write(&path("tiny.onnx")).unwrap();
        import_onnx(&path("tiny.onnx"), &self.base.join("tokenizer.json"), &path("imported"))
    }

    #[track_caller]
    fn check_refused(&self, expected: &str) {
        let message = self.import().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

/// The encoder's weights, without what is beside it.
fn weights(base: &Path) -> BTreeMap<String, Tensor> {
    let tensors = candle_core::safetensors::load(base.join("model.safetensors"), &Device::Cpu).unwrap();
    let own = tensors.into_iter().filter_map(|(name, tensor)| Some((name.strip_prefix("bert.")?.to_owned(), tensor)));
    own.collect()
}

fn node(operator: &str, name: String, inputs: Vec<String>, attribute: AttributeProto) -> NodeProto {
    let (op_type, output) = (operator.to_owned(), vec![name.clone()]);
    NodeProto { op_type, name, input: inputs, output, attribute: vec![attribute], ..NodeProto::default() }
}

fn constant(tensor: TensorProto) -> NodeProto {
    let (name, kind) = ("value".to_owned(), AttributeType::Tensor as i32);
    let value = AttributeProto { name, r#type: kind, t: Some(tensor.clone()), ..AttributeProto::default() };
    node("Constant", tensor.name, Vec::new(), value)
}

/// A shape as PyTorch puts it together of its sizes.
fn concatenated(shape: &TensorProto) -> Vec<NodeProto> {
    let sizes = shape.raw_data.chunks(8).enumerate().map(|(place, bytes)| TensorProto {
        dims: vec![1],
        data_type: shape.data_type,
        name: format!("{}.{place}", shape.name),
        raw_data: bytes.to_vec().into(),
    });
    let mut nodes: Vec<NodeProto> = sizes.map(constant).collect();
    let inputs = nodes.iter().map(|node| node.name.clone()).collect();
    let kind = AttributeType::Int as i32;
    let axis = AttributeProto { name: "axis".to_owned(), r#type: kind, i: Some(0), ..AttributeProto::default() };
    nodes.push(node("Concat", shape.name.clone(), inputs, axis));
    nodes
}

/// Our own export, whose operations and weights get the names that they have in one of PyTorch's.
fn exported(base: &Path, prefix: &str) -> ModelProto {
    let config = samples::CONFIG.replacen('{', "{\"hidden_act\": \"gelu\", \"layer_norm_eps\": 1e-12, ", 1);
    fs::write(base.join("config.json"), config).unwrap();
    export_encoder(base).unwrap();
    let mut model = ModelProto::read(&base.join("model.onnx")).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let matrices: Vec<String> = graph.node.iter().filter(|node| node.op_type == "MatMul").map(second).collect();
    let named = |name: &String| match matrices.iter().position(|matrix| matrix == name) {
        Some(place) => format!("onnx::MatMul_{place}"),
        None => format!("{prefix}{name}"),
    };
    let known = weights(base);
    for node in &mut graph.node {
        let (operator, value) = node.name.split_once(':').unwrap();
        let module = value.strip_suffix(".product").filter(|_| operator == "MatMul").unwrap_or(value);
        let path = format!("{prefix}{module}").replace('.', "/").replace("layer/", "layer.");
        node.name = format!("/{path}/{operator}");
        node.input.iter_mut().filter(|input| known.contains_key(*input)).for_each(|input| *input = named(input));
    }
    let (mut tables, numbers): (Vec<_>, Vec<_>) =
        std::mem::take(&mut graph.initializer).into_iter().partition(|tensor| known.contains_key(&tensor.name));
    tables.iter_mut().for_each(|tensor| tensor.name = named(&tensor.name));
    graph.initializer = tables;
    let of = |number: TensorProto| if elements(&number) == 4 { concatenated(&number) } else { vec![constant(number)] };
    graph.node.splice(..0, numbers.into_iter().flat_map(of));
    model
}

fn second(node: &NodeProto) -> String {
    node.input[1].clone()
}

#[test]
fn an_exported_encoder_comes_back_as_it_was() {
    for prefix in ["", "bert."] {
        let work = Work::new(prefix);
        let report = work.import().unwrap();
        let (before, imported) = (weights(&work.base), work.directory.path().join("imported"));
        assert_eq!((report.layers, report.heads, report.hidden, report.tokens), (2, 3, 18, 13));
        assert!(report.max_abs_delta.is_some_and(|delta| delta < 1e-5), "{report:?}");
        assert_eq!(report.parameters, before.values().map(Tensor::elem_count).sum::<usize>());

        let config = EncoderConfig::load(&imported).unwrap();
        let of =
            |config: &EncoderConfig| (config.intermediate_size, config.max_position_embeddings, config.type_vocab_size);
        assert_eq!(of(&config), of(&samples::config()));
        assert_eq!(config.layer_norm_eps, 1e-12);

        let after = candle_core::safetensors::load(imported.join("model.safetensors"), &Device::Cpu).unwrap();
        assert_eq!(after.len(), before.len());
        for (name, tensor) in before {
            let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!((after[&name].dims(), values(&after[&name])), (tensor.dims(), values(&tensor)), "{name}");
        }
    }
}

#[test]
fn what_is_no_encoder_in_f32_is_refused() {
    let mut other = Work::new("");
    other.graph().initializer.retain(|tensor| !tensor.name.contains("word_embeddings"));
    other.check_refused("is no BERT encoder");

    let mut relu = Work::new("");
    relu.graph().node.retain(|node| node.op_type != "Erf");
    relu.check_refused("another activation than GELU");

    let mut optimised = Work::new("");
    optimised.graph().node.retain(|node| node.op_type != "Reshape");
    optimised.check_refused("was it optimised?");

    let mut half = Work::new("");
    let tables = half.graph().initializer.iter_mut().filter(|tensor| tensor.name.contains("word_embeddings"));
    tables.for_each(|tensor| tensor.data_type = DataType::Float16 as i32);
    half.check_refused("in another form than f32");

    let mut lost = Work::new("");
    lost.graph().node.retain(|node| !node.name.ends_with("layer.1/output/dense/MatMul"));
    lost.check_refused("encoder.layer.1.output.dense.weight");
}

#[test]
fn a_graph_that_computes_otherwise_is_refused() {
    let mut unscaled = Work::new("");
    unscaled.set("encoder.layer.1.attention.self.scale", 1.0);
    unscaled.check_refused("other states of tokens");
}

#[test]
fn a_graph_that_cannot_be_run_is_imported_all_the_same() {
    let mut strange = Work::new("");
    let shares = strange.graph().node.iter_mut().filter(|node| node.op_type == "Softmax");
    shares.for_each(|node| node.op_type = "Sparsemax".to_owned());
    let report = strange.import().unwrap();
    assert_eq!((report.layers, report.max_abs_delta), (2, None));
    assert!(report.to_string().contains("not compared"));
}

#[test]
fn a_tokenizer_of_another_encoder_is_refused() {
    let work = Work::new("");
    let path = work.base.join("tokenizer.json");
    let text =
        fs::read_to_string(&path).unwrap().replacen("\"vocab\":{", "\"vocab\":{\"stranger\":40,\"other\":41,", 1);
    fs::write(&path, text).unwrap();
    work.check_refused("they are not of one model");
}
