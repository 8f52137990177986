//! A store in a child process, and the smallest HTTP client that can misbehave.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use foundation::Secret;
use foundation::parts::Part;
use storage::embedded::{EmbeddedConfig, serve};
use storage::{ConnectionFile, StorageError, Store, StoreConfig};
use tokio_util::sync::CancellationToken;

const DIRECTORY: &str = "PULSEWIRE_TEST_STORE_DIRECTORY";
const LISTEN: &str = "PULSEWIRE_TEST_STORE_LISTEN";
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// What the parent asked this process to serve, if it is a child.
pub(crate) fn child_configuration() -> Option<EmbeddedConfig> {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY)?);
    testkit::parts::ensure_installed().unwrap();
    let mut config = EmbeddedConfig::new(directory, Part::Chdb.locate().unwrap());
    config.listen = std::env::var(LISTEN).unwrap().parse().unwrap();
    config.body_limit_bytes = 64 << 20;
    config.drain_deadline = std::time::Duration::from_millis(500);
    Some(config)
}

/// Serves until the parent closes this process's standard input, by will or by dying.
pub(crate) fn serve_until_stdin_closes(config: EmbeddedConfig) {
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        stop.cancel();
    });
    let outcome = runtime().block_on(serve(config, shutdown, |connection| tell(&format!("ready {}", connection.url))));
    match outcome {
        Ok(()) => tell("stopped"),
        Err(error) => tell(&format!("failed {error}")),
    }
    // The harness would go on to write its summary to a parent that may be gone.
    #[expect(clippy::disallowed_methods, reason = "a child process of the tests has nothing left to drain here")]
    std::process::exit(0);
}

/// A word to the parent, which may be gone.
fn tell(word: &str) {
    drop(writeln!(std::io::stdout(), "{word}"));
}

pub(crate) fn check_that_other_machines_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = EmbeddedConfig::new(directory.path().join("never made"), "libchdb.so");
    config.listen = "0.0.0.0:0".parse().unwrap();
    let outcome = runtime().block_on(serve(config, CancellationToken::new(), |_| panic!("served")));
    assert!(matches!(outcome, Err(StorageError::NotLoopback { .. })));
    assert!(!directory.path().join("never made").exists());
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A store that runs in a child process, killed when it is dropped.
pub(crate) struct StoreProcess {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl StoreProcess {
    /// Starts one and waits for its first word: `ready URL`, or `failed MESSAGE`.
    pub(crate) fn launch(directory: &Path, listen: &str) -> (Self, String) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store_process", "--exact", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory)
            .env(LISTEN, listen)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self { child, lines };
        let word = process.next_word(&["ready ", "failed "]);
        (process, word)
    }

    /// Starts one that must come up.
    pub(crate) fn start(directory: &Path, listen: &str) -> Self {
        let (process, word) = Self::launch(directory, listen);
        assert!(word.starts_with("ready "), "{word}");
        process
    }

    /// Ends it without a warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        assert_eq!(self.next_word(&["stopped", "failed "]), "stopped");
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn next_word(&mut self, starts: &[&str]) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "the store process ended without a word");
            // The test harness of the child writes its own words before on the same line.
            if let Some(at) = starts.iter().find_map(|start| line.find(start)) {
                return line[at..].trim_end().to_owned();
            }
        }
    }
}

impl Drop for StoreProcess {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One server for all tests that do not harm it; it ends with this process.
pub(crate) fn shared() -> &'static ConnectionFile {
    static SHARED: OnceLock<(StoreProcess, tempfile::TempDir, ConnectionFile)> = OnceLock::new();
    let (_, _, connection) = SHARED.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let process = StoreProcess::start(directory.path(), ANY_PORT);
        let connection = ConnectionFile::read(directory.path()).unwrap();
        (process, directory, connection)
    });
    connection
}

/// A configuration of the shared server with a database that nobody else uses.
pub(crate) fn own_database() -> StoreConfig {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    StoreConfig { database: format!("test_{number}"), ..shared().config() }
}

/// A store in a database of its own on the shared server.
pub(crate) async fn own_store() -> Store {
    Store::connect_when_up(&own_database(), CancellationToken::new()).await.unwrap()
}

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl RawAnswer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

/// Sends a POST with the right credentials, by hand. `claimed_length` may be more than the body has: then the connection
/// is closed in the middle of it.
pub(crate) fn post(
    connection: &ConnectionFile,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    claimed_length: usize,
) -> Option<RawAnswer> {
    let mut head = format!(
        "POST {target} HTTP/1.1\r\nHost: store\r\nConnection: close\r\nContent-Length: {claimed_length}\r\n\
         X-ClickHouse-User: {}\r\nX-ClickHouse-Key: {}\r\n",
        connection.user,
        connection.password.expose()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    exchange(connection, &format!("{head}\r\n"), body, claimed_length > body.len())
}

/// Sends a request as it stands.
pub(crate) fn exchange(connection: &ConnectionFile, head: &str, body: &[u8], break_off: bool) -> Option<RawAnswer> {
    let address: SocketAddr = connection.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    if break_off {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let rest = &answer[end + 4..];
    Some(RawAnswer { status, body: if chunked { unchunk(rest) } else { rest.to_vec() }, head })
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        body.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 4 + length..];
        if length == 0 {
            break;
        }
    }
    body
}

/// The same store with other credentials.
pub(crate) fn with_password(config: &StoreConfig, password: &str) -> StoreConfig {
    StoreConfig { password: Secret::new(password), ..config.clone() }
}
