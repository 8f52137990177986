//! An embedding table in every form that weights are stored in.
//!
//! Only the rows that a text asks for become f32, so that a smaller file is a smaller process, too.

use inference::onnx::DataType;

use crate::export::ExportError;
use crate::export::bert::Writer;
use crate::export::graph::Value;
use crate::export::precision::Form;
use crate::export::quantization::QuantizedRows;

/// A table in the graph.
pub(super) enum Table {
    Floats(Value),
    Halves(Value),
    /// Integers, and for each row its scale.
    Integers(Value, Value),
}

impl Writer<'_> {
    pub(super) fn table(&mut self, name: &str, shape: [usize; 2]) -> Result<Table, ExportError> {
        let weight = self.weights.get(name, &shape)?;
        let graph = &mut self.graph;
        Ok(match self.form {
            Form::Fp32 => Table::Floats(graph.weight(name, weight)),
            Form::Fp16 => Table::Halves(graph.half(&format!("{name}.half"), &weight)),
            Form::Int8(_) | Form::Int8Dynamic => {
                let rows = QuantizedRows::of(&weight);
                let integers = graph.initializer(&format!("{name}.integers"), DataType::Int8, &shape, rows.bytes());
                let scales = graph.floats(&format!("{name}.scales"), &[shape[0], 1], &rows.scales);
                Table::Integers(integers, scales)
            }
        })
    }

    /// The rows of a table by their numbers, in f32.
    pub(super) fn gather(&mut self, table: &Table, name: &str, rows: &Value) -> Value {
        let graph = &mut self.graph;
        let own = |part: &str| format!("{name}.{part}");
        match table {
            Table::Floats(table) => graph.node("Gather", name, &[table, rows], &[]),
            Table::Halves(table) => {
                let halves = graph.node("Gather", &own("halves"), &[table, rows], &[]);
                graph.float(name, &halves)
            }
            Table::Integers(integers, scales) => {
                let integers = graph.node("Gather", &own("integers"), &[integers, rows], &[]);
                let integers = graph.float(&own("floats"), &integers);
                let scales = graph.node("Gather", &own("scales"), &[scales, rows], &[]);
                graph.node("Mul", name, &[&integers, &scales], &[])
            }
        }
    }
}
