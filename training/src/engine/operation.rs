//! Between candle's tensors and plain slices.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Storage, Tensor, bail};

use super::parameter::Parameter;

/// A part of the model as one operation.
pub(super) trait Block: CustomOp1 + Send + Sync + 'static {
    /// What it is made of.
    fn parameters(&self) -> Vec<&Parameter>;
}

/// The values of a contiguous f32 storage.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a block needs contiguous input") };
    match storage {
        CpuStorage::F32(values) => Ok(&values[start..end]),
        other => bail!("a block needs f32, not {:?}", candle_core::backend::BackendStorage::dtype(other)),
    }
}

/// Hands a tensor's values to `read`.
pub(super) fn with_values<R>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(read(values(storage, layout)?)),
        _ => bail!("a block runs on the CPU only"),
    }
}

/// A tensor of these values.
pub(super) fn tensor(values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// What a forward pass leaves for its backward pass, which takes it.
#[derive(Debug)]
pub(super) struct Kept<T>(Mutex<Option<T>>);

impl<T> Kept<T> {
    pub(super) fn empty() -> Self {
        Self(Mutex::new(None))
    }

    pub(super) fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    pub(super) fn take(&self, block: &'static str) -> Result<T> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(value) => Ok(value),
            None => bail!("{block}: backward without a forward pass in training mode, or twice"),
        }
    }
}
