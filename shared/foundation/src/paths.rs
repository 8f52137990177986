//! Where run-time parts, models and stores lie when the configuration does not say.

use std::env;
use std::path::PathBuf;

/// The cache directory: `PULSEWIRE_CACHE`, else `$XDG_CACHE_HOME/pulsewire`, else `~/.cache/pulsewire`.
pub fn cache_directory() -> PathBuf {
    directory("PULSEWIRE_CACHE", "XDG_CACHE_HOME", ".cache")
}

/// The directory of models and stores: `PULSEWIRE_HOME`, else `$XDG_DATA_HOME/pulsewire`, else `~/.local/share/pulsewire`.
pub fn data_directory() -> PathBuf {
    directory("PULSEWIRE_HOME", "XDG_DATA_HOME", ".local/share")
}

fn directory(own: &str, base: &str, fallback: &str) -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(own).unwrap_or_else(|| {
        set(base).unwrap_or_else(|| set("HOME").unwrap_or_else(|| PathBuf::from(".")).join(fallback)).join("pulsewire")
    })
}
