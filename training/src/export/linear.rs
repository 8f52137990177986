//! A linear layer in every form that weights are stored in.
//!
//! Integer layers are `QuantizeLinear → MatMulInteger → Cast → Mul → Add`: operations that ONNX Runtime and tract both run on
//! integers. The other common form, a `DequantizeLinear` after each `QuantizeLinear`, is as fast in ONNX Runtime, but tract
//! computes it in f32, slower than the model that was never compressed.

use inference::onnx::DataType;

use crate::export::ExportError;
use crate::export::bert::Writer;
use crate::export::graph::{Attribute, Value};
use crate::export::precision::Form;
use crate::export::quantization::QuantizedRows;

/// The integer that stands for 0 where a token's own largest value sets the scale.
const CENTRE: u8 = 128;

/// The steps from 0 to the largest value.
const STEPS: f32 = 127.0;

/// The smallest scale of a token, for one whose values are all 0.
const LEAST_SCALE: f32 = 1e-9;

/// A value as integers: `real = (integer − zero point) · scale`.
#[derive(Clone)]
pub(super) struct Quantized {
    integers: Value,
    zero_point: Value,
    scale: Scale,
}

#[derive(Clone)]
enum Scale {
    /// Known when the model is written.
    Fixed(f32),
    /// One for each token, `[…, 1]`.
    OfToken(Value),
}

impl Writer<'_> {
    /// `x · weightᵀ + bias` of a linear layer, from `[inputs, outputs]`.
    pub(super) fn linear(
        &mut self,
        layer: &str,
        name: &str,
        x: &Value,
        [inputs, outputs]: [usize; 2],
    ) -> Result<Value, ExportError> {
        let stored = format!("{layer}.weight");
        let weight = self.weights.get(&stored, &[outputs, inputs])?;
        let product = format!("{name}.product");
        let (product, bias) = match self.form {
            Form::Fp32 => {
                let weight = self.graph.weight(&stored, weight.transposed());
                let bias = self.weight(&format!("{layer}.bias"), &[outputs])?;
                (self.graph.node("MatMul", &product, &[x, &weight], &[]), bias)
            }
            Form::Fp16 => {
                let half = self.graph.half(&format!("{stored}.half"), &weight.transposed());
                let weight = self.graph.float(&stored, &half);
                let bias = self.weight(&format!("{layer}.bias"), &[outputs])?;
                (self.graph.node("MatMul", &product, &[x, &weight], &[]), bias)
            }
            Form::Int8(_) | Form::Int8Dynamic => {
                let input = self.quantized(x)?;
                let product = self.integer_product(&stored, &product, &input, &QuantizedRows::of(&weight));
                (product, self.weight(&format!("{layer}.bias"), &[outputs])?)
            }
        };
        Ok(self.graph.node("Add", name, &[&product, &bias], &[]))
    }

    /// The product in integers, brought back to real numbers by the scales of input and weight.
    fn integer_product(&mut self, stored: &str, name: &str, input: &Quantized, weight: &QuantizedRows) -> Value {
        let own = |part: &str| format!("{name}.{part}");
        let graph = &mut self.graph;
        let (shape, bytes) = weight.transposed();
        let integers = graph.initializer(&format!("{stored}.integers"), DataType::Int8, &shape, bytes);
        // Some releases of ONNX Runtime keep their products from overflowing only where this stands in the file.
        let zero_point = graph.initializer(&format!("{stored}.zero_point"), DataType::Int8, &[], vec![0]);
        let inputs = [&input.integers, &integers, &input.zero_point, &zero_point];
        let sums = graph.node("MatMulInteger", &own("integers"), &inputs, &[]);
        let sums = graph.float(&own("sums"), &sums);
        let scales = |factor: f32| weight.scales.iter().map(|scale| scale * factor).collect::<Vec<f32>>();
        let stored = format!("{stored}.scales");
        match &input.scale {
            Scale::Fixed(scale) => {
                let scales = graph.floats(&stored, &[weight.scales.len()], &scales(*scale));
                graph.node("Mul", name, &[&sums, &scales], &[])
            }
            Scale::OfToken(token) => {
                let scales = graph.floats(&stored, &[weight.scales.len()], &scales(1.0));
                let scaled = graph.node("Mul", &own("scaled"), &[&sums, &scales], &[]);
                graph.node("Mul", name, &[&scaled, token], &[])
            }
        }
    }

    fn quantized(&mut self, x: &Value) -> Result<Quantized, ExportError> {
        if let Some(quantized) = self.quantized.get(x.name()) {
            return Ok(quantized.clone());
        }
        let quantized = match self.form {
            Form::Int8(calibration) => {
                let range = calibration.range(x.name())?;
                self.by_range(x, range.scale(), range.zero_point())
            }
            _ => self.by_token(x),
        };
        self.quantized.insert(x.name().to_owned(), quantized.clone());
        Ok(quantized)
    }

    fn by_range(&mut self, x: &Value, scale: f32, zero_point: u8) -> Quantized {
        let own = |part: &str| format!("{}.int8.{part}", x.name());
        let graph = &mut self.graph;
        let stored = graph.scalar(&own("scale"), scale);
        let zero_point = graph.initializer(&own("zero_point"), DataType::Uint8, &[], vec![zero_point]);
        let integers = graph.node("QuantizeLinear", &own("integers"), &[x, &stored, &zero_point], &[]);
        Quantized { integers, zero_point, scale: Scale::Fixed(scale) }
    }

    /// Each token by its own largest value, as ZeroQuant does it (Yao et al. 2022): unlike ONNX's `DynamicQuantizeLinear`, which
    /// takes the largest value of the whole batch, it gives a text the same scores whatever texts are beside it.
    fn by_token(&mut self, x: &Value) -> Quantized {
        let own = |part: &str| format!("{}.int8.{part}", x.name());
        let graph = &mut self.graph;
        let (step, least) = (graph.scalar(&own("step"), 1.0 / STEPS), graph.scalar(&own("least"), LEAST_SCALE));
        let sizes = graph.node("Abs", &own("sizes"), &[x], &[]);
        let over_vector = [Attribute::Ints("axes", &[-1]), Attribute::Int("keepdims", 1)];
        let largest = graph.node("ReduceMax", &own("largest"), &[&sizes], &over_vector);
        let scale = graph.node("Mul", &own("stepped"), &[&largest, &step], &[]);
        let scale = graph.node("Max", &own("scale"), &[&scale, &least], &[]);
        let scaled = graph.node("Div", &own("scaled"), &[x, &scale], &[]);
        let unit = graph.scalar(&own("unit"), 1.0);
        let zero_point = graph.initializer(&own("zero_point"), DataType::Uint8, &[], vec![CENTRE]);
        let integers = graph.node("QuantizeLinear", &own("integers"), &[&scaled, &unit, &zero_point], &[]);
        Quantized { integers, zero_point, scale: Scale::OfToken(scale) }
    }
}
