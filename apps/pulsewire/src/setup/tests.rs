//! Setup against archives made here: no network.

use std::io::Write as _;
use std::time::Duration;

use foundation::parts::{Archive, Client, Member};
use foundation::{Failure as _, FailureKind};
use tempfile::TempDir;

use super::*;

const CONTENT: &[u8] = b"the engine";

struct Bench {
    cache: TempDir,
    folder: TempDir,
    pin: Pin,
}

impl Bench {
    fn new(client: Client) -> Self {
        let (cache, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = match client {
            Client::Pip => "engine-1.0-py3-none-any.whl",
            Client::Npm => "engine-1.0.tgz",
        };
        let path = folder.path().join(file);
        match client {
            Client::Pip => write_wheel(&path),
            Client::Npm => write_npm_package(&path),
        }
        let member = Member {
            from: "package/engine.so".into(),
            to: "lib/engine.so".into(),
            bytes: CONTENT.len() as u64,
            sha256: digest::sha256(CONTENT),
        };
        let archive = Archive {
            client,
            package: "engine".into(),
            file: file.into(),
            bytes: fs::metadata(&path).unwrap().len(),
            sha256: digest::sha256_file(&path).unwrap(),
            arguments: Vec::new(),
        };
        let pin = Pin {
            title: "the engine".into(),
            name: "engine".into(),
            version: "1.0".into(),
            licence: "MIT".into(),
            platform: None,
            entry: "lib/engine.so".into(),
            archive,
            members: vec![member],
        };
        Self { cache, folder, pin }
    }

    fn options(&self) -> Options {
        Options { from: Some(self.folder.path().to_owned()), ..Options::default() }
    }

    async fn install(&self, options: &Options) -> Result<Outcome, SetupError> {
        install_into(&self.pin, self.cache.path(), options).await
    }

    fn directory(&self) -> PathBuf {
        self.pin.directory(self.cache.path())
    }

    /// What lies beside the parts: nothing but parts and the lock may be left, whatever happened.
    fn leftovers(&self) -> Vec<String> {
        let names = fs::read_dir(self.cache.path().join("parts")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".lock" && name != "engine-1.0").collect()
    }
}

fn write_wheel(path: &Path) {
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [("package/other.txt", &b"unused"[..]), ("package/engine.so", CONTENT)] {
        archive.start_file(name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap();
}

fn write_npm_package(path: &Path) {
    let encoder = flate2::write::GzEncoder::new(File::create(path).unwrap(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (name, content) in [("package/other.txt", &b"unused"[..]), ("package/engine.so", CONTENT)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unpacks_only_the_pinned_members_and_skips_what_is_there() {
    for client in [Client::Pip, Client::Npm] {
        let bench = Bench::new(client);
        let installed = bench.install(&bench.options()).await.unwrap();
        assert_eq!(installed, Outcome::Installed(bench.directory()));
        bench.pin.verify(&bench.directory()).unwrap();
        assert!(!bench.directory().join("other.txt").exists());
        assert!(bench.leftovers().is_empty(), "{:?}", bench.leftovers());
        let again = bench.install(&Options { offline: true, ..Options::default() }).await.unwrap();
        assert_eq!(again, Outcome::Present(bench.directory()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_checksum_is_refused_and_both_digests_are_told() {
    let bench = Bench::new(Client::Npm);
    fs::write(bench.folder.path().join(&bench.pin.archive.file), b"something else").unwrap();
    let error = bench.install(&bench.options()).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Corrupt);
    let text = error.to_string();
    assert!(text.contains(&bench.pin.archive.sha256) && text.contains(&digest::sha256(b"something else")), "{text}");
    assert!(!bench.directory().exists());
    assert!(bench.leftovers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_another_content_is_refused() {
    let mut bench = Bench::new(Client::Pip);
    bench.pin.members[0].sha256 = "0".repeat(64);
    assert!(matches!(bench.install(&bench.options()).await, Err(SetupError::Member { .. })));
    bench.pin.members[0].from = "package/none".into();
    assert!(matches!(bench.install(&bench.options()).await, Err(SetupError::Member { .. })));
    assert!(!bench.directory().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_part_and_the_rest_of_a_cut_setup_are_mended() {
    let bench = Bench::new(Client::Npm);
    bench.install(&bench.options()).await.unwrap();
    fs::write(bench.directory().join("lib/engine.so"), b"cut").unwrap();
    let cut = bench.cache.path().join("parts").join(".incoming-cut");
    fs::create_dir_all(cut.join("staging")).unwrap();
    assert_eq!(bench.install(&bench.options()).await.unwrap(), Outcome::Installed(bench.directory()));
    bench.pin.verify(&bench.directory()).unwrap();
    assert!(bench.leftovers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_install_it_once() {
    let bench = Bench::new(Client::Pip);
    let parts = bench.cache.path().join("parts");
    fs::create_dir_all(&parts).unwrap();
    let held = lock(&parts).unwrap();
    let (pin, cache, options) = (bench.pin.clone(), bench.cache.path().to_owned(), bench.options());
    let second = tokio::spawn(async move { install_into(&pin, &cache, &options).await });
    // It cannot come past the lock, however long it is given.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!second.is_finished());
    fs::create_dir_all(bench.directory().join("lib")).unwrap();
    fs::write(bench.directory().join("lib/engine.so"), CONTENT).unwrap();
    fs::write(bench.directory().join(MARKER), &bench.pin.archive.sha256).unwrap();
    drop(held);
    assert_eq!(second.await.unwrap().unwrap(), Outcome::Present(bench.directory()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_archive_or_network_the_message_says_how_to_get_it() {
    let bench = Bench::new(Client::Npm);
    let elsewhere = Options { from: Some(bench.cache.path().to_owned()), ..Options::default() };
    let missing = bench.install(&elsewhere).await.unwrap_err();
    assert_eq!(missing.kind(), FailureKind::Configuration);
    assert!(missing.to_string().contains("npm pack") && missing.to_string().contains("engine@1.0"), "{missing}");
    let offline = bench.install(&Options { offline: true, ..Options::default() }).await.unwrap_err();
    assert!(offline.to_string().contains("--from"), "{offline}");
}
