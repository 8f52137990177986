//! The run-time parts that tests need, fetched by `pulsewire setup` where the cache lacks them.

use std::sync::OnceLock;

use anyhow::ensure;

use crate::binary;

/// Makes sure that ONNX Runtime, the ClickHouse engine and the base encoder are there; once a process.
pub fn ensure_installed() -> anyhow::Result<()> {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    let outcome = INSTALLED.get_or_init(|| install().map_err(|error| format!("{error:#}")));
    outcome.clone().map_err(anyhow::Error::msg)
}

fn install() -> anyhow::Result<()> {
    let setup = binary::pulsewire()?.arg("setup").output()?;
    ensure!(setup.status.success(), "pulsewire setup failed:\n{}", String::from_utf8_lossy(&setup.stderr));
    Ok(())
}
