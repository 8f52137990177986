//! A builder of ONNX graphs: values are names, and each operation returns the name of what it makes.

use inference::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, TypeValue, ValueInfoProto,
};

use crate::export::weights::Weight;

/// The version of the format that came with [`OPERATOR_SET`].
const FORMAT: i64 = 7;

/// The last operator set in which ONNX Runtime's optimiser recognises the whole of an attention block.
const OPERATOR_SET: i64 = 12;

/// The name of a value in the graph.
#[derive(Debug, Clone)]
pub(super) struct Value(String);

impl Value {
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

/// A parameter of an operation.
pub(super) enum Attribute<'a> {
    Int(&'static str, i64),
    Ints(&'static str, &'a [i64]),
}

/// A graph under construction.
#[derive(Default)]
pub(super) struct GraphBuilder {
    graph: GraphProto,
}

impl GraphBuilder {
    pub(super) fn new(name: &str) -> Self {
        Self { graph: GraphProto { name: name.to_owned(), ..GraphProto::default() } }
    }

    /// An int64 input of these dynamic axes.
    pub(super) fn input(&mut self, name: &str, axes: &[&str]) -> Value {
        let axes = axes.iter().map(|axis| DimensionValue::DimParam((*axis).to_owned()));
        self.graph.input.push(value_info(name, DataType::Int64, axes));
        Value(name.to_owned())
    }

    /// Makes a value the graph's output, of these dynamic axes and then the columns.
    pub(super) fn output(&mut self, value: &Value, axes: &[&str], columns: usize) {
        let axes = axes.iter().map(|axis| DimensionValue::DimParam((*axis).to_owned()));
        let axes = axes.chain([DimensionValue::DimValue(columns as i64)]);
        self.graph.output.push(value_info(&value.0, DataType::Float, axes));
    }

    pub(super) fn weight(&mut self, name: &str, weight: Weight) -> Value {
        self.floats(name, &weight.shape, &weight.values)
    }

    pub(super) fn half(&mut self, name: &str, weight: &Weight) -> Value {
        let bytes = weight.values.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect();
        self.initializer(name, DataType::Float16, &weight.shape, bytes)
    }

    pub(super) fn scalar(&mut self, name: &str, value: f32) -> Value {
        self.floats(name, &[], &[value])
    }

    pub(super) fn integers(&mut self, name: &str, values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(name, DataType::Int64, &[values.len()], bytes)
    }

    pub(super) fn integer(&mut self, name: &str, value: i64) -> Value {
        self.initializer(name, DataType::Int64, &[], value.to_le_bytes().to_vec())
    }

    pub(super) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(name, DataType::Float, shape, bytes)
    }

    pub(super) fn initializer(&mut self, name: &str, data_type: DataType, shape: &[usize], bytes: Vec<u8>) -> Value {
        self.graph.initializer.push(TensorProto {
            dims: shape.iter().map(|size| *size as i64).collect(),
            data_type: data_type as i32,
            name: name.to_owned(),
            raw_data: bytes.into(),
        });
        Value(name.to_owned())
    }

    /// Adds an operation, whose output bears its name.
    pub(super) fn node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&Value],
        attributes: &[Attribute<'_>],
    ) -> Value {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: vec![name.to_owned()],
            name: format!("{operator}:{name}"),
            op_type: operator.to_owned(),
            attribute: attributes.iter().map(Attribute::message).collect(),
            domain: String::new(),
        });
        Value(name.to_owned())
    }

    /// Turns a value into f32.
    pub(super) fn float(&mut self, name: &str, value: &Value) -> Value {
        self.node("Cast", name, &[value], &[Attribute::Int("to", DataType::Float as i64)])
    }

    /// A layer normalisation over the last axis, of which ONNX Runtime makes one operation.
    pub(super) fn normalise(&mut self, name: &str, x: &Value, weight: &Value, bias: &Value, epsilon: f32) -> Value {
        let own = |part: &str| format!("{name}.{part}");
        let (two, epsilon) = (self.scalar(&own("two"), 2.0), self.scalar(&own("epsilon"), epsilon));
        let over_vector = || [Attribute::Ints("axes", &[-1]), Attribute::Int("keepdims", 1)];
        let mean = self.node("ReduceMean", &own("mean"), &[x], &over_vector());
        let centred = self.node("Sub", &own("centred"), &[x, &mean], &[]);
        let square = self.node("Pow", &own("square"), &[&centred, &two], &[]);
        let variance = self.node("ReduceMean", &own("variance"), &[&square], &over_vector());
        let shifted = self.node("Add", &own("shifted"), &[&variance, &epsilon], &[]);
        let deviation = self.node("Sqrt", &own("deviation"), &[&shifted], &[]);
        let normal = self.node("Div", &own("normal"), &[&centred, &deviation], &[]);
        let scaled = self.node("Mul", &own("scaled"), &[&normal, weight], &[]);
        self.node("Add", name, &[&scaled, bias], &[])
    }

    pub(super) fn finish(self) -> ModelProto {
        ModelProto {
            ir_version: FORMAT,
            producer_name: "pulsewire".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPERATOR_SET }],
        }
    }
}

impl Attribute<'_> {
    fn message(&self) -> AttributeProto {
        let of = |name: &str, kind: AttributeType| AttributeProto {
            name: name.to_owned(),
            r#type: kind as i32,
            ..AttributeProto::default()
        };
        match self {
            Self::Int(name, value) => AttributeProto { i: Some(*value), ..of(name, AttributeType::Int) },
            Self::Ints(name, values) => AttributeProto { ints: values.to_vec(), ..of(name, AttributeType::Ints) },
        }
    }
}

fn value_info(name: &str, data_type: DataType, axes: impl IntoIterator<Item = DimensionValue>) -> ValueInfoProto {
    let dim = axes.into_iter().map(|value| Dimension { value: Some(value) }).collect();
    let tensor = TensorTypeProto { elem_type: data_type as i32, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { value: Some(TypeValue::TensorType(tensor)) }) }
}
