//! The trained weights, by their Hugging Face names.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

use crate::export::ExportError;

/// Prefixes that models with a head give the weights below it.
const PREFIXES: [&str; 2] = ["bert.", "transformer."];

/// A weights file in memory.
pub(super) struct Weights {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// One weight, in f32.
pub(super) struct Weight {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl Weights {
    pub(super) fn read(path: &Path) -> Result<Self, ExportError> {
        let bytes = fs::read(path).map_err(|source| ExportError::Io { path: path.to_owned(), source })?;
        SafeTensors::deserialize(&bytes)
            .map_err(|source| ExportError::Safetensors { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), bytes })
    }

    /// A weight of the model below the head or of the head, with or without a prefix, which must have this shape.
    pub(super) fn get(&self, name: &str, shape: &[usize]) -> Result<Weight, ExportError> {
        let file = SafeTensors::deserialize(&self.bytes)
            .map_err(|source| ExportError::Safetensors { path: self.path.clone(), source })?;
        let wrong = |message: String| ExportError::Weight { path: self.path.clone(), message };
        let tensor = file
            .tensor(name)
            .ok()
            .or_else(|| PREFIXES.iter().find_map(|prefix| file.tensor(&format!("{prefix}{name}")).ok()))
            .ok_or_else(|| wrong(format!("there is no weight {name}")))?;
        if tensor.shape() != shape {
            return Err(wrong(format!("{name} has shape {:?} where config.json asks for {shape:?}", tensor.shape())));
        }
        let values = match tensor.dtype() {
            Dtype::F32 => tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            Dtype::F16 => {
                tensor.data().as_chunks::<2>().0.iter().map(|bytes| half::f16::from_le_bytes(*bytes).to_f32()).collect()
            }
            Dtype::BF16 => tensor
                .data()
                .as_chunks::<2>()
                .0
                .iter()
                .map(|bytes| half::bf16::from_le_bytes(*bytes).to_f32())
                .collect(),
            other => return Err(wrong(format!("{name} is {other:?}; F32, F16 and BF16 can be exported"))),
        };
        let weight = Weight { shape: shape.to_vec(), values };
        if weight.values.iter().any(|value: &f32| !value.is_finite()) {
            return Err(wrong(format!("{name} holds values that are not finite: the training diverged")));
        }
        Ok(weight)
    }
}

impl Weight {
    /// Rows to columns: a linear layer's `[outputs, inputs]` becomes the `[inputs, outputs]` that `MatMul` takes.
    pub(super) fn transposed(self) -> Self {
        let [rows, columns] = *self.shape else { return self };
        let values = (0..rows * columns).map(|index| self.values[index % rows * columns + index / rows]).collect();
        Self { shape: vec![columns, rows], values }
    }
}
