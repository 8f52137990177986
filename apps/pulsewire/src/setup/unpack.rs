//! The members that the pins name, out of a wheel or an npm package, each checked while it is written.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;

use flate2::read::GzDecoder;
use foundation::parts::{Client, Member, Pin};
use foundation::progress::{Progress, Unit};
use sha2::{Digest as _, Sha256};

use super::SetupError;

const PIECE_BYTES: usize = 1 << 18;

/// Writes the members into `staging`, which is created.
pub(super) fn unpack(pin: &Pin, archive: &Path, staging: &Path) -> Result<(), SetupError> {
    let total = pin.members.iter().map(|member| member.bytes).sum();
    let progress = Progress::start(format!("unpacking {}", pin.title), Some(total), Unit::Bytes);
    fs::create_dir_all(staging).map_err(|source| SetupError::io("create", staging, source))?;
    let unpacking = Unpacking { archive, staging, progress: &progress };
    match pin.archive.client {
        Client::Pip => unpacking.wheel(&pin.members)?,
        Client::Npm => unpacking.npm_package(&pin.members)?,
    }
    progress.finish();
    Ok(())
}

struct Unpacking<'a> {
    archive: &'a Path,
    staging: &'a Path,
    progress: &'a Progress,
}

impl Unpacking<'_> {
    fn wheel(&self, members: &[Member]) -> Result<(), SetupError> {
        let mut archive =
            zip::ZipArchive::new(self.open()?).map_err(|error| self.unreadable(io::Error::from(error)))?;
        for member in members {
            let mut content = archive.by_name(&member.from).map_err(|error| self.wrong(member, error.to_string()))?;
            self.write(member, &mut content)?;
        }
        Ok(())
    }

    fn npm_package(&self, members: &[Member]) -> Result<(), SetupError> {
        let mut wanted: HashMap<&str, &Member> = members.iter().map(|member| (member.from.as_str(), member)).collect();
        let mut archive = tar::Archive::new(GzDecoder::new(self.open()?));
        for entry in archive.entries().map_err(|error| self.unreadable(error))? {
            let mut entry = entry.map_err(|error| self.unreadable(error))?;
            let path = entry.path().map_err(|error| self.unreadable(error))?.to_string_lossy().into_owned();
            if let Some(member) = wanted.remove(path.as_str()) {
                self.write(member, &mut entry)?;
            }
        }
        match wanted.into_values().next() {
            Some(member) => Err(self.wrong(member, "it is not there".to_owned())),
            None => Ok(()),
        }
    }

    fn write(&self, member: &Member, content: &mut impl Read) -> Result<(), SetupError> {
        let target = self.staging.join(&member.to);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|source| SetupError::io("create", folder, source))?;
        }
        let failed = |source| SetupError::io("write", &target, source);
        let mut file = File::create(&target).map_err(failed)?;
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES];
        let mut written = 0;
        loop {
            let read = content.read(&mut piece).map_err(|error| self.wrong(member, error.to_string()))?;
            written += read as u64;
            if read == 0 || written > member.bytes {
                break;
            }
            hasher.update(&piece[..read]);
            file.write_all(&piece[..read]).map_err(failed)?;
            self.progress.advance(read as u64);
        }
        let found = format!("{:x}", hasher.finalize());
        if written != member.bytes || found != member.sha256 {
            let problem = format!("expected {} bytes with sha256 {}, found {found}", member.bytes, member.sha256);
            return Err(self.wrong(member, problem));
        }
        file.sync_all().map_err(failed)
    }

    fn open(&self) -> Result<File, SetupError> {
        File::open(self.archive).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, source: io::Error) -> SetupError {
        SetupError::io("read", self.archive, source)
    }

    fn wrong(&self, member: &Member, problem: String) -> SetupError {
        SetupError::Member { archive: self.archive.to_owned(), member: member.from.clone(), problem }
    }
}
