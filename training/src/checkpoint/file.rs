//! A checkpoint's file: tensors in safetensors' layout, with what is no tensor in the header's metadata, then 64 characters: the
//! SHA-256 of all before them.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use foundation::digest::{sha256, sha256_file};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::TrainingError;

/// The newest layout that this release writes and reads.
const VERSION: u32 = 1;
/// The length of a digest in hexadecimal.
const DIGEST: usize = 64;
/// Values that are written at once.
const BLOCK: usize = 1 << 14;

/// Replaces the checkpoint at `path`: written beside it, brought to the disk, renamed. After an error the old one is there.
pub(super) fn write(
    path: &Path,
    run: &str,
    place: &impl Serialize,
    optimizer_steps: u64,
    tensors: &[(String, &[f32])],
) -> io::Result<()> {
    // TOML, since floats come back from it to their last bit; from `serde_json` they do not.
    let place = toml::to_string(place).map_err(io::Error::other)?;
    let metadata = json!({
        "format": "pulsewire checkpoint",
        "version": VERSION.to_string(),
        "run": run,
        "place": place,
        "optimizer_steps": optimizer_steps.to_string(),
    });
    let partial = path.with_extension("partial");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = write_whole(&partial, metadata, tensors)
        .and_then(|()| fs::rename(&partial, path))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // It may not even have been made; what is left of it would be overwritten next time.
        fs::remove_file(&partial).unwrap_or_default();
    }
    written
}

fn write_whole(path: &Path, metadata: Value, tensors: &[(String, &[f32])]) -> io::Result<()> {
    let mut header = Map::from_iter([("__metadata__".to_owned(), metadata)]);
    let mut offset = 0;
    for (name, values) in tensors {
        let end = offset + size_of_val(*values);
        header.insert(name.clone(), json!({ "dtype": "F32", "shape": [values.len()], "data_offsets": [offset, end] }));
        offset = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');

    let mut file = BufWriter::with_capacity(BLOCK * size_of::<f32>(), File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    let mut bytes = vec![0; BLOCK * size_of::<f32>()];
    for values in tensors.iter().flat_map(|(_, values)| values.chunks(BLOCK)) {
        let bytes = &mut bytes[..size_of_val(values)];
        for (bytes, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
            *bytes = value.to_le_bytes();
        }
        file.write_all(bytes)?;
    }
    file.flush()?;
    file.write_all(sha256_file(path)?.as_bytes())?;
    file.into_inner()?.sync_all()
}

/// A checkpoint that is whole.
pub(super) struct CheckpointFile {
    path: PathBuf,
    bytes: Vec<u8>,
    header: Metadata,
    /// Where the tensors begin.
    start: usize,
}

impl CheckpointFile {
    /// Reads and checks a file; none if there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, TrainingError> {
        let path = path.to_owned();
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainingError::Unreadable { path, source }),
        };
        let digest = bytes.split_off(bytes.len().saturating_sub(DIGEST));
        if sha256(&bytes).as_bytes() != digest {
            let message = "its content does not have its digest, so it was cut or changed".to_owned();
            return Err(TrainingError::UnusableCheckpoint { path, message });
        }
        let (length, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| unfit(&path, format!("its header cannot be read: {error}")))?;
        let file = Self { path, bytes, header, start: size_of::<u64>() + length };
        match file.number::<u32>("version")? {
            VERSION => Ok(Some(file)),
            version => Err(unfit(&file.path, format!("its version is {version}, this release knows {VERSION} alone"))),
        }
    }

    /// The identity of the run that wrote it.
    pub(super) fn run(&self) -> Result<&str, TrainingError> {
        self.entry("run")
    }

    /// How far that run was.
    pub(super) fn place<P: DeserializeOwned>(&self) -> Result<P, TrainingError> {
        toml::from_str(self.entry("place")?).map_err(|error| unfit(&self.path, error.to_string()))
    }

    /// The optimiser's own count of steps.
    pub(super) fn optimizer_steps(&self) -> Result<u64, TrainingError> {
        self.number("optimizer_steps")
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// A tensor's values, of which there must be so many.
    pub(super) fn values(&self, name: &str, length: usize) -> Result<Vec<f32>, TrainingError> {
        let tensor = self.header.info(name).filter(|tensor| tensor.dtype == Dtype::F32 && tensor.shape == [length]);
        let tensor =
            tensor.ok_or_else(|| unfit(&self.path, format!("it has no tensor {name:?} of {length} values")))?;
        let (from, to) = tensor.data_offsets;
        let bytes = &self.bytes[self.start + from..self.start + to];
        Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn entry(&self, name: &str) -> Result<&str, TrainingError> {
        let entry = self.header.metadata().as_ref().and_then(|metadata| metadata.get(name));
        entry.map(String::as_str).ok_or_else(|| unfit(&self.path, format!("its header does not say {name:?}")))
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Result<N, TrainingError> {
        let text = self.entry(name)?;
        text.parse().map_err(|_| unfit(&self.path, format!("{text:?} is no {name}")))
    }
}

fn unfit(path: &Path, message: String) -> TrainingError {
    TrainingError::UnusableCheckpoint { path: path.to_owned(), message }
}
