//! PyTorch in an environment of its own, in the cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use foundation::digest::sha256;
use foundation::paths::cache_directory;
use foundation::progress::{Progress, Unit};

/// Trains with PyTorch.
pub(super) const SCRIPT: &str = include_str!("peer.py");

/// What the script needs.
const PACKAGES: [&str; 3] = ["torch==2.15.*", "transformers==4.57.*", "numpy"];

/// Written when all packages are there.
const MARKER: &str = "complete";

/// The interpreter that has them; the environment is made where it is missing.
pub(super) fn environment() -> anyhow::Result<PathBuf> {
    let directory = cache_directory().join(format!("pytorch-{}", &sha256(PACKAGES.join("\n").as_bytes())[..12]));
    let python = directory.join("bin/python");
    if directory.join(MARKER).exists() {
        return Ok(python);
    }
    if directory.exists() {
        std::fs::remove_dir_all(&directory).with_context(|| format!("cannot clear {}", directory.display()))?;
    }
    let progress = Progress::start("installing PyTorch for comparison (some gigabytes)", Some(2), Unit::Items("steps"));
    call(Command::new("python3").args(["-m", "venv"]).arg(&directory))?;
    progress.advance(1);
    call(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES),
    )?;
    progress.advance(1);
    progress.finish();
    mark(&directory)?;
    Ok(python)
}

fn mark(directory: &Path) -> anyhow::Result<()> {
    let path = directory.join(MARKER);
    std::fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))
}

fn call(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let program = command.get_program().to_string_lossy().into_owned();
    anyhow::ensure!(
        output.status.success(),
        "{program} failed: {}; name an interpreter that has torch and transformers with --python",
        said.trim_end()
    );
    Ok(())
}
