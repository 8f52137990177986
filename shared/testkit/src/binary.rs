//! The `pulsewire` executable that belongs to the sources under test.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, bail, ensure};

const NAME: &str = "pulsewire";

/// A command that runs `pulsewire` without the settings of the developer's own environment.
pub fn pulsewire() -> anyhow::Result<Command> {
    let mut command = Command::new(path()?);
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PULSEWIRE__")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG");
    Ok(command)
}

/// The executable: `PULSEWIRE_BINARY`, else the one beside this test, built anew by cargo where sources are newer.
pub fn path() -> anyhow::Result<&'static Path> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = PATH.get() {
        return Ok(path);
    }
    let found = find()?;
    Ok(PATH.get_or_init(|| found))
}

fn find() -> anyhow::Result<PathBuf> {
    if let Some(path) = env::var_os("PULSEWIRE_BINARY").map(PathBuf::from) {
        ensure!(path.is_file(), "PULSEWIRE_BINARY is {}, where no file is", path.display());
        return Ok(path);
    }
    let test = env::current_exe().context("cannot tell where this test lies")?;
    // <target>/<profile>/deps/<test>
    let profile = test.parent().and_then(Path::parent).context("this test does not lie in a target folder")?;
    let binary = profile.join(NAME);
    if !is_current(&binary) {
        build(profile)?;
    }
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}

/// Whether the binary is newer than every source that cargo's own dependency file beside it names.
fn is_current(binary: &Path) -> bool {
    let built = fs::metadata(binary).and_then(|metadata| metadata.modified());
    let sources = fs::read_to_string(binary.with_extension("d"));
    let (Ok(built), Ok(sources)) = (built, sources) else { return false };
    let Some((_, sources)) = sources.split_once(": ") else { return false };
    // Spaces inside a path are escaped; such a path is not found below and leads to a build, which does no harm.
    sources.split_whitespace().all(|source| {
        fs::metadata(source).and_then(|metadata| metadata.modified()).is_ok_and(|changed| changed <= built)
    })
}

fn build(profile: &Path) -> anyhow::Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "-p", NAME, "--bin", NAME]).current_dir(workspace);
    match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") => {}
        Some(name) => {
            command.args(["--profile", name]);
        }
        None => bail!("{} is no folder of a build profile", profile.display()),
    }
    if let Some(target) = profile.parent() {
        command.env("CARGO_TARGET_DIR", target);
    }
    let status = command.status().context("cannot run cargo to build pulsewire")?;
    ensure!(status.success(), "cargo could not build pulsewire ({status})");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_is_current_until_a_source_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (binary, source) = (folder.path().join("program"), folder.path().join("main.rs"));
        assert!(!is_current(&binary));
        fs::write(&source, "fn main() {}").unwrap();
        fs::write(&binary, "").unwrap();
        fs::write(binary.with_extension("d"), format!("{}: {}\n", binary.display(), source.display())).unwrap();
        assert!(is_current(&binary));
        let later = fs::metadata(&binary).unwrap().modified().unwrap() + std::time::Duration::from_secs(5);
        fs::File::options().write(true).open(&source).unwrap().set_modified(later).unwrap();
        assert!(!is_current(&binary));
        fs::remove_file(&source).unwrap();
        assert!(!is_current(&binary));
    }
}
