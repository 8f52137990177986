//! An export under construction, in a folder that gets its name only when everything is checked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use registry::MANIFEST;
use tempfile::TempDir;
use training::Row;
use training::export::{
    AccuracyCost, CARD_VERSION, Calibration, ExportCard, Form, Identity, Precision, RangeMethod, check_agreement,
    compress, export,
};

use super::texts::Texts;
use crate::derived::compare_backends;
use crate::exit::UsageError;
use crate::settings::FoundModel;

const WEIGHTS: &str = "model.safetensors";
const ONNX: &str = "model.onnx";
const CARD: &str = "export.json";

/// A checked export in a temporary folder.
pub(super) struct Staged {
    /// Holds both models.
    _folder: TempDir,
    /// The fp32 model.
    full: PathBuf,
    /// The export: the fp32 model itself, or a compressed one beside it.
    pub(super) path: PathBuf,
    pub(super) card: ExportCard,
}

impl Staged {
    /// Writes and checks an export in a new folder under `parent`.
    pub(super) fn write(
        found: &FoundModel,
        parent: &Path,
        texts: &Texts,
        precision: Precision,
        ranges: RangeMethod,
    ) -> anyhow::Result<Self> {
        let model = &found.directory;
        if !model.join(WEIGHTS).is_file() {
            let mend = "a compressed model keeps no trained weights, export from the one that it was made from";
            return Err(UsageError(format!("{found} has no {WEIGHTS}: {mend}")).into());
        }
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        let folder = tempfile::Builder::new()
            .prefix(".export-")
            .tempdir_in(parent)
            .with_context(|| format!("cannot write into {}", parent.display()))?;
        let full = folder.path().join("full");
        copy_files(model, &full, &[ONNX])?;
        export(&full)?;
        let card = ExportCard {
            version: CARD_VERSION,
            model: found.to_string(),
            precision,
            bytes: bytes_of(&full)?,
            fp32_bytes: bytes_of(&full)?,
            identity: Identity::shared(model, &full)?,
            parity: compare_backends(&full, &texts.checked)?,
            calibration: None,
            agreement: None,
            cost: None,
        };
        let form = match precision {
            Precision::Fp32 => return Ok(Self { _folder: folder, path: full.clone(), full, card }),
            Precision::Fp16 => Form::Fp16,
            Precision::Int8 => Form::Int8(Calibration::observe(&full, &borrowed(&texts.calibration), ranges)?),
            Precision::Int8Dynamic => Form::Int8Dynamic,
        };
        let path = folder.path().join("compressed");
        copy_files(&full, &path, &[ONNX, WEIGHTS])?;
        compress(&full, &path, &form)?;
        let agreement = check_agreement(&full, &path, precision, &borrowed(&texts.checked))?;
        let card = ExportCard {
            bytes: bytes_of(&path)?,
            identity: Identity::shared(model, &path)?,
            calibration: if let Form::Int8(calibration) = &form { Some(calibration.into()) } else { None },
            agreement: Some(agreement),
            ..card
        };
        Ok(Self { _folder: folder, full, path, card })
    }

    /// Adds what compression costs on labelled rows.
    pub(super) fn measure(&mut self, rows: &[Row], head: Option<&str>) -> anyhow::Result<()> {
        self.card.cost = Some(AccuracyCost::measure(&self.full, &self.path, rows, head)?);
        Ok(())
    }

    /// Writes the card into the export.
    pub(super) fn write_card(&self) -> anyhow::Result<()> {
        let path = self.path.join(CARD);
        let text = serde_json::to_string_pretty(&self.card).context("the card cannot be written as JSON")?;
        fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}

fn copy_files(from: &Path, to: &Path, without: &[&str]) -> anyhow::Result<()> {
    fs::create_dir(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", from.display()))?;
        // The manifest speaks of the registry's files, and the card of another export.
        let left_out = [MANIFEST, CARD].iter().chain(without).any(|name| entry.file_name() == **name);
        if entry.path().is_file() && !left_out {
            fs::copy(entry.path(), to.join(entry.file_name()))
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

fn bytes_of(directory: &Path) -> anyhow::Result<u64> {
    let path = directory.join(ONNX);
    Ok(fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?.len())
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
