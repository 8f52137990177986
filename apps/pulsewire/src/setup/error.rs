//! Why a part could not be installed, each with its mend.

use std::io;
use std::path::{Path, PathBuf};

use foundation::parts::PartsError;
use foundation::{Failure, FailureKind};

/// Why a part could not be installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// The pins or an installed part are wrong.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// The pinned package is for other machines.
    #[error("{title} is pinned for {platform} only: set {variable} to a copy that fits this machine")]
    Platform {
        /// The part's title.
        title: String,
        /// The platform of the pin.
        platform: String,
        /// The variable that replaces the part.
        variable: &'static str,
    },
    /// The package client is not installed.
    #[error(
        "{program} is not installed: {mend}, or run this where it is, `{command}`, and then `pulsewire setup --from FOLDER` here"
    )]
    ClientMissing {
        /// The client.
        program: &'static str,
        /// How to get it.
        mend: &'static str,
        /// What it would have been told.
        command: String,
    },
    /// The package client failed; its own last words follow.
    #[error(
        "`{command}` ended with {status}:\n{words}\ncheck the network and the client's registry settings, or fetch the archive elsewhere and use `pulsewire setup --from FOLDER`"
    )]
    Client {
        /// What it was told.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        words: String,
    },
    /// The package client ended well without leaving the archive.
    #[error("`{command}` ended well, but left no {file}: is its registry a mirror that renames files?")]
    NoArchive {
        /// What it was told.
        command: String,
        /// What was expected.
        file: String,
    },
    /// The folder given by the user does not hold the archive.
    #[error("{} does not exist: get it with `{command}` in that folder", path.display())]
    ArchiveMissing {
        /// Where it was looked for.
        path: PathBuf,
        /// How to get it.
        command: String,
    },
    /// The network is not to be used, and the part is not there.
    #[error(
        "{title} {version} is not installed and --offline forbids fetching it: run `{command}` on a machine with a network, then `pulsewire setup --from FOLDER` here"
    )]
    Offline {
        /// The part's title.
        title: String,
        /// Its version.
        version: String,
        /// How to get the archive.
        command: String,
    },
    /// The archive is not the one that was pinned.
    #[error(
        "{file} is refused: expected sha256 {expected} ({expected_bytes} bytes), found {found} ({found_bytes} bytes)"
    )]
    Checksum {
        /// The archive.
        file: String,
        /// The pinned digest.
        expected: String,
        /// The pinned size.
        expected_bytes: u64,
        /// The digest of what came.
        found: String,
        /// The size of what came.
        found_bytes: u64,
    },
    /// The archive has the right digest, but not the member that the pins name.
    #[error("{member} in {}: {problem}; deploy/parts.toml does not fit its archive", archive.display())]
    Member {
        /// The archive.
        archive: PathBuf,
        /// The path in it.
        member: String,
        /// What does not agree.
        problem: String,
    },
    /// The disk is too small.
    #[error("{title} needs {} MiB in {}, and {} MiB are free: make room, or set PULSEWIRE_CACHE to a folder with room", needed >> 20, path.display(), free >> 20)]
    Space {
        /// The part's title.
        title: String,
        /// Where.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl SetupError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

impl Failure for SetupError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Parts(error) => error.kind(),
            Self::Platform { .. } | Self::ArchiveMissing { .. } => FailureKind::Configuration,
            Self::Client { .. } => FailureKind::Unavailable,
            Self::Checksum { .. } | Self::Member { .. } => FailureKind::Corrupt,
            Self::ClientMissing { .. }
            | Self::NoArchive { .. }
            | Self::Offline { .. }
            | Self::Space { .. }
            | Self::Io { .. } => FailureKind::Internal,
        }
    }
}
