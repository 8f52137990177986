//! The files of a model directory, taken apart and put together again.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use serde_json::{Map, Value, json};

use crate::directory::{base_name, write_json};
use crate::engine::{EncoderConfig, NamedTensor, write_tensors};
use crate::error::TrainingError;

const WEIGHTS: &str = "model.safetensors";

/// What stays as it is unless a way of pruning writes it anew. The report tells what the model was trained on.
const COPIED: [&str; 5] =
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "report.json"];

/// A directory's configuration and weights.
#[derive(Debug)]
pub(super) struct ModelFiles {
    pub(super) directory: PathBuf,
    pub(super) config: EncoderConfig,
    /// Under the names that they have in the file, in the order of those.
    pub(super) tensors: Vec<NamedTensor>,
}

impl ModelFiles {
    /// Reads a directory, its weights as f32.
    pub(super) fn read(directory: &Path) -> Result<Self, TrainingError> {
        let config = EncoderConfig::load(directory)?;
        let path = directory.join(WEIGHTS);
        let refused = |message: String| TrainingError::Pruning { path: path.clone(), message };
        if !path.exists() {
            let message =
                "is not there; a compressed model keeps no trained weights: prune the one that it was made from";
            return Err(refused(message.to_owned()));
        }
        let broken = |error: candle_core::Error| refused(format!("is not a whole safetensors file: {error}"));
        let mut tensors = Vec::new();
        for (name, tensor) in candle_core::safetensors::load(&path, &Device::Cpu).map_err(broken)? {
            // Older files hold the numbers of positions, which are no weights.
            if tensor.dtype().is_float() {
                let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
                tensors.push(NamedTensor { name, shape: tensor.dims().to_vec(), values });
            }
        }
        tensors.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { directory: directory.to_owned(), config, tensors })
    }

    /// The size of the weights' file.
    pub(super) fn bytes(&self) -> Result<u64, TrainingError> {
        let path = self.directory.join(WEIGHTS);
        Ok(fs::metadata(&path).map_err(|source| TrainingError::Unreadable { path, source })?.len())
    }

    /// An error about one of its files.
    pub(super) fn refused(&self, file: &str, message: impl Into<String>) -> TrainingError {
        TrainingError::Pruning { path: self.directory.join(file), message: message.into() }
    }

    /// Writes a directory, which must not be there yet, with these keys of `config.json` changed.
    pub(super) fn write(&self, target: &Path, changes: Map<String, Value>) -> Result<(), TrainingError> {
        let unwritable = |source| TrainingError::Unwritable { path: target.to_owned(), source };
        fs::create_dir(target).map_err(unwritable)?;
        let mut config = self.config.raw.clone();
        config.remove("torch_dtype");
        config.insert("dtype".to_owned(), json!("float32"));
        let name = base_name(&self.directory);
        config.insert("_name_or_path".to_owned(), json!(format!("{}, pruned", name.trim_end_matches(", pruned"))));
        config.extend(changes);
        write_json(&target.join("config.json"), &Value::Object(config))?;
        write_tensors(&self.tensors, &target.join(WEIGHTS))?;
        for name in COPIED.into_iter().filter(|name| self.directory.join(name).is_file()) {
            fs::copy(self.directory.join(name), target.join(name)).map_err(unwritable)?;
        }
        Ok(())
    }
}

/// Leaves a tensor these rows, which may not be beyond its own.
pub(super) fn keep_rows(tensor: &mut NamedTensor, rows: impl Iterator<Item = usize>) {
    let width = tensor.shape[1..].iter().product::<usize>();
    tensor.values = rows.flat_map(|row| &tensor.values[row * width..(row + 1) * width]).copied().collect();
    tensor.shape[0] = tensor.values.len() / width;
}

/// The part of a weight's name after its layer's number, with that number; none if it is no layer's.
pub(super) fn layer_of(name: &str) -> Option<(usize, &str)> {
    let (_, rest) = name.split_once("encoder.layer.")?;
    let (layer, part) = rest.split_once('.')?;
    Some((layer.parse().ok()?, part))
}
