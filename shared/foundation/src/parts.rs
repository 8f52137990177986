//! Run-time parts: what the program opens while it runs but does not link, at the versions that `deploy/parts.toml` pins.
//!
//! `pulsewire setup` puts them under `<cache>/parts/<name>-<version>/`; this module only finds them. A part's folder
//! appears by one rename and carries a marker with the digest of the archive it came from, so a half-unpacked part is
//! never found.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs, io};

use serde::Deserialize;

use crate::configuration::{ConfigurationError, parse_toml};
use crate::failure::{Failure, FailureKind};
use crate::{digest, paths};

/// The file in a part's folder that holds the digest of the archive it was unpacked from.
pub const MARKER: &str = ".archive-sha256";

/// What an encoder's folder must hold to be of use.
const ENCODER_FILES: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

const MEND: &str = "run `pulsewire setup`";

/// Why a part cannot be used; every message ends with the mend.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// Nothing lies where the part belongs.
    #[error("{title} {version} is not installed ({} does not exist): {MEND}, or set {variable} to a copy of it", path.display())]
    Missing {
        /// The part's title.
        title: String,
        /// Its pinned version.
        version: String,
        /// Where it was looked for.
        path: PathBuf,
        /// The variable that replaces it.
        variable: &'static str,
    },
    /// Something lies there, but not what the pins say.
    #[error("{title} in {} is damaged ({reason}): {MEND} --force", path.display())]
    Damaged {
        /// The part's title.
        title: String,
        /// The part's folder or the file in it.
        path: PathBuf,
        /// What does not agree.
        reason: String,
    },
    /// The path that a variable or the configuration puts in a part's place leads nowhere.
    #[error("{} stands in for {title}, but {problem}: mend the path or unset {variable}", path.display())]
    Replacement {
        /// The part's title.
        title: String,
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// The variable that may have set it.
        variable: &'static str,
    },
    /// A file of a part cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The pins that were built into this program are wrong.
    #[error("the built-in deploy/parts.toml is wrong")]
    Pins(#[source] &'static ConfigurationError),
}

impl Failure for PartsError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Missing { .. } | Self::Replacement { .. } => FailureKind::Configuration,
            Self::Damaged { .. } => FailureKind::Corrupt,
            Self::Unreadable { .. } => FailureKind::Unavailable,
            Self::Pins(_) => FailureKind::Internal,
        }
    }
}

/// One of the run-time parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The shared library that runs models on the CPU.
    OnnxRuntime,
    /// The ClickHouse engine as a shared library.
    Chdb,
    /// The pre-trained encoder that training starts from.
    BaseEncoder,
}

/// A part's pins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// For people.
    pub title: String,
    /// For paths and `--part`.
    pub name: String,
    /// The one version that this program is built for.
    pub version: String,
    /// The licence that it comes under (SPDX).
    pub licence: String,
    /// `<os>-<architecture>` that its binaries are for; none where it is data.
    pub platform: Option<String>,
    /// The file of the part's folder to open, or `.` for the folder itself.
    pub entry: String,
    /// What to fetch.
    pub archive: Archive,
    /// What to unpack of it.
    pub members: Vec<Member>,
}

/// A package in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Whose client gets it.
    pub client: Client,
    /// The package's name there.
    pub package: String,
    /// The file that the client writes.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest, lower-case hexadecimal.
    pub sha256: String,
    /// More arguments for the client.
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// A package client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// `pip download`: wheels, which are zip files.
    Pip,
    /// `npm pack`: gzipped tar files.
    Npm,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its path in the archive.
    pub from: String,
    /// Its path in the part's folder.
    pub to: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest, lower-case hexadecimal.
    pub sha256: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Pins {
    onnx_runtime: Pin,
    chdb: Pin,
    base_encoder: Pin,
}

static PINS: LazyLock<Result<Pins, ConfigurationError>> = LazyLock::new(|| {
    parse_toml(
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/parts.toml")),
        Path::new("deploy/parts.toml"),
    )
});

impl Part {
    /// All parts, in the order in which they are fetched.
    pub const ALL: [Self; 3] = [Self::BaseEncoder, Self::OnnxRuntime, Self::Chdb];

    /// The variable whose path takes this part's place.
    pub fn variable(self) -> &'static str {
        match self {
            Self::OnnxRuntime => "PULSEWIRE_ONNX_RUNTIME",
            Self::Chdb => "PULSEWIRE_CHDB",
            Self::BaseEncoder => "PULSEWIRE_BASE_ENCODER",
        }
    }

    /// This part's pins.
    pub fn pin(self) -> Result<&'static Pin, PartsError> {
        let pins = PINS.as_ref().map_err(PartsError::Pins)?;
        Ok(match self {
            Self::OnnxRuntime => &pins.onnx_runtime,
            Self::Chdb => &pins.chdb,
            Self::BaseEncoder => &pins.base_encoder,
        })
    }

    /// The path set in this part's place, if any.
    pub fn replacement(self) -> Option<PathBuf> {
        env::var_os(self.variable()).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// Where this part is: the path in its variable, else its place in the cache.
    pub fn locate(self) -> Result<PathBuf, PartsError> {
        self.locate_or(None)
    }

    /// As [`Part::locate`], with a path from the configuration between the variable and the cache.
    pub fn locate_or(self, configured: Option<&Path>) -> Result<PathBuf, PartsError> {
        match self.replacement().or_else(|| configured.map(Path::to_owned)) {
            Some(path) => self.accept_replacement(path),
            None => self.pin()?.locate(&paths::cache_directory(), self.variable()),
        }
    }

    fn accept_replacement(self, path: PathBuf) -> Result<PathBuf, PartsError> {
        let problem = match self {
            Self::OnnxRuntime | Self::Chdb => (!path.is_file()).then(|| "there is no such file".to_owned()),
            Self::BaseEncoder => ENCODER_FILES
                .iter()
                .find(|name| !path.join(name).is_file())
                .map(|name| format!("there is no {name} in it")),
        };
        match problem {
            None => Ok(path),
            Some(problem) => Err(PartsError::Replacement {
                title: self.pin()?.title.clone(),
                path,
                problem,
                variable: self.variable(),
            }),
        }
    }
}

impl Pin {
    /// This part's folder under a cache directory.
    pub fn directory(&self, cache: &Path) -> PathBuf {
        cache.join("parts").join(format!("{}-{}", self.name, self.version))
    }

    /// Whether this part's binaries run on this machine.
    pub fn fits_this_machine(&self) -> bool {
        let here = format!("{}-{}", env::consts::OS, env::consts::ARCH);
        self.platform.as_ref().is_none_or(|platform| *platform == here)
    }

    /// Checks marker and sizes, which takes no time.
    pub fn check(&self, directory: &Path) -> Result<(), PartsError> {
        let damaged = |path: PathBuf, reason: String| PartsError::Damaged { title: self.title.clone(), path, reason };
        let marker = directory.join(MARKER);
        let found = fs::read_to_string(&marker).map_err(|error| damaged(marker.clone(), error.to_string()))?;
        if found.trim() != self.archive.sha256 {
            let reason = format!("it came from an archive with sha256 {}, not {}", found.trim(), self.archive.sha256);
            return Err(damaged(marker, reason));
        }
        for member in &self.members {
            let path = directory.join(&member.to);
            let found = fs::metadata(&path).map_err(|error| damaged(path.clone(), error.to_string()))?.len();
            if found != member.bytes {
                return Err(damaged(path, format!("{found} bytes, not {}", member.bytes)));
            }
        }
        Ok(())
    }

    /// Reads every file of the part and compares its digest: seconds for the large ones.
    pub fn verify(&self, directory: &Path) -> Result<(), PartsError> {
        self.check(directory)?;
        for member in &self.members {
            let path = directory.join(&member.to);
            let found =
                digest::sha256_file(&path).map_err(|source| PartsError::Unreadable { path: path.clone(), source })?;
            if found != member.sha256 {
                let reason = format!("sha256 {found}, not {}", member.sha256);
                return Err(PartsError::Damaged { title: self.title.clone(), path, reason });
            }
        }
        Ok(())
    }

    fn locate(&self, cache: &Path, variable: &'static str) -> Result<PathBuf, PartsError> {
        let directory = self.directory(cache);
        if !directory.is_dir() {
            let (title, version) = (self.title.clone(), self.version.clone());
            return Err(PartsError::Missing { title, version, path: directory, variable });
        }
        self.check(&directory)?;
        Ok(if self.entry == "." { directory } else { directory.join(&self.entry) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(pin: &Pin, cache: &Path, content: &[u8]) -> PathBuf {
        let directory = pin.directory(cache);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(&pin.members[0].to), content).unwrap();
        fs::write(directory.join(MARKER), &pin.archive.sha256).unwrap();
        directory
    }

    fn sample() -> Pin {
        let member = Member { from: "a/b".into(), to: "b".into(), bytes: 3, sha256: digest::sha256(b"abc") };
        let mut pin = Part::Chdb.pin().unwrap().clone();
        pin.entry = "b".into();
        pin.members = vec![member];
        pin
    }

    #[test]
    fn the_pins_are_whole() {
        for part in Part::ALL {
            let pin = part.pin().unwrap();
            let digests = pin.members.iter().map(|member| &member.sha256).chain([&pin.archive.sha256]);
            assert!(digests.into_iter().all(|sha256| sha256.len() == 64), "{}", pin.name);
            assert!(pin.archive.file.contains(&pin.version), "{}", pin.name);
            assert!(pin.entry == "." || pin.members.iter().any(|member| member.to == pin.entry), "{}", pin.name);
        }
        let encoder = Part::BaseEncoder.pin().unwrap();
        assert!(ENCODER_FILES.iter().all(|file| encoder.members.iter().any(|member| member.to == *file)));
    }

    #[test]
    fn finds_a_whole_part_and_names_the_mend_for_a_missing_one() {
        let (cache, pin) = (tempfile::tempdir().unwrap(), sample());
        let missing = pin.locate(cache.path(), "PULSEWIRE_CHDB").unwrap_err();
        assert_eq!(missing.kind(), FailureKind::Configuration);
        assert!(missing.to_string().contains("`pulsewire setup`"), "{missing}");
        let directory = install(&pin, cache.path(), b"abc");
        assert_eq!(pin.locate(cache.path(), "PULSEWIRE_CHDB").unwrap(), directory.join("b"));
        pin.verify(&directory).unwrap();
    }

    #[test]
    fn refuses_what_is_cut_changed_or_of_another_archive() {
        let (cache, mut pin) = (tempfile::tempdir().unwrap(), sample());
        let directory = install(&pin, cache.path(), b"ab");
        assert!(pin.check(&directory).unwrap_err().to_string().contains("2 bytes, not 3"));
        install(&pin, cache.path(), b"abd");
        pin.check(&directory).unwrap();
        assert!(pin.verify(&directory).unwrap_err().to_string().contains("sha256"));
        install(&pin, cache.path(), b"abc");
        pin.archive.sha256 = "0".repeat(64);
        assert!(pin.locate(cache.path(), "PULSEWIRE_CHDB").is_err());
    }

    #[test]
    fn a_replacement_must_hold_what_the_part_holds() {
        let directory = tempfile::tempdir().unwrap();
        let refused = Part::BaseEncoder.accept_replacement(directory.path().to_owned()).unwrap_err();
        assert!(refused.to_string().contains("config.json"), "{refused}");
        for name in ENCODER_FILES {
            fs::write(directory.path().join(name), "{}").unwrap();
        }
        assert!(Part::BaseEncoder.accept_replacement(directory.path().to_owned()).is_ok());
        assert!(Part::Chdb.accept_replacement(directory.path().join("none")).is_err());
    }
}
