//! `pulsewire store serve`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use foundation::Secret;
use foundation::parts::Part;
use service::Lifecycle;
use storage::embedded::{EmbeddedConfig, serve};
use storage::{CONNECTION_FILE, ConnectionFile, StorageError};

use crate::settings::default_store_directory;

const EXAMPLES: &str = "\
EXAMPLES:
  pulsewire store serve                            where other commands on this machine look for it
  pulsewire store serve --dir ./store --port 8124  another folder and port
  PULSEWIRE_STORE_PASSWORD=... pulsewire store serve

The password is made at the first start and kept; address and password stand in pulsewire-store.json in
the folder, which only its owner can read. Any client of ClickHouse's HTTP interface can connect.";

/// Beyond the store's own deadline for running requests.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);

/// Arguments of `store serve`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeCommand {
    /// Folder of the data [default: store in the data directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Port; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 8123)]
    port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Allow an address that other machines reach; there is no encryption
    #[arg(long)]
    allow_remote: bool,
    /// The engine's library, libchdb.so [default: the one that `pulsewire setup` installed]
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
    /// Password; a flag is visible to other users of this machine, the variable is not
    #[arg(long, value_name = "PASSWORD", env = "PULSEWIRE_STORE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

impl ServeCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let library = Part::Chdb.locate_or(self.library.as_deref())?;
        let directory = prepare(self.dir.unwrap_or_else(default_store_directory))?;
        let mut config = EmbeddedConfig::new(&directory, library);
        config.listen = SocketAddr::new(self.host, self.port);
        config.allow_remote = self.allow_remote;
        config.password = Secret::new(self.password.unwrap_or_default());
        let lifecycle = Lifecycle::with_signals(config.drain_deadline + DRAIN_MARGIN)?;
        let shutdown = lifecycle.shutdown();
        lifecycle.spawn("embedded store", async move {
            serve(config, shutdown, |connection| announce(connection, &directory)).await?;
            Ok::<_, StorageError>(())
        });
        Ok(lifecycle.join().await?)
    }
}

/// The folder, made and absolute: the engine changes the working directory.
fn prepare(directory: PathBuf) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    fs::canonicalize(&directory).with_context(|| format!("cannot open {}", directory.display()))
}

fn announce(connection: &ConnectionFile, directory: &Path) {
    tracing::info!(
        "the store answers at {} as user {}; its password is in {}",
        connection.url,
        connection.user,
        directory.join(CONNECTION_FILE).display()
    );
    tracing::info!("try: pulsewire store sql \"SHOW TABLES\"");
}
