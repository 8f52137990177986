//! `pulsewire export`: a model directory with a fresh ONNX file, for other programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use inference::backend::{BackendChoice, BackendConfig};
use inference::{EncoderModel, ModelDirectory};
use registry::MANIFEST;
use training::export::{ParityReport, check_parity, export};

use crate::cli::Global;
use crate::exit::UsageError;
use crate::settings::ModelArguments;
use crate::terminal::{print_json, print_line};

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire export --model news --out ./news-onnx            the champion
  pulsewire export --model news@3 --out ./news-onnx --json
  pulsewire export --model ./fine-tuned --out ./onnx         a BERT classifier that was trained elsewhere

The folder is in Hugging Face layout (config.json, tokenizer.json, model.safetensors, model.onnx): Transformers,
ONNX Runtime and Text Embeddings Inference read it. ONNX Runtime and tract must agree on the new file.";

/// Texts that the back ends are compared on.
const SAMPLE_TEXTS: usize = 64;

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportCommand {
    /// Folder to write, which must not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArguments,
}

impl ExportCommand {
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        if self.out.exists() {
            return Err(UsageError(format!("--out {} exists already", self.out.display())).into());
        }
        let found = self.model.find(global)?;
        let parity = tokio::task::block_in_place(|| write(&found.directory, &self.out))?;
        if self.json {
            return print_json(&serde_json::json!({
                "model": found.name, "version": found.version, "directory": self.out, "parity": parity,
            }));
        }
        print_line(format!("{found} is in {}, checked on {} texts", self.out.display(), parity.texts))
    }
}

/// Everything in a folder beside the target, which gets its name only when all is checked.
fn write(model: &Path, out: &Path) -> anyhow::Result<ParityReport> {
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let staging = tempfile::Builder::new()
        .prefix(".export-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot write into {}", parent.display()))?;
    copy_files(model, staging.path())?;
    export(staging.path())?;
    let parity = compare_backends(staging.path())?;
    let staging = staging.keep();
    fs::rename(&staging, out).with_context(|| format!("cannot move {} to {}", staging.display(), out.display()))?;
    Ok(parity)
}

fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", from.display()))?;
        // The manifest speaks of the registry's files, not of these.
        if entry.path().is_file() && entry.file_name() != MANIFEST {
            fs::copy(entry.path(), to.join(entry.file_name()))
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// The trainer is not here: tract's logits stand for it.
fn compare_backends(staging: &Path) -> anyhow::Result<ParityReport> {
    let headlines = crate::samples::headlines();
    let sample: Vec<&str> = headlines.iter().take(SAMPLE_TEXTS).map(|text| &**text).collect();
    let directory = ModelDirectory::open(staging)?;
    let config = BackendConfig { backend: BackendChoice::Tract, ..BackendConfig::default() };
    let reference = EncoderModel::load(&directory, "exported", &config)?.logits(&sample)?;
    Ok(check_parity(staging, &|_| reference.clone(), &sample)?)
}
