//! The part of the ONNX format that text classifiers need: messages, reading and writing.

mod messages;

use std::path::Path;
use std::{fs, io};

use prost::Message as _;

pub use messages::{
    AttributeProto, AttributeType, DataType, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, TypeValue, ValueInfoProto,
};

use crate::error::InferenceError;

impl ModelProto {
    /// Reads a model; a file that is cut short or of another format is an error.
    pub fn read(path: &Path) -> Result<Self, InferenceError> {
        let bytes = fs::read(path).map_err(|source| InferenceError::Unreadable { path: path.to_owned(), source })?;
        let unreadable = |reason: String| InferenceError::OnnxUnreadable { path: path.to_owned(), reason };
        if bytes.is_empty() {
            return Err(unreadable("the file is empty".to_owned()));
        }
        let length = bytes.len();
        // From `Bytes`, the weights are shared with the buffer and not copied.
        let model = Self::decode(prost::bytes::Bytes::from(bytes))
            .map_err(|source| unreadable(format!("{length} bytes, {source}")))?;
        if model.graph.as_ref().is_none_or(|graph| graph.node.is_empty()) {
            return Err(unreadable(format!("{length} bytes without a graph")));
        }
        Ok(model)
    }

    /// Writes the model.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.encode_to_vec())
    }
}

impl ValueInfoProto {
    /// The shape, where the file tells it: a size, or `None` for a dynamic axis.
    pub fn dimensions(&self) -> Option<Vec<Option<i64>>> {
        let Some(TypeValue::TensorType(tensor)) = &self.r#type.as_ref()?.value else { return None };
        let shape = tensor.shape.as_ref()?;
        Some(
            shape
                .dim
                .iter()
                .map(|dimension| match dimension.value {
                    Some(DimensionValue::DimValue(size)) => Some(size),
                    _ => None,
                })
                .collect(),
        )
    }

    /// The type of the elements, where the file tells it.
    pub fn element_type(&self) -> Option<DataType> {
        let Some(TypeValue::TensorType(tensor)) = &self.r#type.as_ref()?.value else { return None };
        DataType::try_from(tensor.elem_type).ok()
    }
}
