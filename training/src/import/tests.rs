use std::path::PathBuf;

use candle_core::{Device, Tensor};
use inference::onnx::AttributeProto;
use tempfile::TempDir;

use super::*;
use crate::engine::samples;
use crate::trainer::tests::base;

/// The tiny encoder of the trainer's tests, and the same as ONNX under the names that PyTorch's exporter gives.
struct Work {
    directory: TempDir,
    base: PathBuf,
    graph: GraphProto,
}

impl Work {
    fn new(prefix: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = base(directory.path());
        Self { graph: exported(&base, prefix), base, directory }
    }

    fn import(&self) -> Result<ImportReport, TrainingError> {
        let path = |name: &str| self.directory.path().join(name);
        ModelProto { graph: Some(self.graph.clone()), ..ModelProto::default() }.write(&path("tiny.onnx")).unwrap();
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

fn stored(name: impl Into<String>, data_type: DataType, dims: &[usize], raw_data: Vec<u8>) -> TensorProto {
    let dims = dims.iter().map(|size| *size as i64).collect();
    TensorProto { dims, data_type: data_type as i32, name: name.into(), raw_data: raw_data.into() }
}

fn node(operator: &str, name: String, inputs: &[String]) -> NodeProto {
    let output = vec![format!("{name}_output_0")];
    NodeProto { op_type: operator.to_owned(), name, input: inputs.to_vec(), output, ..NodeProto::default() }
}

fn constant(name: String, tensor: TensorProto) -> NodeProto {
    let value = AttributeProto { name: "value".to_owned(), t: Some(tensor), ..AttributeProto::default() };
    NodeProto { attribute: vec![value], ..node("Constant", name, &[]) }
}

fn exported(base: &Path, prefix: &str) -> GraphProto {
    let mut graph = GraphProto::default();
    let scope = format!("/{}", prefix.replace('.', "/"));
    for (place, (name, tensor)) in weights(base).into_iter().enumerate() {
        let module = name.strip_suffix(".weight").filter(|name| name.starts_with("encoder") && !name.contains("Norm"));
        let (name, tensor) = match module {
            Some(module) => {
                let number = format!("onnx::MatMul_{place}");
                let product = format!("{scope}{}/MatMul", module.replace('.', "/").replace("layer/", "layer."));
                graph.node.push(node("MatMul", product, &["x".to_owned(), number.clone()]));
                (number, tensor.t().unwrap())
            }
            None => (format!("{prefix}{name}"), tensor),
        };
        let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        graph.initializer.push(stored(name, DataType::Float, tensor.dims(), bytes));
    }
    let size = |value: i64| stored("", DataType::Int64, &[1], value.to_le_bytes().to_vec());
    let attention = format!("{scope}encoder/layer.0/attention/self/");
    let shape = ["Constant_2", "Constant_3"].map(|name| format!("{attention}{name}"));
    graph.node.extend(shape.iter().zip([3, 6]).map(|(name, value)| constant(name.clone(), size(value))));
    let parts = shape.map(|name| format!("{name}_output_0"));
    let parts: Vec<String> = ["batch".to_owned(), "sequence".to_owned()].into_iter().chain(parts).collect();
    graph.node.push(node("Concat", format!("{attention}Concat"), &parts));
    let inputs = ["keys".to_owned(), format!("{attention}Concat_output_0")];
    graph.node.push(node("Reshape", format!("{attention}Reshape"), &inputs));
    let norm = format!("{scope}embeddings/LayerNorm/");
    let epsilon = stored("", DataType::Float, &[], 1e-12f32.to_le_bytes().to_vec());
    graph.node.push(constant(format!("{norm}Constant_1"), epsilon));
    let inputs = ["variance".to_owned(), format!("{norm}Constant_1_output_0")];
    graph.node.push(node("Add", format!("{norm}Add"), &inputs));
    graph.node.push(node("Erf", format!("{scope}encoder/layer.0/intermediate/intermediate_act_fn/Erf"), &[]));
    graph
}

#[test]
fn an_exported_encoder_comes_back_as_it_was() {
    for prefix in ["", "bert."] {
        let work = Work::new(prefix);
        let report = work.import().unwrap();
        let (before, imported) = (weights(&work.base), work.directory.path().join("imported"));
        assert_eq!((report.layers, report.heads, report.hidden, report.tokens), (2, 3, 18, 13));
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
    other.graph.initializer.retain(|tensor| !tensor.name.contains("word_embeddings"));
    other.check_refused("is no BERT encoder");

    let mut relu = Work::new("");
    relu.graph.node.retain(|node| node.op_type != "Erf");
    relu.check_refused("another activation than GELU");

    let mut optimised = Work::new("");
    optimised.graph.node.retain(|node| node.op_type != "Reshape");
    optimised.check_refused("was it optimised?");

    let mut half = Work::new("");
    let tables = half.graph.initializer.iter_mut().filter(|tensor| tensor.name.contains("word_embeddings"));
    tables.for_each(|tensor| tensor.data_type = DataType::Float16 as i32);
    half.check_refused("in another form than f32");

    let mut lost = Work::new("");
    lost.graph.node.retain(|node| !node.name.ends_with("layer.1/output/dense/MatMul"));
    lost.check_refused("encoder.layer.1.output.dense.weight");
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
